"""Reading configuration files strictly, and remembering where each value stands.

YAML as it comes takes more than is meant: a repeated key silently wins, `no` is false,
2011_09_26 is a number, a few lines of aliases unfold to gigabytes, a tag can name code. Here
only mappings, lists, text, numbers, true, false and null are read; everything else is refused
with its line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from selfsup_depth.errors import ConfigError, first_line

KeyPath = tuple[str, ...]

MAX_BYTES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """YAML 1.2's core types, no aliases."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (declared so by PyYAML)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)


_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
}
for _name, (_pattern, _first) in _SCALARS.items():
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^({_pattern})$"), _first)


def read_yaml(file: Path) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Contents of a YAML file and the place of each value.

    Returns:
        The mapping, and "FILE:LINE" for the path of keys that leads to each value.

    Raises:
        ConfigError: the file cannot be read, or holds more than plain values.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration: {error.strerror}, in {file}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration is not UTF-8 text, in {file}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"the configuration is larger than {MAX_BYTES} bytes, in {file}")
    origins: dict[KeyPath, str] = {}
    value = _parse(text, str(file), origins)
    if value is None:
        return {}, origins
    if not isinstance(value, dict):
        raise ConfigError(f"the configuration is not a mapping of sections, in {file}:1")
    return value, origins


def parse_yaml(text: str, source: str) -> Any:
    """Value of a short YAML text; `source` names it in error messages."""
    return _parse(text, source, {})


def _parse(text: str, source: str, origins: dict[KeyPath, str]) -> Any:
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        return None if node is None else _plain(loader, node, (), source, origins)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"not valid YAML: {error.problem}, in {source}{line}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"not valid YAML: {first_line(error)}, in {source}") from error
    except RecursionError as error:
        raise ConfigError(f"not valid YAML: nested too deeply, in {source}") from error


def _plain(
    loader: _StrictLoader, node: yaml.Node, path: KeyPath, source: str, origins: dict[KeyPath, str]
) -> Any:
    origins.setdefault(path, f"{source}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
        return [
            _plain(loader, item, (*path, str(index)), source, origins)
            for index, item in enumerate(node.value)
        ]
    if not (isinstance(node, yaml.MappingNode) and node.tag.endswith(":map")):
        return loader.construct_object(node, deep=True)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, place = key_node.value, f"{source}:{key_node.start_mark.line + 1}"
        if not (isinstance(key_node, yaml.ScalarNode) and isinstance(key, str)):
            raise ConfigError(f"a key is not a name, in {place}")
        if key in values:
            raise ConfigError(f"{'.'.join((*path, key))} is set twice, in {place}; keep one of them")
        origins[(*path, key)] = place
        values[key] = _plain(loader, value_node, (*path, key), source, origins)
    return values
