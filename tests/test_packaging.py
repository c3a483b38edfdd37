"""What is installed: every package, recipes and frame lists, and how they are found."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from selfsup_depth.errors import ConfigError
from selfsup_depth.resources import find_resource

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this repository, built without fetching anything."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("selfsup_depth", "conf", "data_splits", "setup.cfg", "pyproject.toml", "LICENSE"):
        (source / name).symlink_to(REPOSITORY / name)
    (source / "README.md").touch()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_module_recipe_and_list(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    modules = {str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("selfsup_depth/**/*.py")}
    shared = {
        f"selfsup_depth/{path.relative_to(REPOSITORY)}"
        for pattern in ("conf/**/*.yaml", "data_splits/**/*.txt", "data_splits/**/*.md")
        for path in REPOSITORY.glob(pattern)
    }
    assert len(shared) > 10
    assert not (modules | shared | {"selfsup_depth/py.typed"}) - inside


def test_an_installed_wheel_finds_its_recipes_and_lists(wheel, tmp_path):
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    program = (
        "from selfsup_depth.resources import find_resource as find;"
        "print(find('conf', 'conf/small.yaml')); print(find('data_splits', 'eigen') / 'test.txt')"
    )
    away = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=away, capture_output=True, text=True, check=True
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert all(path.is_file() and path.is_relative_to(installed) for path in paths), paths


def test_a_users_own_path_comes_before_the_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_resource("conf", "small.yaml") == REPOSITORY / "conf" / "small.yaml"
    Path("conf").mkdir()
    Path("conf/small.yaml").touch()
    assert find_resource("conf", "small.yaml").resolve() == tmp_path / "conf" / "small.yaml"
    Path("small.yaml").touch()
    assert find_resource("conf", "small.yaml").resolve() == tmp_path / "small.yaml"


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("conf", "methods/velocity.yaml", "conf/method/velocity.yaml"),
        ("data_splits", "eigen_zou", "eigen_zhou"),
    ],
)
def test_a_missing_one_is_answered_with_the_nearest(kind, name, nearest):
    with pytest.raises(ConfigError, match=f"{name}; did you mean {nearest}"):
        find_resource(kind, name)


def test_a_path_from_the_root_is_not_looked_for_elsewhere(tmp_path):
    with pytest.raises(ConfigError):
        find_resource("conf", str(tmp_path / "small.yaml"))


def test_each_requirement_has_a_tested_version():
    options = configparser.ConfigParser()
    options.read(REPOSITORY / "setup.cfg")
    lines = options["options"]["install_requires"].splitlines()
    lines += [line for extra in options["options.extras_require"].values() for line in extra.splitlines()]
    wanted = {
        line.split(">=")[0].split("[")[0].lower().replace("_", "-")
        for line in lines
        if line[:1] not in ("", "#")
    }
    constraints = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in constraints if line[:1] != "#"}
    assert wanted <= pinned
    assert not [line for line in constraints if "+" in line.partition("==")[2]]


def test_the_lock_has_the_tested_versions_with_their_hashes_and_says_no_place():
    text = (REPOSITORY / "requirements.lock").read_text()
    lines = [line for line in text.replace(" \\\n", " ").splitlines() if not line.startswith("#")]
    entry = re.compile(r"([\w.-]+)==([\w.]+)(\+cpu)? +--hash=sha256:[0-9a-f]{64}")
    locked = {found[1].lower().replace("_", "-"): found[2] for found in map(entry.fullmatch, lines) if found}
    assert len(locked) == len(lines)
    constraints = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pinned = dict(line.lower().replace("_", "-").split("==") for line in constraints if line[:1] != "#")
    assert {name: pinned[name] for name in locked} == locked
    options = configparser.ConfigParser()
    options.read(REPOSITORY / "setup.cfg")
    lists = [
        options["options"]["install_requires"],
        *(options["options.extras_require"][e] for e in ("dev", "export")),
    ]
    wanted = [re.match(r"[\w-]+", line) for text in lists for line in text.splitlines()]
    assert {found[0].lower().replace("_", "-") for found in wanted if found} <= locked.keys()
    assert "://" not in text
