"""Several configuration files and flags, laid over one another into one nested dictionary.

Mappings merge, key by key, the later over the earlier, so that a file which changes one
number of a loss term keeps the other terms; lists and single values are replaced. Within a
class's mapping its arguments stand beside `class_path`; the longer form with `init_args`
between them, which a run's own config.yaml has, means the same. Naming another class drops
the arguments that were meant for the first. A key that ends in a question mark counts where it
fits and is ignored elsewhere: with options below it, where an earlier file has that part, so
that an overlay can speak of a pose network without giving one to a method that needs none;
with a value, where the class has that option, so that it can speak of a width to any network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from selfsup_depth.errors import ConfigError
from selfsup_depth.resources import find_resource
from selfsup_depth.training.yaml_file import KeyPath, parse_yaml, read_yaml

CLASS, ARGUMENTS = "class_path", "init_args"

# Options of a section that say one thing in two ways: "300 steps" laid over "20 epochs" means
# 300 steps, not whichever of the two ends first.
ALTERNATIVES = {"trainer": {"max_steps", "max_epochs"}}

# A key with this at its end is ignored where there is no such part or option.
IF_PRESENT = "?"


@dataclasses.dataclass(frozen=True)
class Layers:
    """Merged values, and where each came from.

    values: nested dictionary, arguments beside their `class_path`.
    origins: "in FILE:LINE" or "on the command line" for the path of keys of a value.
    """

    values: dict[str, Any]
    origins: dict[KeyPath, str]

    def place(self, path: KeyPath) -> str:
        """Where a value was set, to be put into a message: ", in FILE:LINE" or nothing."""
        inside = [known for known in self.origins if known[: len(path)] == path]
        around = [path[:end] for end in range(len(path) - 1, 0, -1) if path[:end] in self.origins]
        nearest = [path] if path in self.origins else inside[-1:] or around
        return f", {self.origins[nearest[0]]}" if nearest else ""


def stack_layers(
    files: Iterable[str | Path],
    flags: Iterable[tuple[str, str]] = (),
    base: Mapping[str, Any] | None = None,
) -> Layers:
    """Read configuration files and lay flags over them.

    Args:
        files: paths or names inside conf/, each laid over those before.
        flags: dotted key and text of each --KEY VALUE, laid over the files.
        base: what lies under the files: a recorded configuration.

    Raises:
        ConfigError: a file is missing or not plain YAML.
    """
    values: dict[str, Any] = arguments_beside_class(dict(base or {}))
    origins: dict[KeyPath, str] = {}
    for name in files:
        read, places = read_yaml(find_resource("conf", str(name)))
        values = _laid(values, arguments_beside_class(read))
        origins |= {_without_arguments(path): f"in {place}" for path, place in places.items() if path}
    given: dict[str, Any] = {}
    for dotted, text in flags:
        path = _without_arguments(tuple(dotted.split(".")))
        given = _merged(given, _nested(path, _flag_value(dotted, text)))
        origins.pop(path, None)  # so that the latest is the last
        origins[path] = "on the command line"
    return Layers(_laid(values, given), origins)


def _laid(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """A layer over those before; of two ways to say one thing the upper layer's way stays."""
    for section, names in ALTERNATIVES.items():
        below, above = lower.get(section), upper.get(section)
        if isinstance(below, dict) and isinstance(above, dict) and names & above.keys():
            lower = {**lower, section: {k: v for k, v in below.items() if k not in names}}
    merged = _merged(lower, upper)
    assert isinstance(merged, dict)
    return merged


def _flag_value(dotted: str, text: str) -> Any:
    """Text as it is, for the option's type to read, unless it is a YAML collection or null."""
    if text[:1] in ("{", "["):
        return arguments_beside_class(parse_yaml(text, f"--{dotted}"))
    return None if text in ("null", "~") else text


def _nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    if not all(path):
        raise ConfigError(f"--{'.'.join(path)} is not a dotted option; write --SECTION.OPTION VALUE")
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def _without_arguments(path: KeyPath) -> KeyPath:
    return tuple(str(key).removesuffix(IF_PRESENT) for key in path if key != ARGUMENTS)


def arguments_beside_class(node: Any) -> Any:
    """The short form of a value, at every depth."""
    if isinstance(node, list):
        return [arguments_beside_class(item) for item in node]
    if not isinstance(node, dict):
        return node
    short = {key: arguments_beside_class(value) for key, value in node.items() if key != ARGUMENTS}
    inner = node.get(ARGUMENTS)
    if inner is None:
        return short
    return {**short, **arguments_beside_class(inner)} if isinstance(inner, dict) else node


def _merged(lower: Any, upper: Any) -> Any:
    # The name of a class alone stands for the class with its defaults.
    if isinstance(lower, str) and isinstance(upper, dict) and CLASS not in upper:
        lower = {CLASS: lower}
    if isinstance(lower, dict) and isinstance(upper, str):
        upper = {CLASS: upper}
    if not isinstance(upper, dict):
        return upper
    if not isinstance(lower, dict) or not _same_class(lower.get(CLASS), upper.get(CLASS)):
        lower = {}
    merged = dict(lower)
    for key, value in upper.items():
        name = _settled(key, value, lower)
        if name is not None:
            # An option that is set takes the place of the same one that was marked.
            merged.pop(f"{name}{IF_PRESENT}", None)
            merged[name] = _merged(lower.get(name), value)
    return merged


def _settled(key: str, value: Any, lower: dict[str, Any]) -> str | None:
    """The key under which a value of an upper layer counts, None where it does not.

    "pose_net?" with options counts where a lower layer has a pose_net. Whether a class has an
    option is not known here: a plain value keeps its mark until the class is known.
    """
    name = key.removesuffix(IF_PRESENT)
    if name == key or lower.get(name) is not None:
        return name
    return None if isinstance(value, dict) else key


def _same_class(lower: Any, upper: Any) -> bool:
    """Whether two names can mean one class: no name means the one before, no dots any module's."""
    names = [str(name) for name in (lower, upper) if name is not None]
    if not all("." in name for name in names):
        names = [name.rpartition(".")[2] for name in names]
    return len(set(names)) <= 1
