"""A trained network on the test frames of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from tqdm import tqdm

from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.data.depth_files import DepthPng, DisparityPng
from selfsup_depth.data.examples import MeasuredExamples
from selfsup_depth.data.kitti_raw import KittiRaw
from selfsup_depth.data.loading import on_device
from selfsup_depth.data.parts import data_root
from selfsup_depth.data.readers import killed_readers_named
from selfsup_depth.data.recording import DepthSource
from selfsup_depth.data.selection import Example
from selfsup_depth.data.velodyne import VelodyneDepth
from selfsup_depth.errors import ConfigError, DataError
from selfsup_depth.evaluation.depth_evaluation import DepthEvaluation
from selfsup_depth.evaluation.flip import predict_with_flip
from selfsup_depth.evaluation.protocols import Protocol
from selfsup_depth.modules.base import SelfSupervisedDepth
from selfsup_depth.structures import Measured
from selfsup_depth.training.configuration import build, resolve
from selfsup_depth.training.frame_context import context_of
from selfsup_depth.training.layers import Layers, stack_layers
from selfsup_depth.training.neighbouring_frames import NeighbouringFrames
from selfsup_depth.training.sections import SECTIONS

INSTRUMENTS: dict[str, type[DepthSource]] = {
    "velodyne": VelodyneDepth,
    "annotated": DepthPng,
    "disparity": DisparityPng,
}


def data_for(
    record: dict[str, Any],
    files: Sequence[str],
    flags: Sequence[tuple[str, str]],
    protocol: Protocol,
    trust: bool,
) -> DepthDataModule:
    """The data to evaluate on.

    Images have the size that the network was trained on, and a laser point's depth is what
    the protocol says, where the layout has lasers.

    Args:
        record: of the checkpoint.
        files: configurations; without any, the data of the checkpoint's own run.
        flags: over the files.
        protocol: decides what the depth of a laser point is.
        trust: whether the checkpoint's record may name classes from outside the package, and
            data that is to be made.

    Raises:
        ConfigError: the configuration does not describe data.
        DataError: it is only named by the checkpoint, and would have to be made.
    """
    height, width = record["size"]
    size = [("data.height", str(height)), ("data.width", str(width))]
    own = record["config"].get("data")
    if not files and not own:
        raise ConfigError(
            "this network was exported without a word on its data; give --config conf/data/X.yaml"
        )
    base = None if files else {"data": own}
    layers = stack_layers(files, [*size, *flags], base)
    # The files of a training command can be given as they are; only their data is read here.
    values = {name: value for name, value in layers.values.items() if name == "data" or name not in SECTIONS}
    sections = {"data": SECTIONS["data"]}
    trusted = trust or bool(files)
    data = build(resolve(Layers(values, layers.origins), sections, trusted), sections, trusted)["data"]
    assert isinstance(data, DepthDataModule)
    if isinstance(data.layout, KittiRaw):
        data.layout.velodyne_depth = protocol.velodyne_depth
        if protocol.measured_by == "annotated":
            data.layout.measured = "annotated"
        elif protocol.velodyne_depth == "velodyne_forward_x":
            data.layout.measured = "velodyne"
    prepare(data, trusted)
    return data


def prepare(data: DepthDataModule, trusted: bool) -> None:
    """Make the data if it can be made, where the user has named it.

    Raises:
        DataError: only the checkpoint names it, and it would have to be written.
    """
    root = data_root(data.layout, data.root)
    if not trusted and not data.layout.is_prepared(root):
        what = "the data that the checkpoint names is not there and would be written"
        raise DataError(f"{what}, in {root}; name the data with --config, or let --trust write it")
    data.prepare_data()


@torch.inference_mode()
def evaluate_on_data(
    module: SelfSupervisedDepth,
    data: DepthDataModule,
    protocol: Protocol,
    num_exhibits: int = 0,
    geometry: bool = False,
) -> tuple[DepthEvaluation, dict[str, int]]:
    """Errors on the data's test frames, with a progress bar.

    Args:
        module: the network.
        data: whose test frames.
        protocol: how predicted and measured depth are compared.
        num_exhibits: how many of the best images, and of the worst, are kept to be drawn.
        geometry: whether points, edges and normals are compared, too.

    Returns:
        The errors, and how many frames each kind of instrument measured.

    Raises:
        DataError: the data cannot be used, or no test frame has measured depth.
        LostProcessError: a process that reads was killed, or gave no answer.
    """
    data.setup("test")
    loader = data.test_dataloader()
    if isinstance(loader, list):
        raise DataError(f"no test frame has measured depth, in {data.root}; choose other data")
    evaluation = DepthEvaluation(protocol, num_exhibits=num_exhibits, geometry=geometry)
    neighbours = NeighbouringFrames()
    assert isinstance(loader.dataset, MeasuredExamples)
    frames = zip(loader, loader.dataset.examples, strict=True)
    sources: Counter[str] = Counter()
    with killed_readers_named():
        for batch, example in tqdm(frames, total=len(loader), desc="evaluating", unit="image"):
            seen = on_device(batch, torch.device("cpu"))  # where depth is compared
            evaluate_frame(evaluation, module, seen, example, neighbours)
            sources[name_of(example.frame.measured)] += 1
    return evaluation, dict(sources)


def evaluate_frame(
    evaluation: DepthEvaluation,
    module: SelfSupervisedDepth,
    batch: Measured,
    example: Example,
    neighbours: NeighbouringFrames,
) -> None:
    """Add one frame.

    Raises:
        DataError: another instrument measured it than the protocol's, or its mask cannot be used.
    """
    source, protocol = example.frame.measured, evaluation.protocol
    name = f"{example.recording.name} {example.frame_index} {example.side}"
    check_instrument(source, name, protocol)
    image, predict = batch.view.image.to(module.device), module.predict_inverse_depth
    inverse_depth, *difference = predict_with_flip(predict, image) if protocol.flip else (predict(image),)
    rig = [source.focal * source.baseline] if isinstance(source, DisparityPng) else []
    context = context_of(batch, example)._replace(
        flip_difference=[between[0, 0] for between in difference],
        uncertainty=[unsure[0, 0] for unsure in module.depth_net.uncertainty(image)],
        before=neighbours.before(example, batch.view.K[0]),
    )
    evaluation.update(inverse_depth, batch.depth, [name], rig, [context])
    neighbours.remember(example, inverse_depth[0, 0], evaluation.predictions.images[0])


def check_instrument(source: DepthSource | None, name: str, protocol: Protocol) -> None:
    """Refuse depth that was measured by another instrument than the protocol's.

    Raises:
        DataError: it was.
    """
    wanted = INSTRUMENTS.get(protocol.measured_by)
    if wanted and not isinstance(source, wanted):
        raise DataError(
            f"{name} was measured by {name_of(source)}, {protocol.name} is for {protocol.measured_by} depth; "
            "choose another --protocol or other data"
        )


def name_of(source: DepthSource | None) -> str:
    """What a result file calls the instrument."""
    if isinstance(source, DisparityPng):
        return f"DisparityPng {source.pixels}"
    return type(source).__name__
