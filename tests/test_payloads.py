"""No file runs code: thirty payloads, and a canary that each would leave."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import shutil
import sys
import tarfile
from pathlib import Path

import data_trees as trees
import numpy as np
import onnx
import pytest
import torch
from faults.workshop import TINY, reseal, seal
from videos import moving_pattern, write_video

from selfsup_depth.cli import main
from selfsup_depth.data.two_view_motion import ImagePair, pair_motions
from selfsup_depth.errors import CheckpointError, DataError
from selfsup_depth.networks.encoder import ResNetEncoder
from selfsup_depth.networks.pretrained import load_imagenet_weights
from selfsup_depth.training.stored_maps import read_depth

CANARY = "canary"
EVIL = f"""
import pathlib
pathlib.Path("{CANARY}").touch()
class Evil:
    pass
"""


class Payload:
    """Leaves the canary when it is unpickled."""

    def __reduce__(self):
        return exec, (f"import pathlib; pathlib.Path({CANARY!r}).touch()",)


@pytest.fixture(scope="session")
def run_of_payloads(tmp_path_factory):
    """A tiny run."""
    folder = tmp_path_factory.mktemp("payloads")
    trees.kitti_raw(folder / "root", num_frames=4)
    trees.write(folder / "tiny.yaml", TINY)
    files = ["--config=method/monodepth2_stereo.yaml", "--config=data/kitti_raw.yaml"]
    arguments = [
        f"--config={folder / 'tiny.yaml'}",
        f"--data.root={folder / 'root'}",
        f"--run={folder / 'run'}",
    ]
    assert main(["train", *files, *arguments]) == 0
    return folder / "run"


@pytest.fixture
def place(run_of_payloads, tmp_path, monkeypatch):
    """A working directory with a copy of the run, a module that bites, and an image."""
    shutil.copytree(run_of_payloads, tmp_path / "run")
    trees.write(tmp_path / "evil_module.py", EVIL)
    trees.save(trees.picture(0), tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "evil_module", raising=False)
    return tmp_path


def checkpoint(place: Path) -> Path:
    (place / "run/checkpoints/best.ckpt").unlink(missing_ok=True)
    return place / "run/checkpoints/last.ckpt"


PREDICT = ["predict", "--checkpoint=run", "--input=image.png", "--output=depth"]
EVALUATE = ["evaluate", "depth", "--checkpoint=run", "--protocol=metric"]
RESUME = ["train", "--resume=run", "--trainer.max_steps=4"]


def refused(capfd, arguments: list[str], codes: tuple[int, ...]) -> None:
    code = main(arguments)
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
    assert not Path(CANARY).exists()
    assert code in codes
    assert len(said) == 1


def test_the_payload_bites():
    """Or the others would show nothing."""
    pickle.loads(pickle.dumps(Payload()))
    assert Path(CANARY).exists()
    Path(CANARY).unlink()


# --- pickles in every field

FIELDS = [
    "state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops", "epoch", "global_step",
    "pytorch-lightning_version", "hyper_parameters", "selfsup_depth", "selfsup_depth.config",
    "selfsup_depth.versions", "selfsup_depth.size",
]  # fmt: skip


@pytest.mark.parametrize("override", [False, True], ids=["", "environment says unsafe"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_pickle_in_any_field(place, capfd, monkeypatch, field, override):
    if override:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    file = checkpoint(place)
    content = torch.load(file, weights_only=True)
    *outer, last = field.split(".")
    node = content
    for key in outer:
        node = node[key]
    node[last] = Payload()
    torch.save(content, file)
    seal(file)
    for command in (PREDICT, EVALUATE, RESUME):
        refused(capfd, command, (4,))


# --- other containers


def tar_of(file: Path) -> None:
    with tarfile.open(file, "w") as tar:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(Payload())
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


CONTAINERS = {
    "plain pickle": lambda file: file.write_bytes(pickle.dumps(Payload())),
    "gzip": lambda file: file.write_bytes(gzip.compress(pickle.dumps(Payload()))),
    "legacy torch": lambda file: torch.save(
        {"state_dict": Payload()}, file, _use_new_zipfile_serialization=False
    ),
    "tar": tar_of,
    "TorchScript": lambda file: torch.jit.save(torch.jit.script(torch.nn.ReLU()), file),
    "npz": lambda file: file.write_bytes(npz_bytes()),
}


def npz_bytes() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, state_dict=np.array([Payload()], dtype=object))
    return stream.getvalue()


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_pickle_in_another_container(place, capfd, container):
    file = checkpoint(place)
    CONTAINERS[container](file)
    seal(file)
    for command in (PREDICT, RESUME):
        refused(capfd, command, (4,))


@pytest.mark.parametrize("keys", [("_instantiator",), ("_instantiator", "_class_path")])
def test_lightnings_instantiator_is_not_asked(place, capfd, keys):
    values = {"_instantiator": "evil_module.Evil", "_class_path": "evil_module.Evil"}
    hyper = {key: values[key] for key in keys}
    reseal(checkpoint(place), lambda content: content.update(hyper_parameters=hyper, hparams_name="kwargs"))
    assert main(PREDICT) == 0
    assert not Path(CANARY).exists()


# --- classes that a checkpoint names

NAMED = ["evil_module.Evil", "subprocess.Popen", "selfsup_depth.cli.os.system"]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("part", ["model", "depth_net", "layout"])
def test_a_foreign_class_in_a_checkpoint(place, capfd, name, part):
    def change(content):
        config = content["selfsup_depth"]["config"]
        if part == "model":
            config["model"]["class_path"] = name
        elif part == "depth_net":
            config["model"]["init_args"]["depth_net"]["class_path"] = name
        else:
            config["data"]["layout"] = {"class_path": name, "init_args": {}}

    reseal(checkpoint(place), change)
    refused(capfd, EVALUATE, (2, 4))


def test_a_foreign_class_is_imported_only_on_trust(place, capfd):
    """The way that is open must be the one that is said."""

    def change(content):
        content["selfsup_depth"]["config"]["model"]["class_path"] = "evil_module.Evil"

    reseal(checkpoint(place), change)
    assert main([*PREDICT, "--trust"]) != 0
    assert Path(CANARY).exists()


# --- data that a checkpoint names, and that would be made for it

DRIVE = {
    "class_path": "SyntheticDrive",
    "init_args": {"options": {"drives": 2, "frames": 3, "height": 32, "width": 64, "held_out_drives": 1}},
}


def test_data_that_only_a_checkpoint_names_is_not_written(place, capfd):
    def change(content):
        content["selfsup_depth"]["config"]["data"] |= {"layout": DRIVE, "root": "elsewhere/drive"}

    reseal(checkpoint(place), change)
    before = {*place.rglob("*")}
    refused(capfd, EVALUATE, (3,))
    refused(capfd, [*EVALUATE, "--data.root=here"], (3,))
    assert {*place.rglob("*")} == before
    assert main([*EVALUATE, "--trust"]) == 0
    assert (place / "elsewhere/drive/options.json").is_file()
    assert main(EVALUATE) == 0  # it is there now


def test_a_video_that_only_a_checkpoint_names_is_not_indexed(place, capfd, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    write_video(place / "drive.mp4", moving_pattern(4))

    def change(content):
        content["selfsup_depth"]["config"]["data"] |= {
            "layout": {"class_path": "VideoFile"},
            "root": "drive.mp4",
        }

    reseal(checkpoint(place), change)
    refused(capfd, EVALUATE, (3,))
    assert not (place / "cache").exists()


# --- weights in other formats


@pytest.fixture
def exported(place, monkeypatch):
    """The run as a folder with safetensors, while the environment asks for unsafe loading."""
    assert main(["export", "--checkpoint=run", "--format=safetensors", "--output=net"]) == 0
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    return place / "net"


PREDICT_EXPORTED = ["predict", "--checkpoint=net", "--input=image.png", "--output=depth"]


@pytest.mark.parametrize("container", ["plain pickle", "legacy torch", "npz"])
def test_a_pickle_named_safetensors(exported, capfd, container):
    CONTAINERS[container](exported / "model.safetensors")
    refused(capfd, PREDICT_EXPORTED, (4,))


def test_a_pickle_in_the_header_of_safetensors(exported, capfd):
    payload = pickle.dumps(Payload())
    (exported / "model.safetensors").write_bytes(len(payload).to_bytes(8, "little") + payload)
    refused(capfd, PREDICT_EXPORTED, (4,))


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("part", ["model", "depth_net"])
def test_a_foreign_class_in_an_exported_configuration(exported, capfd, name, part):
    content = json.loads((exported / "config.json").read_text())
    model = content["selfsup_depth"]["config"]["model"]
    (model if part == "model" else model["init_args"]["depth_net"])["class_path"] = name
    (exported / "config.json").write_text(json.dumps(content))
    refused(capfd, PREDICT_EXPORTED, (2, 4))


@pytest.mark.parametrize("container", ["plain pickle", "legacy torch", "tar", "TorchScript"])
def test_a_pickle_in_a_folder_of_monodepth2(place, capfd, monkeypatch, container):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    for name in ("encoder.pth", "depth.pth", "pose_encoder.pth", "pose.pth"):
        trees.write(place / "net" / name, "")
        CONTAINERS[container](place / "net" / name)
    refused(capfd, PREDICT_EXPORTED, (4,))


def test_onnx_whose_weights_are_elsewhere_is_not_loaded(place, capfd):
    """Its tensors may name any file of the machine as theirs; it is refused, saying what is loaded."""
    secret = place / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    tensor = onnx.TensorProto(dims=[4], data_type=onnx.TensorProto.FLOAT, name="w", data_location=1)
    tensor.external_data.add(key="location", value=f"../{place.name}/secret.bin")
    graph = onnx.helper.make_graph([], "net", [], [], [tensor])
    (place / "net").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert main(PREDICT_EXPORTED) == 4
    assert re.search(
        r"not a checkpoint of selfsup-depth, in net; give .* `train` wrote", capfd.readouterr().err
    )


# --- configuration

YAML = {
    "apply": "seed: !!python/object/apply:os.system ['touch canary']\n",
    "new": "seed: !!python/object/new:subprocess.Popen [['touch', 'canary']]\n",
    "name": "seed: !!python/name:evil_module.Evil\n",
    "module": "seed: !!python/module:evil_module\n",
    "include": "seed: !include canary.yaml\n",
    "interpolation": "seed: ${oc.env:HOME}\n",
    "aliases": "data: &a {x: 1}\nmodel: *a\n",
    "class that is none": "data: {layout: {class_path: subprocess.Popen, args: [touch, canary]}}\n",
    "function": "model: {class_path: os.system}\n",
}


@pytest.mark.parametrize("payload", YAML)
def test_a_configuration_runs_nothing(place, capfd, payload):
    trees.write(place / "evil.yaml", YAML[payload])
    refused(capfd, ["train", "--config=evil.yaml", "--run=other"], (2,))
    assert not Path("other").exists()


# --- arrays, weights, pictures


def test_arrays_of_objects_are_not_unpickled(place):
    np.save("objects.npy", np.array([Payload()], dtype=object))
    Path("pickle.npy").write_bytes(pickle.dumps(Payload()))
    Path("archive.npy").write_bytes(npz_bytes())
    for name in ("objects.npy", "pickle.npy", "archive.npy"):
        with pytest.raises(DataError):
            read_depth(Path(name))
    assert not Path(CANARY).exists()


def test_cached_motions_are_not_unpickled(place):
    Path("cache.npz").write_bytes(npz_bytes())
    trees.save(trees.picture(0), Path("a.png"))
    from selfsup_depth.data.images import ImageFile

    pair = ImagePair(ImageFile(Path("a.png")), ImageFile(Path("a.png")), np.diag([50.0, 50.0, 1.0]))
    pair_motions([pair], Path("cache.npz"), progress=False)
    assert not Path(CANARY).exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("override", [False, True])
def test_imagenet_weights_are_not_unpickled(place, monkeypatch, legacy, override):
    if override:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({"conv1.weight": Payload()}, "resnet18.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError):
        load_imagenet_weights(ResNetEncoder(18), Path("resnet18.pth"))
    assert not Path(CANARY).exists()


def test_postscript_named_png_starts_no_interpreter(place, capfd):
    Path("image.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(canary) (w) file\n")
    assert main(PREDICT) == 3
    assert not Path(CANARY).exists()
