"""What a loss term may read that not every run has."""

from __future__ import annotations

import enum


class Need(enum.Enum):
    """Something a term cannot do without; its value names it, and says which option supplies it.

    A run is asked for it before the first step: the module and the data say what they provide.
    """

    SOURCES = ("source views", "give --data.video=[-1,1] or --data.stereo=true")
    SEVERAL_SOURCES = ("at least two source views", "give --data.video=[-1,1]")
    OTHER_CAMERA = ("the rig's other camera", "give --data.stereo=true")
    TRAVELLED = ("a known speed along data.video", "use data that tells it, with --data.video=[-1,1]")
    PREDICTED_MOTION = ("motions that a pose network predicts", "give --model.pose_net=PoseNet")
    EXPLAINABILITY = (
        "masks that a pose network predicts",
        "give --model.pose_net=PoseCNN --model.pose_net.explainability=true",
    )
    SOURCE_DEPTH = (
        "the depth of the sources",
        "start from a recipe with ViewSynthesis, as conf/method/sc_sfmlearner.yaml",
    )
    MEASURED = ("measured depth of the targets", "give --data.sparse_depth=true and data that has some")
    BOTH_MAPS = (
        "both views' depth from one image",
        "start from a recipe with LeftRight, as conf/method/monodepth.yaml",
    )

    @property
    def what(self) -> str:
        """Its name, for whoever lacks it."""
        return self.value[0]

    @property
    def fix(self) -> str:
        """The option that supplies it."""
        return self.value[1]
