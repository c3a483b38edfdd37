"""The worked examples of docs/own_data.md, command by command, on recordings that are made here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import check_trees as trees
import numpy as np
import pytest
from PIL import Image
from test_lens_correction import DISTORTION, PLACES, K, raw, raw_pair
from videos import write_video

from selfsup_depth.cli import main
from selfsup_depth.data.synthetic_drive import synthesize
from selfsup_depth.data.synthetic_options import SyntheticOptions

PAGE = Path(__file__).resolve().parents[1] / "docs" / "own_data.md"


def section(title: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def commands(title: str) -> Iterator[list[str]]:
    for block in re.findall(r"^```sh\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.split(line)[1:]


def camera_file(title: str) -> str:
    """The camera.yaml that the page shows."""
    (text,) = re.findall(r"^```\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)
    return text


def follow(title: str, tiny: Path, steps: int) -> None:
    """Run the section's commands as they stand; networks and runs are made small."""
    small = [f"--config={tiny}", f"--trainer.max_steps={steps}", "--data.num_workers=0"]
    small += ["--data.height=32", "--data.width=64"]
    for command in commands(title):
        assert main([*command, *(small if command[0] == "train" else [])]) == 0, command


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dash_camera(desk, tiny):
    """Twenty steps, from a video that is encoded here."""
    synthesize(desk / "drive", SyntheticOptions(drives=1, frames=12, held_out_drives=0))
    frames = [np.asarray(Image.open(path)) for path in trees.images_of(next(desk.glob("drive/*/*/image_02")))]
    write_video(desk / "drive.mp4", frames, options={"crf": "20"})
    (desk / "drive.speed.csv").write_text("0,10\n2,10\n")
    follow("A dash camera", tiny, steps=20)
    assert len(list((desk / "depth").rglob("*.png"))) + len(list((desk / "depth").rglob("*.mp4"))) > 0
    assert "nothing to mend" in (desk / "check.html").read_text()


def test_a_stereo_rig(desk, tiny):
    for number in range(5):
        raw_pair(desk / f"pair{number}", PLACES["horizontal"])
        for side in ("left", "right"):
            (desk / "rig" / side).mkdir(parents=True, exist_ok=True)
            (desk / f"pair{number}" / side / "0.png").rename(desk / "rig" / side / f"{number}.png")
    (desk / "rig/camera.yaml").write_text(camera_file("A stereo rig"))
    follow("A stereo rig", tiny, steps=2)
    assert (desk / "runs/rig/checkpoints/last.ckpt").exists()


def test_an_endoscope(desk, tiny):
    (desk / "endoscope").mkdir()
    rough = trees.blocks(3)
    ideal = np.asarray(Image.fromarray(rough).resize((320, 240), Image.Resampling.BICUBIC))
    for number in range(14):
        seen = raw(trees.nearer(ideal, 1.012**number), K, DISTORTION)
        Image.fromarray(seen).save(desk / "endoscope" / f"{number:06d}.png")
    (desk / "endoscope/camera.yaml").write_text(camera_file("An endoscope"))
    follow("An endoscope", tiny, steps=2)
    assert list((desk / "depth").rglob("000000*"))
