"""`selfsup-depth predict`: depth of images and videos, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsup_depth.commands.output import folder_of_results
from selfsup_depth.commands.predict_arguments import make_parser, refuse_bad_numbers
from selfsup_depth.commands.predict_inputs import (
    inputs_named,
    is_video,
    refuse_output_among_inputs,
    stems_of_outputs,
)
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.training.prediction_names import Wanted

if TYPE_CHECKING:
    from selfsup_depth.training.predicting import Job

RELATIVE = "scale: relative (up to one unknown factor); the numbers in *_relative_depth.png are not metres"


def run(arguments: list[str]) -> None:
    """Predict every image and video that --input names.

    Raises:
        ConfigError: an argument is wrong.
        CheckpointError: the checkpoint cannot be used.
        DataError: there is no input, or some images could not be read; the others are done.
        StorageError: the output cannot be written.
    """
    given = make_parser().parse_args(arguments)
    refuse_bad_numbers(given)
    inputs = inputs_named(given.input)
    refuse_output_among_inputs(given.input, given.output)
    wanted = Wanted(given.npy, given.ply, given.max_depth)
    stems = stems_of_outputs(inputs, given.output, wanted)
    with folder_of_results(given.output, "--output"):
        from selfsup_depth.commands.predict_work import predict_inputs

        num_bad = predict_inputs(prepare(given, wanted, inputs), inputs, stems)
        kind = "images and videos" if any(map(is_video, inputs)) else "images"
        print(f"{len(inputs) - num_bad} of {len(inputs)} {kind} predicted, in {given.output}")
        if num_bad:
            raise DataError(
                f"{num_bad} of {len(inputs)} {kind} not predicted, in {given.input}; see the lines above"
            )


def prepare(given: Any, wanted: Wanted, inputs: Sequence[Path]) -> Job:
    """Load the network, and say what is known of its scale and camera.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigError: what is wanted needs a scale, a camera or motion that is not known.
        DataError: the file of --K cannot be used, or no scale can be found.
    """
    from selfsup_depth.commands.predict_camera import cameras_for, refuse_other_camera
    from selfsup_depth.training.camera_path import CameraPath
    from selfsup_depth.training.compilation import compile_predictor
    from selfsup_depth.training.predicting import Job
    from selfsup_depth.training.prediction import load  # seconds, and not needed to refuse arguments

    if given.scale_from:
        put_scale(given, inputs)
    predictor = load(given.checkpoint, given.device, given.trust, given.flip)
    if given.scale is not None:
        predictor.set_scale(given.scale)
    if wanted.ply and predictor.scale != "metric":
        raise ConfigError(
            f"a cloud in metres needs a scale, and this network's is unknown, in {given.checkpoint}; "
            "give --scale FACTOR or --scale-from"
        )
    print("scale: metric" if predictor.scale == "metric" else RELATIVE)
    if predictor.K is not None:
        print(f"learned camera: focal {predictor.K[0, 0] / predictor.size[1]:.3f} of an image's width")
    cameras = cameras_for(given, predictor, "--ply" if given.ply else "")
    if given.ply and not given.K and given.fov is None:
        refuse_other_camera(inputs, cameras)
    reason = compile_predictor(predictor, given.batch_size) if given.compile else ""
    if reason:
        print(f"note: not compiled ({reason}); predicting all the same")
    if given.poses:
        CameraPath(predictor)  # refuses now what has no network of motion
    return Job(predictor, wanted, given.batch_size, cameras, given.poses)


def put_scale(given: Any, inputs: Sequence[Path]) -> None:
    """Find the scale that --scale-from tells, and write it into the checkpoint.

    Raises:
        ConfigError: --scale-from cannot be read, or there are no images.
        DataError: no scale can be found.
        StorageError: the checkpoint cannot be written.
    """
    from selfsup_depth.commands.predict_camera import cameras_for
    from selfsup_depth.commands.predict_scale import (
        find_scale,
        parse_scale_source,
        refuse_unwritable,
        write_scale,
    )
    from selfsup_depth.training.prediction import load

    source = parse_scale_source(given.scale_from)
    images = [path for path in inputs if not is_video(path)]
    if not images:
        raise ConfigError("--scale-from looks at images, and --input names videos alone; give some frames")
    refuse_unwritable(given.checkpoint)
    predictor = load(given.checkpoint, given.device, given.trust, given.flip)
    cameras = cameras_for(given, predictor, "--scale-from" if source.needs_camera else "")
    rescaling, evidence = find_scale(source, given.scale_shift, predictor, images, cameras)
    file = write_scale(given.checkpoint, rescaling, evidence)
    shift = f", shift {rescaling.shift:.3g} 1/m" if given.scale_shift else ""
    print(f"scale found by {evidence}: factor {rescaling.factor:.4g}{shift}, written into {file}")
