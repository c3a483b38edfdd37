"""What travels between the parts: typed tuples, never dictionaries with magic keys.

NamedTuples are understood by torch's collation and by Lightning's device transfer, so a
batch needs no code of ours to be stacked, moved or pinned. Shapes are those of a batch; a
dataset yields the same types without the leading B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class View(NamedTuple):
    """A photograph and the camera that took it.

    image: (B, 3, H, W) RGB in [0, 1]; bytes on the way from a loader to the device.
    K: (B, 3, 3) intrinsics in pixels of *this* image, pixel centres at integers.
    """

    image: Tensor
    K: Tensor


class PosedView(NamedTuple):
    """A source view whose place is known: the other camera of a rig.

    T_target_to_source: (B, 4, 4), X_source = T @ X_target, metres.
    """

    view: View
    T_target_to_source: Tensor


class VideoView(NamedTuple):
    """A source view of the same camera at another time; its motion is to be predicted.

    seconds: (B,) time of this exposure minus the target's; negative is earlier.
    travelled: (B,) metres between the two exposures, NaN = unknown.
    T_geometric: (B, 4, 4) target to source, found by two-view geometry; its translation is
        in units of the median depth of the points seen. NaN = none.
    """

    view: View
    seconds: Tensor
    travelled: Tensor
    T_geometric: Tensor


class ColourJitter(NamedTuple):
    """How the colours of one example are changed before the networks see them.

    All (B,): brightness, contrast and saturation are factors (1 = unchanged), hue is a
    shift in turns (0 = unchanged). One draw for all views of an example.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor


class Batch(NamedTuple):
    """A target view and what it can be synthesized from.

    video: the target's neighbours in time; how the camera moved is unknown.
    stereo: the other cameras of the rig; where they stand is known.
    jitter: one ColourJitter, or empty for none.
    measured: one map (B, 1, H, W) of the target's measured depth, metres, 0 = none; or empty.
    counted: one map (B, 1, H, W) bool, false where the target's pixels are to teach nothing, as
        those of the camera's own car; or empty: all teach.

    What is absent is an empty list: never None, never a missing key.
    """

    target: View
    video: list[VideoView]
    stereo: list[PosedView]
    jitter: list[ColourJitter]
    measured: Sequence[Tensor] = ()
    counted: Sequence[Tensor] = ()


class Synthesis(NamedTuple):
    """The target as one source shows it.

    image: (B, 3, h, w) colours of the source, moved to the target's pixels.
    valid: (B, 1, h, w) bool, true where the source shows the point at all.
    source: (B, 3, h, w) the source as it is, for comparison with no motion.
    """

    image: Tensor
    valid: Tensor
    source: Tensor


class Motion(NamedTuple):
    """What a pose network says of two exposures of one camera.

    T_first_to_second: (B, 4, 4), X_second = T @ X_first, metres.
    explainability: logits (B, 2, h, w) of each level, finest first: whether depth and motion
        explain a pixel of the first exposure (channel 0) and of the second (channel 1) at all;
        empty where the network does not say.
    K: one (B, 3, 3), the camera's intrinsics in pixels of the images that the network saw;
        empty where the network does not say.
    """

    T_first_to_second: Tensor
    explainability: Sequence[Tensor] = ()
    K: Sequence[Tensor] = ()


class DepthEstimate(NamedTuple):
    """What is predicted for the target at one level of the pyramid.

    level: 0 is the finest.
    inverse_depth: (B, 1, h, w) in 1/m.
    syntheses: one for each of `sources`.
    sources: video then stereo views with the motion that was used, predicted or known.
    motions: T_target_to_source (B, 4, 4) that the pose network predicts for each video
        source; other than in `sources` only while a geometric start stands in for it.
    source_inverse_depths: inverse depth predicted for each source's own pixels, in the
        order of `sources`; empty where the network predicts none.
    explainability: logits (B, 1, h, w), one for each video source, of the share of the target's
        pixel that counts; empty where none are predicted.
    K: one (B, 3, 3), the intrinsics in the target's pixels that were used in place of the
        batch's; empty where none are predicted.
    """

    level: int
    inverse_depth: Tensor
    syntheses: list[Synthesis]
    sources: list[PosedView]
    motions: list[Tensor]
    source_inverse_depths: list[Tensor]
    explainability: Sequence[Tensor] = ()
    K: Sequence[Tensor] = ()


class Measured(NamedTuple):
    """A view with depth from an instrument, for validation and test.

    depth: (B, 1, H0, W0) metres at the instrument's own resolution, 0 = none.
    """

    view: View
    depth: Tensor


class Trajectory(NamedTuple):
    """Poses of one camera in order of time, X_world = T @ X_camera, metres.

    keys: (n,) frame numbers or seconds, strictly increasing.
    T_world_from_camera: (n, 4, 4) float64: a drive of a thousand frames multiplies as many rotations.
    keyed_by: what the keys are.
    """

    keys: NDArray[np.float64]
    T_world_from_camera: NDArray[np.float64]
    keyed_by: Literal["frame", "second"]

    @property
    def positions(self) -> NDArray[np.float64]:
        """(n, 3) metres."""
        return self.T_world_from_camera[:, :3, 3]
