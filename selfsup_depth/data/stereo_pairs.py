"""Stereo rigs: KITTI stereo 2015, two folders left/ and right/, or a video with both in each frame."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from selfsup_depth.data.frame_folder import frame_indices, frame_seconds
from selfsup_depth.data.gpx import read_speeds
from selfsup_depth.data.image_part import HalfImage
from selfsup_depth.data.images import PHOTOGRAPH_SUFFIXES, ImageFile, first_size
from selfsup_depth.data.kitti_stereo import Disparity, is_kitti_stereo, kitti_pairs
from selfsup_depth.data.layout import Layout, by_one_name, check_root
from selfsup_depth.data.natural_order import natural_order
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.recording import Camera, Frame, Recording
from selfsup_depth.data.rig_file import DISTORTION, StatedRig, read_rig
from selfsup_depth.data.speed_log import NO_SPEED, SpeedLog
from selfsup_depth.data.video_file import speed_file_of, video_index, videos_under
from selfsup_depth.data.video_reader import VideoFrame
from selfsup_depth.data.video_stream import VIDEO_SUFFIXES
from selfsup_depth.errors import ConfigError, DataError

_PLAIN_SIDES = {"l": "left", "r": "right"}
_EXPECTED = "left/ and right/, a video of both, or training/image_2 and training/image_3 (KITTI stereo 2015)"
_CAMERA_FILES = ("camera.yaml", "camera.txt")


class StereoPairs(Layout):
    """Pairs of a rig whose cameras stand still to each other.

    Plain folders: left/NAME and right/NAME, each pair a recording of its own, frame 0, or with
    `sequence` all of them the frames of one. A video, or a folder of some, that shows both
    images beside or above each other is read as it is. The cameras are said by camera.yaml
    beside them (videos: DRIVE.camera.yaml, too) in lines "KEY: NUMBER", pixels and metres: focal, or
    fx and fy; cx, cy; baseline; where the right camera differs doffs (its cx minus the left
    one's) or right_fx, right_cy and so on; for rigs of another shape R (9 numbers) and T (3) in
    place of the baseline, X_right = R X_left + T, as OpenCV's stereoCalibrate gives them.

    KITTI stereo 2015 (Menze and Geiger 2015): training/image_2 and image_3 with disparities in
    training/disp_noc_0 or disp_occ_0; the calibration is training/calib_cam_to_cam/NUMBER.txt
    for each pair, or one calib_cam_to_cam*.txt under the root for all. Its frames are 10 and
    11, a tenth of a second apart.

    Args:
        disparity: which of KITTI's disparity maps is the measured depth: "non_occluded" of
            pixels that both cameras see, "occluded" of all.
        focal: focal length, pixels of the stored images.
        cx: column of the principal point; not given, the image's centre.
        cy: row of the principal point; not given, the image's centre.
        baseline: distance of the two cameras, metres.
        sequence: whether plain pairs follow one another in time, by the numbers in their names;
            timestamps.txt and speed.csv may lie beside the two folders.
        frames_per_second: of a sequence without timestamps.txt; not given, ten are assumed.
        halves: where a video shows the two, the left camera's (or the upper) image first.
    """

    def __init__(
        self,
        disparity: Disparity = "non_occluded",
        focal: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
        baseline: float | None = None,
        sequence: bool = False,
        frames_per_second: float | None = None,
        halves: Literal["side_by_side", "stacked"] = "side_by_side",
    ) -> None:
        self.disparity: Disparity = disparity
        self.camera = {"focal": focal, "cx": cx, "cy": cy, "baseline": baseline}
        self.sequence = sequence
        self.frames_per_second = frames_per_second
        self.halves = halves

    def prepare(self, root: Path) -> None:
        """Decode every video once, unless that was done before."""
        if _is_video(root):
            self.recordings(root)

    def recordings(self, root: Path) -> list[Recording]:
        """Every pair, also where the right image is missing; or every video."""
        if _is_video(root):
            return [self._video(path, root) for path in videos_under(root)]
        check_root(root, lambda folder: is_kitti_stereo(folder) or _is_plain(folder), _EXPECTED)
        return kitti_pairs(root, self.disparity, _pictures) if is_kitti_stereo(root) else self._plain(root)

    def _plain(self, root: Path) -> list[Recording]:
        images = {side: _pictures(root / folder) for side, folder in _PLAIN_SIDES.items()}
        rig = self._rig([root / name for name in _CAMERA_FILES], root)
        names = sorted(images["l"].keys() | images["r"].keys(), key=lambda name: natural_order(Path(name)))
        if not self.sequence:
            return [_recording(name, images, {name: (0, 0.0)}, rig, NO_SPEED) for name in sorted(names)]
        first = [images["l"].get(name) or images["r"][name] for name in names]
        indices = frame_indices(first)
        seconds = frame_seconds(root / "timestamps.txt", indices, self.frames_per_second)
        times = dict(zip(names, zip(indices, seconds, strict=True), strict=True))
        return [_recording(root.name, images, times, rig, read_speeds(root / "speed.csv"))]

    def _video(self, path: Path, root: Path) -> Recording:
        index = video_index(path)
        stacked = self.halves == "stacked"
        height, width = index.upright_size
        if (height if stacked else width) % 2:
            raise DataError(
                f"frames of {width}x{height} have no two halves, in {path}; see --data.layout.halves"
            )
        size = (height // 2, width) if stacked else (height, width // 2)
        rig = self._rig([path.with_name(f"{path.stem}.camera.yaml"), path.with_name("camera.yaml")], path)
        frames: dict[str, dict[int, tuple[float, Photograph]]] = {"l": {}, "r": {}}
        for number, seconds in enumerate(index.seconds):
            for side in frames:
                half = HalfImage(VideoFrame(index, number), side == "r", stacked)
                frames[side][number] = float(seconds), half
        name = path.name if path == root else path.relative_to(root).as_posix()
        cameras = {side: _camera(side, size, taken, rig) for side, taken in frames.items()}
        return Recording(name, cameras, read_speeds(speed_file_of(path)))

    def _rig(self, files: list[Path], where: Path) -> StatedRig:
        """The cameras from the first of the files that is there, overruled by the options."""
        given = {key: value for key, value in self.camera.items() if value is not None}
        rig = read_rig(next((file for file in files if file.exists()), None), given)
        for key, others in (("focal", ("fx",)), ("baseline", ("T",))):
            if not {key, *others} & rig.numbers.keys():
                raise ConfigError(
                    f"the {key} of these pairs is not known, in {where}; "
                    f"write a camera.yaml there or give --data.layout.init_args.{key}"
                )
        if any(any(rig.numbers.get(key, ())) for key in DISTORTION):
            raise DataError(f"lenses distort, in {rig.where}; rectify first: selfsup-depth data rectify")
        return rig


def _recording(
    name: str,
    images: dict[str, dict[str, Path]],
    times: dict[str, tuple[int, float]],
    rig: StatedRig,
    speeds: SpeedLog,
) -> Recording:
    """A recording of the images of these names.

    Args:
        name: of the recording.
        images: of each side, by their names.
        times: number of the frame and seconds, by the images' names.
        rig: the cameras.
        speeds: of the rig.
    """
    everything = [files[name] for files in images.values() for name in times if name in files]
    cameras = {}
    for side, files in images.items():
        own = {name: files[name] for name in times if name in files}
        if own:
            size = first_size([*own.values(), *everything])
            taken: dict[int, tuple[float, Photograph]] = {
                times[name][0]: (times[name][1], ImageFile(file)) for name, file in own.items()
            }
            cameras[side] = _camera(side, size, taken, rig)
    return Recording(name, cameras, speeds)


def _camera(
    side: str, size: tuple[int, int], taken: dict[int, tuple[float, Photograph]], rig: StatedRig
) -> Camera:
    T_rig_to_camera = rig.T_left_to_right if side == "r" else np.eye(4)
    frames = {index: Frame(index, image, seconds) for index, (seconds, image) in sorted(taken.items())}
    return Camera(rig.K(side, size), size, T_rig_to_camera, frames)


def _is_video(root: Path) -> bool:
    if root.is_file():
        return True
    found = root.is_dir() and not _is_plain(root) and not is_kitti_stereo(root)
    return found and any(path.suffix.lower() in VIDEO_SUFFIXES for path in root.iterdir())


def _is_plain(folder: Path) -> bool:
    return (folder / "left").is_dir() and (folder / "right").is_dir()


def _pictures(folder: Path) -> dict[str, Path]:
    """Photographs of a folder by name without suffix."""
    files = sorted(folder.iterdir()) if folder.is_dir() else ()
    return by_one_name((path.stem, path) for path in files if path.suffix.lower() in PHOTOGRAPH_SUFFIXES)
