"""Whether there are targets, and why other frames are none."""

from __future__ import annotations

from collections.abc import Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding
from selfsup_depth.data.recording import Camera, Recording


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Targets against the size of a batch; recordings that are too short, or have holes."""
    root, needs = str(evidence.root), evidence.needs
    if len(evidence.examples) < evidence.batch_size:
        yield _too_few(evidence)
        return
    recordings = len({id(example.recording) for example in evidence.examples})
    told = f"{len(evidence.examples)} targets in {recordings} of {len(evidence.recordings)} recordings"
    yield Finding("fact", told)
    with_targets = {id(example.recording) for example in evidence.examples}
    for recording in evidence.recordings:
        if evidence.whole_data and id(recording) not in with_targets:
            yield Finding("warning", f"no target in {recording.name}: too short", root, _lacking(evidence))
    for recording, side, camera in evidence.cameras():
        if needs.video and id(recording) in with_targets and (hole := _hole(recording, camera)):
            yield Finding("warning", f"{hole} of camera {side}", str(_folder(camera)), _RESTORE)
    if needs.stereo:
        yield from _without_other(evidence)


def _too_few(evidence: Evidence) -> Finding:
    count = len(evidence.examples)
    if count:
        what = f"{count} examples do not fill a batch of {evidence.batch_size}"
        return Finding("error", what, str(evidence.root), f"add data, or give --data.batch_size {count}")
    reason = evidence.left_out[0] if evidence.left_out else "there are no images"
    return Finding("error", f"no frame can be trained on: {reason}", str(evidence.root), evidence.advice)


_RESTORE = "restore them, or put what comes after a hole in a folder of its own"


def _hole(recording: Recording, camera: Camera) -> str | None:
    """The frames that are not there between the first and the last one."""
    missing = sorted(set(range(min(camera.frames), max(camera.frames) + 1)) - camera.frames.keys())
    if not missing:
        return None
    return f"{len(missing)} frames are missing in {recording.name}, the first is {missing[0]},"


def _without_other(evidence: Evidence) -> Iterator[Finding]:
    """Frames that one camera took and the other did not."""
    for recording in evidence.recordings:
        cameras = recording.cameras
        if not {"l", "r"} <= cameras.keys():
            continue
        alone = sorted(cameras["l"].frames.keys() ^ cameras["r"].frames.keys())
        if alone:
            what = f"{len(alone)} frames of {recording.name} are of one camera only, the first is {alone[0]}"
            yield Finding("warning", what, str(_folder(cameras["r"])), "restore the other camera's")


def _lacking(evidence: Evidence) -> str:
    if evidence.needs.video:
        return "join it to what comes before or after, or leave it out"
    return "restore the other camera's image, or leave it out"


def _folder(camera: Camera) -> object:
    return next(iter(camera.frames.values())).image.collection
