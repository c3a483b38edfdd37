"""Small videos, encoded here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 80)  # height, width


def moving_pattern(num_frames: int, size: tuple[int, int] = SIZE) -> Iterable[np.ndarray]:
    """Frames (H, W, 3) that all differ."""
    row, column = np.mgrid[: size[0], : size[1]]
    for i in range(num_frames):
        channels = [column * 2 + 3 * i, row * 3 + 2 * i, row * column // 20 + 5 * i]
        yield (np.stack(channels, -1) % 256).astype(np.uint8)


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "libx264",
    milliseconds: Sequence[int] | None = None,
    gop: int = 12,
    b_frames: int = 2,
    rotation: int = 0,
    fast_start: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode frames (H, W, 3); without times, ten a second."""
    arrangement = {"movflags": "faststart"} if fast_start else {}  # what the player needs comes first
    with av.open(str(path), "w", options=arrangement) as container:
        stream = container.add_stream(codec, rate=10, options=options or {})
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, image in enumerate(frames):
            if not number:
                stream.height, stream.width = image.shape[:2]
                stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts = milliseconds[number] if milliseconds else 100 * number
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate, frame.pts = 8000, 1024 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def decoded_in_order(path: Path) -> list[np.ndarray]:
    """Every frame as (H, W, 3), not turned, decoded from the beginning by other means than ours."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
