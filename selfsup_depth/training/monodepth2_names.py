"""Monodepth2's checkpoint folder (Godard et al. 2019): its files, and what its tensors are called.

Many published weights of self-supervised depth have this form, and many tools read it.
"""

from __future__ import annotations

# The number of levels of the decoder, and of those that have a head.
NUM_STEPS, NUM_HEADS = 5, 4

DEPTH_FILES = ("encoder.pth", "depth.pth")
POSE_FILES = ("pose_encoder.pth", "pose.pth")
# What we add to the folder; Monodepth2's own tools have no use for it.
METADATA_FILE = "metadata.json"

ENCODER = "encoder."
# ImageNet's classifier: in the files, and never used.
CLASSIFIER = "encoder.fc."
SIZE_AND_RIG = ("height", "width", "use_stereo")

# Range of depths that its tools take for granted, in units of a tenth of the rig's baseline of 0.54 m
# where the network was trained on stereo pairs.
DEPTH_RANGE = (0.1, 100.0)
METRES_PER_STEREO_UNIT = 5.4
OUTPUT_SCALE = 0.01

# Its pose decoder says six numbers for each of two frames, of which the first six are read.
NUM_MOTION_NUMBERS = 6
LAST_POSE_LAYER = "net.3."


def decoder_names() -> dict[str, str]:
    """Tensors of depth.pth by their names in DepthNet's decoder."""
    names = {}
    for level in range(NUM_STEPS):
        place = 2 * (NUM_STEPS - 1 - level)
        for tensor in ("weight", "bias"):
            names[f"reduce.{level}.conv.{tensor}"] = f"decoder.{place}.conv.conv.{tensor}"
            names[f"merge.{level}.conv.{tensor}"] = f"decoder.{place + 1}.conv.conv.{tensor}"
    for level in range(NUM_HEADS):
        for tensor in ("weight", "bias"):
            names[f"heads.{level}.{tensor}"] = f"decoder.{2 * NUM_STEPS + level}.conv.{tensor}"
    return names


def pose_names() -> dict[str, str]:
    """Tensors of pose.pth by their names in PoseNet."""
    layers = {"decoder.0": "net.0", "decoder.2": "net.1", "decoder.4": "net.2", "head": "net.3"}
    return {f"{a}.{t}": f"{b}.{t}" for a, b in layers.items() for t in ("weight", "bias")}
