"""Every command that the documentation shows is one that the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfsup_depth.commands import (
    data_check,
    data_from_video,
    data_lens,
    data_measured,
    data_pack,
    evaluate_compare,
    evaluate_depth,
    evaluate_odometry,
    export,
    losses,
    predict,
)
from selfsup_depth.commands.ablate_arguments import parse_ablate_arguments
from selfsup_depth.commands.parser import split_dotted
from selfsup_depth.commands.train import parse_train_arguments
from selfsup_depth.errors import ConfigError
from selfsup_depth.evaluation.protocols import protocol_named
from selfsup_depth.resources import find_resource
from selfsup_depth.training.loss_catalogue import entry_named

ROOT = Path(__file__).resolve().parents[1]
PROGRAM, MODULE = "selfsup-depth", "selfsup_depth"
STARTERS = "torchrun", "srun"


def commands_of(text: str) -> Iterator[list[str]]:
    """Arguments of the program's commands in the sh blocks of a Markdown text."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            # A module of the user's own is tested where it exists, in test_training.py.
            # Another program may start it: torchrun the module, srun the command.
            start = next((i for i, word in enumerate(words) if Path(word).name in (PROGRAM, MODULE)), None)
            if start is not None and "my_terms" not in line and words[0] in (*STARTERS, words[start]):
                yield words[start + 1 :]


def check(arguments: list[str]) -> None:
    """Refuse what the program would refuse before it looks at any data."""
    if arguments[0] == "train" and "--resume" not in arguments:
        parse_train_arguments(arguments[1:])
    elif arguments[:2] == ["evaluate", "depth"]:
        rest, flags = split_dotted(arguments[2:])
        given = evaluate_depth.make_parser().parse_args(rest)
        evaluate_depth.refuse_contradictions(given, flags)
        protocol_named(given.protocol)
        for name in given.config:
            find_resource("conf", name)
    elif arguments[0] == "ablate" and "--report-only" not in arguments:
        assert parse_ablate_arguments(arguments[1:]).plan.runs
    elif arguments[0] == "losses":
        given = losses.make_parser().parse_args(arguments[1:])
        for name in given.terms:
            entry_named(name)
    elif arguments[:2] == ["evaluate", "compare"]:
        evaluate_compare.make_parser().parse_args(arguments[2:])
    elif arguments[:2] == ["evaluate", "odometry"]:
        evaluate_odometry.make_parser().parse_args(arguments[2:])
    elif arguments[:2] == ["data", "check"]:
        rest, flags = split_dotted(arguments[2:])
        data_check.configured(data_check.make_parser().parse_args(rest).config, flags)
    elif arguments[:2] == ["data", "rectify"]:
        data_lens.make_rectify_parser().parse_args(arguments[2:])
    elif arguments[:2] == ["data", "undistort"]:
        data_lens.make_undistort_parser().parse_args(arguments[2:])
    elif arguments[:2] == ["data", "from-video"]:
        data_from_video.make_parser().parse_args(arguments[2:])
    elif arguments[:2] == ["data", "pack"]:
        data_pack.make_parser().parse_args(split_dotted(arguments[2:])[0])
    elif arguments[:2] == ["data", "measured"]:
        data_measured.make_parser().parse_args(arguments[2:])
    elif arguments[0] == "predict":
        predict.make_parser().parse_args(arguments[1:])
    elif arguments[0] == "export":
        export.make_parser().parse_args(arguments[1:])


DOCUMENTED = [
    pytest.param(command, id=f"{page.name}: {' '.join(command)}"[:100])
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    for command in commands_of(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_documented_command_is_accepted(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    if "--help" not in command:
        return check(command)
    with pytest.raises(SystemExit) as ending:
        check(command)
    assert ending.value.code == 0


@pytest.mark.parametrize(
    "slip",
    [
        "train --config conf/method/monodepth2_sterio.yaml --config conf/data/kitti_raw.yaml",
        "train --config conf/method/velocity.yaml --config conf/data/kitti_raw.yaml --data.holdout 0.2",
        "evaluate depth --checkpoint runs/a --config conf/data/kitti_raw.yaml --protocol kitti_eign",
        "predict --checkpoint runs/a --input a.png --ouput b",
    ],
)
def test_a_slip_would_be_seen(slip, monkeypatch):
    monkeypatch.chdir(ROOT)
    commands = list(
        commands_of(f"text\n```sh\n{PROGRAM} {slip.replace(' --', chr(92) + chr(10) + ' --', 1)}\n```\n")
    )
    assert [word for command in commands for word in command] == slip.split()
    with pytest.raises(ConfigError):
        check(commands[0])


@pytest.mark.parametrize("page", [page.relative_to(ROOT) for page in ROOT.glob("docs/**/*.md")], ids=str)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if not path:
            assert anchor in headings
        elif "://" not in path:
            assert (ROOT / page).parent.joinpath(path).exists(), target
