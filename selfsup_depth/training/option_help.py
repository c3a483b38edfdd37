"""Help text made from constructors and their docstrings."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from docstring_parser import parse_from_object

from selfsup_depth.errors import ConfigError
from selfsup_depth.suggestions import did_you_mean
from selfsup_depth.training.configuration import Section, Sections
from selfsup_depth.training.constructors import (
    Option,
    component_class,
    component_inside,
    known_classes,
    options_of,
    type_name,
)

_PACKAGE = "selfsup_depth."


def all_sections_help(sections: Sections) -> str:
    """Every section of ours in full; another library's by the names of its options."""
    return "\n\n".join(
        _section_help(name, section) for name, section in sections.items() if not section.single
    )


def topic_help(topic: str, sections: Sections) -> str:
    """What is said about one section or one class.

    Raises:
        ConfigError: there is no such section or class.
    """
    if topic in sections and not sections[topic].single:
        section = sections[topic]
        return class_help(section.default or section.base, f"--{topic}.", section.skip)
    classes = {cls.__name__: cls for cls in _all_classes(sections)}
    if topic in classes:
        return class_help(classes[topic], ".")
    raise ConfigError(f"nothing is known about {topic}; {did_you_mean(topic, [*classes, *sections])}")


def class_help(cls: type, prefix: str, skip: frozenset[str] = frozenset()) -> str:
    """A class's docstring and the options of its constructor.

    Args:
        cls: the class.
        prefix: stands before every option's name.
        skip: options to leave out.
    """
    said = said_of_options(cls)
    options = {name: option for name, option in options_of(cls).items() if name not in skip}
    blocks = [_option_help(f"{prefix}{name}", option, said.get(name, "")) for name, option in options.items()]
    summary = parse_from_object(cls).short_description or ""
    return "\n".join([f"{cls.__name__}: {summary}", *blocks])


def said_of_options(cls: type) -> dict[str, str]:
    """What the docstring says about each option; other libraries have it at the constructor."""
    described = parse_from_object(cls).params
    if not described and inspect.isfunction(cls.__init__):  # type: ignore[misc]
        described = parse_from_object(cls.__init__).params  # type: ignore[misc]
    return {parameter.arg_name: parameter.description or "" for parameter in described}


def default_text(value: Any) -> str:
    """A default as it is written in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(list(value) if isinstance(value, tuple) else value)


def _section_help(name: str, section: Section) -> str:
    cls = section.default or section.base
    if cls.__module__.startswith(_PACKAGE):
        return f"{name}: {class_help(cls, f'--{name}.', section.skip)}"
    names = ", ".join(option for option in options_of(cls) if option not in section.skip)
    origin = f"{cls.__module__.split('.')[0]}'s {cls.__name__}"
    heading = f"{name}: arguments of {origin}, as --{name}.OPTION (--help {name} explains them)"
    return "\n".join([heading, _wrapped(names, 2)])


def _option_help(name: str, option: Option, said: str) -> str:
    shown = type_name(option.hint)
    if not option.required:
        shown += f" = {default_text(option.default)}"
    base = component_class(option.hint) or component_inside(option.hint)
    if base is not None and base.__module__.startswith(_PACKAGE):
        kinds = ", ".join(cls.__name__ for cls in known_classes(base))
        said = f"{said.rstrip('.')}. One of: {kinds} (--help NAME lists the options of one)."
    return f"  {name}  {shown}\n{_wrapped(said, 6)}"


def _all_classes(sections: Sections) -> Iterator[type]:
    """Every class that some option can name."""
    seen: set[type] = set()
    waiting = [section.base for section in sections.values() if not section.single]
    while waiting:
        base = waiting.pop()
        kinds = known_classes(base) if base.__module__.startswith(_PACKAGE) else []
        for cls in {base, *kinds} - seen:
            seen.add(cls)
            yield cls
            if cls.__module__.startswith(_PACKAGE):
                hints = [option.hint for option in options_of(cls).values()]
                waiting += [
                    inner for hint in hints if (inner := component_class(hint) or component_inside(hint))
                ]


def _wrapped(text: str, indent: int) -> str:
    width = min(110, shutil.get_terminal_size((100, 24)).columns)
    margin = " " * indent
    return textwrap.fill(" ".join(text.split()), width, initial_indent=margin, subsequent_indent=margin)
