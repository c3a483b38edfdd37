"""Configurations: what merges into what, and what is said about a slip."""

from __future__ import annotations

import abc
import re
from math import inf
from pathlib import Path
from typing import Literal

import pytest
import yaml

from selfsup_depth.errors import ConfigError
from selfsup_depth.training.configuration import Section, build, resolve
from selfsup_depth.training.layers import Layers, arguments_beside_class, stack_layers
from selfsup_depth.training.yaml_file import MAX_BYTES, parse_yaml


class Net:
    """A network.

    Args:
        num_layers: depth.
        norm: kind of normalisation.
        weights: file to start from.
    """

    def __init__(
        self, num_layers: int = 18, norm: Literal["batch", "group"] = "batch", weights: Path | None = None
    ) -> None:
        self.num_layers = num_layers
        self.norm = norm
        self.weights = weights


class BigNet(Net):
    def __init__(self, factor: float = 2.0, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.factor = factor


class Term(abc.ABC):
    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    @abc.abstractmethod
    def value(self) -> float: ...


class Bright(Term):
    def __init__(self, weight: float = 1.0, masked: bool = True, margins: tuple[int, int] = (0, 0)) -> None:
        if min(margins) < 0:
            raise ConfigError(f"margins {margins}, in margins; give 0 or more")
        super().__init__(weight)
        self.masked = masked
        self.margins = margins

    def value(self) -> float:
        return 0.0


class Smooth(Term):
    def value(self) -> float:
        return 0.0


class Model:
    def __init__(self, net: Net, losses: dict[str, Term], pose: Net | None = None) -> None:
        self.net, self.losses, self.pose = net, losses, pose


class Data:
    def __init__(self, root: Path, video: list[int] | None = None, split: str | None = None) -> None:
        self.root, self.video, self.split = root, video, split


class Loop:
    def __init__(
        self,
        max_steps: int = -1,
        limit: float | int | None = None,
        kind: Net | str = "auto",
        logger: object = None,
    ) -> None: ...


SECTIONS = {
    "model": Section(Model, default=Model),
    "data": Section(Data),
    "trainer": Section(Loop, skip=frozenset({"logger"}), built=False),
    "seed": Section(int, value=0),
}

RECIPE = """
model:
  losses:
    bright: {class_path: NAME.Bright, init_args: {weight: 0.5, masked: false}}
    smooth:
      class_path: NAME.Smooth
      weight: 1e-3
data:
  root: here
""".replace("NAME", __name__)


@pytest.fixture
def recipe(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE)
    return file


def resolved(*files, flags=()):
    return resolve(stack_layers(files, flags), SECTIONS)


def refusal(*files, flags=()):
    """The message with which a configuration is refused."""
    with pytest.raises(ConfigError) as caught:
        resolved(*files, flags=flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def arguments(config, *path):
    node = config["model"]["init_args"]
    for key in path:
        node = node[key]["init_args"] if "init_args" in node[key] else node[key]
    return node


def test_both_forms_of_a_class_and_its_arguments_mean_the_same(recipe):
    terms = arguments(resolved(recipe), "losses")
    assert terms["bright"]["init_args"] == {"weight": 0.5, "masked": False, "margins": [0, 0]}
    assert terms["smooth"]["init_args"] == {"weight": 0.001}


def test_a_later_file_changes_one_number_and_keeps_the_other_terms(recipe, tmp_path):
    later = tmp_path / "later.yaml"
    later.write_text("model: {losses: {smooth: {weight: 7}}, net: {norm: group}}")
    config = resolved(recipe, later)
    assert arguments(config, "losses", "smooth") == {"weight": 7.0}
    assert arguments(config, "losses", "bright")["weight"] == 0.5
    assert arguments(config, "net")["norm"] == "group"


def test_flags_lie_over_files_with_or_without_init_args(recipe):
    flags = [
        ("model.losses.smooth.weight", "0"),
        ("model.init_args.losses.bright.init_args.masked", "true"),
        ("trainer.max_steps", "300"),
        ("seed", "3"),
    ]
    config = resolved(recipe, flags=flags)
    assert arguments(config, "losses", "smooth") == {"weight": 0.0}
    assert arguments(config, "losses", "bright")["masked"] is True
    assert config["trainer"] == {"max_steps": 300, "limit": None, "kind": "auto"}
    assert config["seed"] == 3


def test_naming_another_class_drops_the_arguments_of_the_first(recipe):
    first = [
        ("model.pose", f"{__name__}.BigNet"),
        ("model.pose.factor", "3"),
        ("model.pose.num_layers", "34"),
    ]
    assert arguments(resolved(recipe, flags=first), "pose") == {
        "factor": 3.0,
        "num_layers": 34,
        "norm": "batch",
        "weights": None,
    }
    then = [*first, ("model.pose.class_path", f"{__name__}.Net")]
    assert arguments(resolved(recipe, flags=then), "pose")["num_layers"] == 18


def test_null_leaves_an_optional_part_out(recipe):
    config = resolved(recipe, flags=[("model.pose", f"{__name__}.Net"), ("model.pose", "null")])
    assert arguments(config)["pose"] is None


def test_a_key_with_a_question_mark_changes_only_what_is_there(recipe, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        "model:\n  pose?: {num_layers: 50}\n  net?: {norm: group}\n  losses:\n    smooth?: {weight: 2}\n"
    )
    config = resolved(recipe, overlay)
    assert arguments(config)["pose"] is None
    assert arguments(config, "net")["norm"] == "batch"
    assert arguments(config, "losses", "smooth")["weight"] == 2.0


def test_the_record_of_a_run_gives_the_same_run(recipe, tmp_path):
    config = resolved(recipe, flags=[("model.net.weights", "a/b.pth"), ("data.video", "[-2, 2]")])
    record = tmp_path / "config.yaml"
    record.write_text(yaml.safe_dump(config))
    assert resolved(record) == config
    changed = resolved(record, flags=[("model.losses.smooth.weight", "5")])
    assert arguments(changed, "losses", "smooth") == {"weight": 5.0}


def test_objects_are_built_with_the_types_of_their_constructors(recipe):
    config = resolved(
        recipe, flags=[("model.net.weights", "a/b.pth"), ("model.losses.bright.margins", "[1, 2]")]
    )
    parts = build(config, SECTIONS)
    assert isinstance(parts["model"].losses["smooth"], Smooth)
    assert parts["model"].net.weights == Path("a/b.pth")
    assert parts["model"].losses["bright"].margins == (1, 2)
    assert parts["data"].root == Path("here")
    assert parts["trainer"]["max_steps"] == -1


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("0.5", 0.5), ("null", None)])
def test_one_batch_is_not_the_whole_share(recipe, text, value):
    limit = resolved(recipe, flags=[("trainer.limit", text)])["trainer"]["limit"]
    assert limit == value
    assert type(limit) is type(value)


class Kinds:
    def __init__(
        self, number: int | str = 0, name: str | int = "", sizes: list[int] | None = None
    ) -> None: ...


def test_what_was_read_before_as_another_type_changes_nothing():
    """Equal types, and equal values, are read each in their own way, in any order."""

    def read(**given):
        return resolve(Layers({"kinds": given}, {}), {"kinds": Section(Kinds, built=False)})["kinds"]

    for _ in range(2):
        assert read(number="7")["number"] == 7
        assert read(name="7")["name"] == "7"
        assert type(read(name=7)["name"]) is int
        sizes = read(sizes="[1, 2]")["sizes"]
        assert sizes == [1, 2]
        sizes.append(3)


def test_text_that_looks_like_a_number_stays_text(recipe, tmp_path):
    later = tmp_path / "later.yaml"
    later.write_text("data: {split: 2011_09_26, root: 0013}")
    assert resolved(recipe, later)["data"] == {"root": "0013", "video": None, "split": "2011_09_26"}
    assert resolved(recipe, flags=[("data.split", "12")])["data"]["split"] == "12"


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("model.losses.smoth.weight", "0", "did you mean smooth?"),
        (
            "model.losses.smooth.wieght",
            "0",
            "unknown option model.losses.smooth.wieght .*did you mean weight?",
        ),
        ("modle.net", "x", "unknown section modle.*did you mean model?"),
        ("trainer.max_step", "3", "did you mean max_steps?"),
        ("trainer.logger", "x", "unknown option trainer.logger"),
        ("model.net", "Nett", "no Net is named Nett.*did you mean Net?"),
        ("model.net", "no_such_module.Net", "no_such_module.Net cannot be imported"),
        ("model.net", "json.JSONDecoder", "json.JSONDecoder is not a Net"),
        ("model.losses.smooth.weight", "heavy", "model.losses.smooth.weight is heavy.*expected float"),
        ("model.losses.smooth", "null", "model.losses.smooth is null.*expected Term"),
        ("model.net.norm", "layer", "expected one of batch, group"),
        ("data.video", "3", "expected list.int. or null"),
        ("data.root", "null", "data.root is null.*expected Path"),
        ("seed", "often", "seed is often.*expected int"),
        ("data..root", "x", "not a dotted option"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(recipe, flag, value, expected):
    message = refusal(recipe, flags=[(flag, value)])
    assert re.search(expected.replace("?", r"\?").replace(" .*", ".*"), message), message
    assert "on the command line" in message or ".." in flag


def test_a_component_that_refuses_its_options_is_named(recipe):
    """A constructor does not know where it stands, and two terms may be of one class."""
    one = [("model.losses.bright.margins", "[-1, 0]")]
    with pytest.raises(ConfigError, match=r"give 0 or more \(model\.losses\.bright\)$"):
        build(resolved(recipe, flags=one), SECTIONS)
    two = [*one, ("model.losses.sun.class_path", "Bright")]
    with pytest.raises(ConfigError, match=r" \(model\.losses\.bright or model\.losses\.sun\)$"):
        build(resolved(recipe, flags=two), SECTIONS)


def test_a_slip_in_a_file_is_named_with_its_line(recipe, tmp_path):
    later = tmp_path / "later.yaml"
    later.write_text("data:\n  root: x\nmodel:\n  net:\n    norn: group\n")
    assert refusal(recipe, later) == f"unknown option model.net.norn, in {later}:5; did you mean norm?"
    later.write_text("model:\n  losses:\n    smooth: {weight: heavy}\n")
    assert refusal(recipe, later) == (f"model.losses.smooth.weight is heavy, in {later}:3; expected float")


def test_numbers_of_any_notation_are_numbers():
    assert parse_yaml("[1e-3, 1., -.5, 10, -3, .inf, 1.5E+2]", "text") == [
        1e-3,
        1.0,
        -0.5,
        10,
        -3,
        inf,
        150.0,
    ]


def test_what_must_be_given_is_asked_for(recipe):
    assert "model.losses is not set; give --model.losses" in refusal(flags=[("data.root", "x")])
    recipe.write_text(RECIPE.replace("root: here", "{}"))
    assert "data.root is not set; give --data.root Path" in refusal(recipe)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "a is set twice, in FILE:3"),
        ("model: {x: {y: 1, y: 2}}", "model.x.y is set twice, in FILE:1"),
        ("a: &x 1\nb: *x", "aliases are not allowed, in FILE:2"),
        ("a: !!python/object/apply:os.system [ls]", "FILE:1"),
        ("a: [1", "not valid YAML.*FILE:1"),
        ("- 1", "not a mapping of sections, in FILE:1"),
        ("1: x", "unknown section 1"),
        ("[1]: x", "a key is not a name, in FILE:1"),
        ("[" * 5000, "nested too deeply"),
        ("a: \x01", "not valid YAML"),
        (b"a: \xff", "not UTF-8"),
        ("#" * (MAX_BYTES + 1), "larger than"),
    ],
    ids=range(12),
)
def test_a_file_that_is_not_plain_yaml_is_refused(tmp_path, text, expected):
    file = tmp_path / "bad.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    message = refusal(file)
    assert re.search(expected.replace("FILE", re.escape(str(file))), message), message


def test_an_empty_file_changes_nothing(recipe, tmp_path):
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n")
    assert resolved(recipe, empty) == resolved(recipe)


def foreign_record(**changes):
    config = {"model": {"net": {}, "losses": {}}, **changes}
    return Layers(arguments_beside_class(config), {})


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"class_path": "foreign_code.Model", "losses": {}}},
        {"model": {"net": "foreign_code.Net", "losses": {}}},
        {"model": {"losses": {"x": {"class_path": "foreign_code.Term", "init_args": {}}}}},
        {"trainer": {"kind": "foreign_code.Net"}},
        {"trainer": {"kind": {"class_path": "foreign_code.Net"}}},
    ],
)
def test_a_record_that_is_not_trusted_imports_nothing(tmp_path, monkeypatch, changes):
    monkeypatch.chdir(tmp_path)
    Path("foreign_code.py").write_text("from pathlib import Path; Path('ran').touch()\nclass Net: pass\n")
    with pytest.raises(ConfigError, match="--trust"):
        resolve(foreign_record(data={"root": "x"}, **changes), SECTIONS, trust=False)
    assert not Path("ran").exists()


def test_a_class_beside_the_working_directory_is_found(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own_terms.py").write_text(
        f"from {__name__} import Term\nclass Mine(Term):\n"
        "    def __init__(self, weight: float = 1.0, sharp: bool = False) -> None:\n"
        "        self.sharp = sharp\n"
        "    def value(self) -> float:\n        return 0.0\n"
    )
    flags = [("model.losses.mine", "own_terms.Mine"), ("model.losses.mine.sharp", "true")]
    parts = build(resolved(recipe, flags=flags), SECTIONS)
    assert parts["model"].losses["mine"].sharp is True


def test_a_module_that_fails_to_import_is_named_with_its_reason(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("broken_terms.py").write_text("def (\n")
    message = refusal(recipe, flags=[("model.losses.mine", "broken_terms.Mine")])
    assert "broken_terms.Mine cannot be imported (SyntaxError" in message
