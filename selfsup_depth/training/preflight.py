"""Whether a module finds in the data what it learns from; asked before the first step.

What the options alone tell is asked before any data is made or read.
"""

from __future__ import annotations

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.screening import MAX_BAD_SHARE
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.losses.feature_metric import FeatureMetric
from selfsup_depth.losses.needs import Need
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.modules.deep3d import Deep3D
from selfsup_depth.modules.left_right import LeftRight
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.base import SIZE_MULTIPLE, nearest_side


def check_options(module: SelfSupervisedDepth, data: DepthDataModule) -> None:
    """Refuse a module that cannot learn from any data with these options.

    Raises:
        ConfigError: telling what is missing and which option mends it.
    """
    for name, side in (("height", data.height), ("width", data.width)):
        if side % SIZE_MULTIPLE:
            fix = f"give --data.{name} {nearest_side(side)}"
            raise ConfigError(f"data.{name} is {side}, no multiple of {SIZE_MULTIPLE}; {fix}")
    if not module.active_terms:
        raise ConfigError(
            "no loss term has a weight, in model.losses; give one, e.g. photometric: Photometric"
        )
    check_windows(module, data)
    check_needs(module, allowed_by(data))
    if isinstance(module, LeftRight | Deep3D):
        check_pairs(type(module).__name__, data)
    if isinstance(module, ViewSynthesis) and data.video:
        check_motion(module, data)
    pose_net = getattr(module, "pose_net", None)
    if pose_net is not None and pose_net.learned_intrinsics:
        check_nothing_tells_intrinsics(data)
    elif data.fov == "unknown":
        raise ConfigError(
            "nothing tells the camera, in --data.fov unknown; "
            "give degrees, or have it learned: --model.pose_net.learned_intrinsics=true"
        )
    if pose_net is not None and pose_net.explainability:
        check_masks_are_apart(module)


def check_fit(module: SelfSupervisedDepth, data: DepthDataModule) -> None:
    """Refuse a module whose terms need what these data turned out not to hold; after check_options.

    Raises:
        ConfigError: there is no measured depth, or there are masks that nothing heeds.
        DataError: the data does not tell the speed that a term needs.
    """
    for name, term in module.active_terms.items():
        if Need.TRAVELLED in term.needs():
            check_speed(name, data)
    check_needs(module, allowed_by(data) - (set() if data.knows_measured else {Need.MEASURED}))
    if data.has_masks:
        check_masks_are_heeded(module)


def check_needs(module: SelfSupervisedDepth, allowed: set[Need]) -> None:
    """Refuse terms that need what neither the module nor the data provides."""
    provided = module.provides() | allowed
    for name, term in module.active_terms.items():
        for need in Need:  # in a fixed order, so that a message repeats
            if need in term.needs() - provided:
                off = f"switch it off: --model.losses.{name}.weight=0"
                raise ConfigError(f"model.losses.{name} needs {need.what}; {need.fix}, or {off}")


def check_windows(module: SelfSupervisedDepth, data: DepthDataModule) -> None:
    """Refuse a window whose reflection at the border would need more pixels than there are."""
    coarsest = 8 if getattr(module, "pyramid", "full") == "native" else 1
    smallest = min(data.height, data.width) // coarsest
    for name, term in module.active_terms.items():
        if isinstance(term, Photometric) and term.window // 2 >= smallest:
            fix = f"give at most {2 * smallest - 1}"
            raise ConfigError(f"window of {term.window} pixels, in model.losses.{name}.window; {fix}")


def check_pairs(name: str, data: DepthDataModule) -> None:
    """Refuse what a module that learns from single pairs would leave unread."""
    if not data.stereo or data.video:
        raise ConfigError(f"{name} trains on pairs alone; give --data.stereo=true --data.video=[]")
    if data.sparse_depth:
        raise ConfigError(f"{name} takes no measured depth; leave out --data.sparse_depth")


def allowed_by(data: DepthDataModule) -> set[Need]:
    """What data with these options can hold for the terms that need it."""
    num_sources = len(data.video) + data.stereo
    allowed = {
        Need.SOURCES: num_sources > 0,
        Need.SEVERAL_SOURCES: num_sources > 1,
        Need.OTHER_CAMERA: data.stereo,
        Need.TRAVELLED: bool(data.video),
        Need.MEASURED: data.sparse_depth,
    }
    return {need for need, there in allowed.items() if there}


def check_speed(name: str, data: DepthDataModule) -> None:
    """Refuse to hold motions to a speed that the data does not tell.

    Raises:
        DataError: the speed is unknown, or is for more than a few frames of an instrument.
    """
    fix = f"or set --model.losses.{name}.weight=0"
    known, unknown = data.travelled
    if not known:
        raise DataError(f"no speed for model.losses.{name}, in {data.root}; add it {fix}")
    if unknown > MAX_BAD_SHARE * (known + unknown):
        raise DataError(
            f"the speed of {unknown} of {known + unknown} motions is not known, "
            f"more than {MAX_BAD_SHARE:.0%}, in {data.root}; restore oxts {fix}"
        )


def check_motion(module: ViewSynthesis, data: DepthDataModule) -> None:
    """Refuse video whose motion nothing tells.

    Raises:
        ConfigError: there is neither a pose network nor two-view geometry where one is asked for.
    """
    if data.two_view_motion:
        return
    if module.pose_net is None:
        raise ConfigError(
            "nothing tells how the camera moves between the frames of data.video; "
            "give --model.pose_net=PoseNet or --data.two_view_motion=true"
        )
    if module.geometric_start.steps:
        raise ConfigError(
            "model.geometric_start needs the motion that two-view geometry finds; "
            "give --data.two_view_motion=true or --model.geometric_start.steps=0"
        )


def check_nothing_tells_intrinsics(data: DepthDataModule) -> None:
    """Refuse to learn the intrinsics beside what already holds those of the data.

    Raises:
        ConfigError: telling what does.
    """
    if data.stereo:
        what, fix = "the rig's other camera", "--data.stereo=false"
    elif data.two_view_motion:
        what = "the motion that two-view geometry finds"
        fix = "--data.two_view_motion=false --model.geometric_start.steps=0"
    else:
        return
    raise ConfigError(
        f"model.pose_net.learned_intrinsics takes the camera as unknown, and {what} takes it as the data "
        f"say; give {fix}, or --model.pose_net.learned_intrinsics=false"
    )


def check_masks_are_heeded(module: SelfSupervisedDepth) -> None:
    """Refuse masks of the data that what is trained would learn from all the same.

    Raises:
        ConfigError: naming the part that takes none, or only with another option.
    """
    if not isinstance(module, ViewSynthesis):
        raise ConfigError(f"{type(module).__name__} takes no masks, and the data has mask.png; remove them")
    for name, term in module.active_terms.items():
        if isinstance(term, FeatureMetric):
            fix = f"remove them, or set --model.losses.{name}.weight=0"
            raise ConfigError(f"model.losses.{name} takes no masks, and the data has mask.png; {fix}")
        if isinstance(term, Photometric) and term.padding == "border":
            fix = f"give --model.losses.{name}.padding=masked, or remove them"
            raise ConfigError(f"model.losses.{name} with padding border takes no masks; {fix}")


def check_masks_are_apart(module: SelfSupervisedDepth) -> None:
    """Refuse two ways of choosing pixels at once: a mask near zero would win every comparison.

    Raises:
        ConfigError: the photometric term chooses by itself.
    """
    for name, term in module.active_terms.items():
        if isinstance(term, Photometric) and (term.auto_mask or term.per_pixel_minimum):
            options = ("auto_mask", "per_pixel_minimum")
            fix = " ".join(f"--model.losses.{name}.{option}=false" for option in options)
            raise ConfigError(
                f"model.pose_net.explainability weights the errors that model.losses.{name} compares by "
                f"auto_mask or per_pixel_minimum; give {fix}, or --model.pose_net.explainability=false"
            )
