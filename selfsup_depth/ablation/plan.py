"""Which runs an ablation consists of, and the file that says so."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfsup_depth.ablation.variants import BASELINE, Variant, refuse_equal, refuse_same_names
from selfsup_depth.errors import ConfigError
from selfsup_depth.training.configuration import class_paths
from selfsup_depth.training.constructors import find_class, is_from_outside
from selfsup_depth.training.run_directory import LOCK
from selfsup_depth.training.storage import write_text

PLAN = "plan.json"
RUNS = "runs"

Config = dict[str, Any]


class PlannedRun(NamedTuple):
    """One run.

    variant: name of the variant.
    seed: of everything random in it.
    folder: where it lies, inside the ablation's folder: readable, and the configuration's hash.
    config: resolved.
    """

    variant: str
    seed: int
    folder: str
    config: Config


class Plan(NamedTuple):
    """An ablation.

    variants: the baseline first.
    seeds: each variant is trained once with each.
    runs: seed by seed, so that the first results compare all variants.
    command: as it was typed.
    """

    variants: list[Variant]
    seeds: list[int]
    runs: list[PlannedRun]
    command: list[str]


def make_plan(
    resolved: Callable[[Variant], Config],
    variants: Sequence[Variant],
    seeds: Sequence[int],
    output: Path,
    command: Sequence[str] = (),
) -> Plan:
    """Plan an ablation; nothing is written.

    Args:
        resolved: the configuration of a variant.
        variants: besides the baseline.
        seeds: of every variant.
        output: the ablation's folder: runs that lie there keep their names.
        command: as it was typed.

    Raises:
        ConfigError: a variant's configuration is refused, changes nothing, or equals another's.
    """
    baseline = Variant(BASELINE, [])
    refuse_same_names([baseline, *variants])
    base = resolved(baseline)
    configs = [resolved(variant) for variant in variants]
    refuse_equal(variants, configs)
    kept = [(baseline, base)]
    for variant, config in zip(variants, configs, strict=True):
        if config != base:
            kept.append((variant, config))
        elif not variant.from_grid:
            raise ConfigError(f"{variant.name!r} changes nothing of the baseline; leave it out")
    if len(kept) < 2:
        raise ConfigError("nothing is varied: every point of --grid is the baseline; give other values")
    earlier = {folder.name[-8:]: folder.name for folder in (output / RUNS).glob("*-????????")}
    runs = []
    for seed in seeds:
        for variant, config in kept:
            seeded = {**config, "seed": seed}
            digest = hash_of(seeded)
            name = earlier.get(digest, f"{slug(variant.name)}-seed{seed}-{digest}")
            runs.append(PlannedRun(variant.name, seed, f"{RUNS}/{name}", seeded))
    return Plan([variant for variant, _ in kept], list(seeds), runs, list(command))


def shape_of(plan: Plan) -> str:
    """How many variants and seeds, in words."""
    counts = {"variant": len(plan.variants), "seed": len(plan.seeds)}
    return " x ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items())


def hash_of(config: Config) -> str:
    """Eight hexadecimal digits that differ where an option of two runs does, or the file of a class.

    A class that is not the package's is edited and tried again: what it was is not what it is.
    """
    own = {name for _, name in class_paths(config) if is_from_outside(name)}
    sources = [Path(inspect.getfile(find_class(name, object))).read_bytes() for name in sorted(own)]
    said = json.dumps(config, sort_keys=True).encode()
    return hashlib.sha256(b"".join([said, *sources])).hexdigest()[:8]


def slug(name: str) -> str:
    """A variant's name as part of a folder's."""
    return re.sub(r"[^A-Za-z0-9._=]+", "-", name).strip("-.")[:60]


def write_plan(plan: Plan, output: Path) -> None:
    """Make the ablation's folder and write the plan there."""
    (output / RUNS).mkdir(parents=True, exist_ok=True)
    content = {
        "command": plan.command,
        "seeds": plan.seeds,
        "variants": [variant._asdict() for variant in plan.variants],
        "runs": [run._asdict() for run in plan.runs],
    }
    write_text(output / PLAN, json.dumps(content, indent=1) + "\n")


def read_plan(output: Path) -> Plan:
    """The plan of an ablation's folder.

    Raises:
        ConfigError: there is none.
    """
    file = output / PLAN
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        variants = [
            Variant(
                given["name"],
                [(key, value) for key, value in given["flags"]],
                tuple(given["files"]),
                given["from_grid"],
            )
            for given in content["variants"]
        ]
        runs = [PlannedRun(**given) for given in content["runs"]]
        return Plan(variants, list(content["seeds"]), runs, list(content["command"]))
    except FileNotFoundError:
        raise ConfigError(f"no ablation, in {output}; give the folder of one, with {PLAN}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"the plan cannot be read, in {file}; repeat the command of the ablation"
        ) from error


def refuse_occupied(output: Path) -> None:
    """Refuse a folder that holds something other than an ablation.

    Raises:
        ConfigError: it does.
    """
    if output.is_dir() and ((output / PLAN).is_file() or {file.name for file in output.iterdir()} <= {LOCK}):
        return
    if output.exists():
        raise ConfigError(f"something other than an ablation exists, in {output}; choose another --output")
