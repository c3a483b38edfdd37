"""The command line: its help, its refusals in one line, its exit codes."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from selfsup_depth import cli
from selfsup_depth.commands.parser import CommandParser, split_dotted
from selfsup_depth.commands.train import parse_train_arguments
from selfsup_depth.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    NumericError,
    RunInUseError,
    StorageError,
)
from selfsup_depth.resources import find_resource

RECIPE = [
    "--config",
    "conf/method/velocity.yaml",
    "--config",
    "conf/small.yaml",
    "--config",
    "conf/data/kitti_raw.yaml",
]


@pytest.fixture
def command(monkeypatch):
    """Put a command of the test's own in front of the others; it does what it is given to do."""

    def install(action):
        module = type(sys)("command_of_test")
        module.run = action
        monkeypatch.setitem(sys.modules, "command_of_test", module)
        monkeypatch.setitem(cli.COMMANDS, "act", cli.Command("command_of_test", "acts"))

    return install


def raiser(error):
    def act(arguments):
        raise error

    return act


def refused(capfd, *arguments):
    """Exit code and the one line that a refusal prints."""
    code = cli.main(list(arguments))
    streams = capfd.readouterr()
    assert re.fullmatch(r"error: [^\n]+\n", streams.err), streams.err
    assert not streams.out
    return code, streams.err


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from selfsup_depth.cli import main; code = main(['--help']);"
        "heavy = {'torch', 'numpy', 'jsonargparse', 'yaml', 'argparse', 'pytorch_lightning', 'cv2', 'PIL'};"
        "print(sorted(heavy & set(sys.modules)), code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    assert all(f"  {name} " in done.stdout for name in cli.COMMANDS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, a disk without room, here")
@pytest.mark.parametrize("arguments", [["losses"], ["--help"]])
def test_an_output_that_takes_no_more_is_no_bug(arguments):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "selfsup_depth", *arguments]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 6
    assert ended.stderr == "error: cannot write the output (No space left on device); free some space\n"


def test_the_module_is_the_command():
    arguments = [sys.executable, "-m", "selfsup_depth"]
    version = subprocess.run([*arguments, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"selfsup-depth \d+\.\d+\.\d+\n", version.stdout)
    assert subprocess.run([*arguments, "no-such-command"], capture_output=True).returncode == 2


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["-h"], ["data"], ["evaluate", "--help"], ["train", "-h"]]
)
def test_help_is_a_success(capsys, arguments):
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.startswith("usage:")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_listed_command_exists(name, capsys):
    assert cli.main([name, "--help"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (DataError("x"), 3),
        (CheckpointError("x"), 4),
        (NumericError("x"), 5),
        (StorageError("x"), 6),
        (RunInUseError("x"), 7),
        (ZeroDivisionError("x"), 70),
        (ZeroDivisionError(), 70),
    ],
)
def test_each_refusal_has_its_exit_code_and_one_line(command, capfd, error, code):
    command(raiser(type(error)(*(f"first\nsecond {argument}" for argument in error.args))))
    assert refused(capfd, "act")[0] == code


def test_the_traceback_is_for_those_who_ask(command, capsys, monkeypatch):
    command(raiser(DataError("unreadable, in x.png; replace it")))
    assert cli.main(["act"]) == 3
    assert "Traceback" not in capsys.readouterr().err
    assert cli.main(["act", "--debug"]) == 3
    with_flag = capsys.readouterr().err
    assert "Traceback" in with_flag
    assert with_flag.endswith("error: unreadable, in x.png; replace it\n")
    monkeypatch.setenv("SELFSUP_DEPTH_DEBUG", "1")
    assert cli.main(["act"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_a_command_with_its_exit_code(command, number, code):
    left = []

    def act(arguments):
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            left.append("by the door")

    command(act)
    before = signal.getsignal(number)
    assert cli.main(["act"]) == code
    assert left
    assert signal.getsignal(number) is before


def test_other_libraries_are_quiet_and_we_are_not(command, capfd, recwarn):
    def act(arguments):
        warnings.warn("the worker count is a bottleneck", stacklevel=1)
        logging.getLogger("pytorch_lightning").warning("a tip")
        logging.getLogger("selfsup_depth.data").info("10 frames a second are assumed")

    command(act)
    assert cli.main(["act"]) == 0
    assert capfd.readouterr().err == "10 frames a second are assumed\n"
    assert not recwarn.list
    assert cli.main(["act", "--debug"]) == 0
    assert "pytorch_lightning: a tip" in capfd.readouterr().err
    assert len(recwarn.list) == 1


def test_a_misspelt_command_is_answered_with_the_nearest(capfd):
    assert refused(capfd, "trian") == (2, "error: no command named trian; did you mean train?\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--model.losses.smothness.weight=0"], "did you mean smoothness?"),
        (["--model.losses.smoothness.wieght=0"], "did you mean weight?"),
        (["--model.losses.photometric.auto_mask", "maybe"], "auto_mask is maybe.*expected bool"),
        (["--data.layout", "KittiRow"], "no Layout is named KittiRow.*did you mean KittiRaw?"),
        (["--trainer.max_step=3"], "did you mean max_steps?"),
        (["--optimizer.learning_rate", "fast"], "learning_rate is fast.*expected float"),
        (["--optimizer.learning_rate", "-1"], "learning_rate"),
        (["--data.root"], "--data.root has no value"),
        (["--data.root", "--overwrite"], "--data.root has no value"),
        (["--overwrit"], "did you mean --overwrite?"),
        (["--run"], "expected one argument"),
        (["--seed", "often"], "seed is often"),
        (["--config", "conf/method/velocty.yaml"], "did you mean conf/method/velocity.yaml?"),
        (["--resume", "no/such/run"], "--run and --resume name different folders"),
    ],
)
def test_train_refuses_a_slip_before_anything_is_made(capfd, tmp_path, monkeypatch, arguments, expected):
    files = [str(find_resource("conf", name).resolve()) for name in RECIPE[1::2]]
    monkeypatch.chdir(tmp_path)
    configs = [word for file in files for word in ("--config", file)]
    code, line = refused(capfd, "train", *configs, "--data.root", "x", "--run", "runs/x", *arguments)
    assert code == 2
    assert re.search(expected.replace("?", r"\?"), line), line
    assert not list(tmp_path.iterdir())


def test_train_without_a_configuration_says_where_to_start(capfd):
    assert "start from --config conf/demo.yaml" in refused(capfd, "train")[1]


def test_a_missing_data_root_is_a_data_error(capfd, tmp_path):
    run = tmp_path / "run"
    code, line = refused(capfd, "train", *RECIPE, "--data.root", str(tmp_path / "none"), "--run", str(run))
    assert code == 3
    assert str(tmp_path / "none") in line
    assert not run.exists()


def test_flags_change_the_configuration_of_the_run():
    given = parse_train_arguments(
        [
            *RECIPE,
            "--data.root",
            "x",
            "--model.losses.smoothness.weight=0",
            "--trainer.max_steps",
            "3",
            "--seed=5",
        ]
    )
    terms = given.config["model"]["init_args"]["losses"]
    assert terms["smoothness"]["init_args"]["weight"] == 0.0
    assert terms["photometric"]["init_args"]["weight"] > 0
    assert given.config["trainer"]["max_steps"] == 3
    assert given.config["seed"] == 5
    assert given.run.parent == Path("runs")


def recorded_run(folder):
    import yaml

    config = parse_train_arguments([*RECIPE, "--data.root", "x", "--trainer.max_steps", "3"]).config
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return config


def test_a_resumed_run_takes_its_own_configuration(tmp_path):
    run = tmp_path / "run"
    config = recorded_run(run)
    longer = parse_train_arguments(["--resume", str(run), "--trainer.max_steps", "9"])
    assert (longer.run, longer.resume) == (run, "yes")
    assert longer.config["trainer"]["max_steps"] == 9
    assert longer.config["model"] == config["model"]


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (["--resume", "{run}", "--overwrite"], "--overwrite does not go with --resume"),
        (["--resume", "{run}", "--run", "elsewhere"], "leave --run out"),
        (["--resume", "auto", "--config", "conf/demo.yaml"], "add --run DIR"),
        (["--resume", "auto", "--run", "{run}"], "start from --config"),
        (["--config", "conf/demo.yaml", "--allow-change", "seed"], "is for a resumed run"),
    ],
)
def test_what_does_not_go_with_resume_is_refused(capfd, tmp_path, arguments, fix):
    recorded_run(tmp_path / "run")
    filled = [argument.format(run=tmp_path / "run") for argument in arguments]
    code, error = refused(capfd, "train", *filled)
    assert code == 2
    assert fix in error


@pytest.mark.parametrize(
    ("found", "code"),
    [("2.6.3", 2), ("2.6.5.post1", 2), ("1.9", 2), ("not", 2), ("2.6.6", 0), ("2.7rc1", 0), ("2.10.0", 0)],
)
def test_releases_of_lightning_that_were_malware_are_refused(capfd, monkeypatch, command, found, code):
    from selfsup_depth import requirements

    acted = []
    command(lambda arguments: acted.append(arguments))
    monkeypatch.setattr(requirements, "version", lambda name: found)
    assert cli.main(["act"]) == code
    error = capfd.readouterr().err
    assert (len(acted), error.count("\n")) == ((1, 0) if code == 0 else (0, 1))
    assert code == 0 or "pip install 'pytorch-lightning>=2.6.6'" in error


def test_lightning_is_looked_at_before_it_is_imported(tmp_path):
    """A release that is refused: nothing of it runs, in the command and in Python."""
    (tmp_path / "pytorch_lightning-2.6.3.dist-info").mkdir()
    (tmp_path / "pytorch_lightning-2.6.3.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pytorch-lightning\nVersion: 2.6.3\n"
    )
    (tmp_path / "pytorch_lightning").mkdir()
    (tmp_path / "pytorch_lightning" / "__init__.py").write_text("print('imported')")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": path}
    for program in (
        ["-m", "selfsup_depth", "train", "--config=demo.yaml"],
        ["-c", "import selfsup_depth; selfsup_depth.load"],
    ):
        done = subprocess.run(
            [sys.executable, *program], capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert done.returncode == (2 if program[0] == "-m" else 1)
        assert "pytorch-lightning is 2.6.3" in done.stderr.splitlines()[-1]
        assert "imported" not in done.stdout


def test_help_explains_a_class_and_a_section(capsys):
    assert cli.main(["train", "--help", "Photometric"]) == 0
    assert ".auto_mask  bool = true" in capsys.readouterr().out
    assert cli.main(["train", "--help", "optimizer"]) == 0
    assert "--optimizer.learning_rate  float = 0.0001" in capsys.readouterr().out


def test_help_on_an_unknown_name_has_the_nearest(capfd):
    assert "did you mean Photometric?" in refused(capfd, "train", "--help", "Photometrik")[1]


def test_dotted_options_are_taken_out_in_both_forms():
    rest, flags = split_dotted(["--run", "a.b", "--x.y", "-1", "--json=a.b", "--u.v=a=b", "--overwrite"])
    assert rest == ["--run", "a.b", "--json=a.b", "--overwrite"]
    assert flags == [("x.y", "-1"), ("u.v", "a=b")]


def test_an_abbreviation_is_not_an_option():
    parser = CommandParser(prog="x")
    parser.add_argument("--checkpoint")
    with pytest.raises(ConfigError, match="unknown argument --check; did you mean --checkpoint"):
        parser.parse_args(["--check", "x"])


def test_synthesize_makes_what_its_options_say(capfd, tmp_path):
    out = tmp_path / "drive"
    small = ["--drives", "1", "--frames", "3", "--held_out_drives", "0", "--height", "32", "--width", "64"]
    assert cli.main(["data", "synthesize", "--output", str(out), *small, "--textureless_walls"]) == 0
    assert capfd.readouterr().out == f"written: {out}\n"
    assert '"textureless_walls": true' in (out / "options.json").read_text()
    assert len(list(out.glob("*/*/image_02/data/*"))) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--drives", "few"], "drives is few.*expected int"),
        (["--drives", "0"], "drives is 0"),
        (["--drvies", "1"], "did you mean --drives?"),
        (["--focal_lengths", "0.5"], "focal_lengths is 0.5.*expected tuple"),
    ],
)
def test_synthesize_refuses_a_slip(capfd, tmp_path, arguments, expected):
    code, line = refused(capfd, "data", "synthesize", "--output", str(tmp_path / "drive"), *arguments)
    assert code == 2
    assert re.search(expected.replace("?", r"\?"), line), line
    assert not list(tmp_path.iterdir())
