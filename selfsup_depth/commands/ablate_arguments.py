"""What `selfsup-depth ablate` is asked for: from arguments to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfsup_depth.commands.parser import CommandParser, split_dotted
from selfsup_depth.commands.run_options import SHORT, add_run_options, flags_of
from selfsup_depth.errors import ConfigError

PROGRAM = "selfsup-depth ablate"
SEEDS = "0,1,2"
EPILOG = """
Every other option is one of `train`, for all runs: --SECTION.OPTION VALUE.
A name after --drop or --add is a loss term (`selfsup-depth losses`) or an option that is true
or false, wherever it is: smoothness, auto_mask, data.stereo. a+b changes both at once.

The command can be repeated: finished runs are kept, interrupted ones are gone on with, failed
ones are tried again. Exit code 8: some runs failed; the report has their errors.
"""


class AblateArguments(NamedTuple):
    """What to compare, and where.

    plan: a Plan; the type is known where the command runs.
    output: the ablation's folder.
    jobs: runs side by side; None: nothing was said.
    dry_run: print the plan alone.
    slurm: write a job array instead of training.
    """

    plan: Any
    output: Path
    jobs: int | None
    dry_run: bool
    slurm: bool


def parse_ablate_arguments(arguments: Sequence[str]) -> AblateArguments:
    """Read the command's arguments and make the plan; nothing is written.

    Raises:
        ConfigError: one is unknown, contradicts another, or is refused by the configuration.
    """
    from selfsup_depth.ablation.plan import make_plan, refuse_occupied
    from selfsup_depth.ablation.targets import Targets
    from selfsup_depth.ablation.variants import BASELINE, Variant, added, dropped, grid
    from selfsup_depth.training.configuration import resolve
    from selfsup_depth.training.layers import stack_layers
    from selfsup_depth.training.sections import SECTIONS

    rest, flags = split_dotted(arguments)
    given = make_parser().parse_args(rest)
    if not given.config:
        raise ConfigError("no configuration is given; start from --config conf/demo.yaml")

    seeds = seeds_in(SEEDS if given.seeds is None else given.seeds)
    drop, add = names_in(given.drop, "--drop"), names_in(given.add, "--add")
    further = [*grid(given.grid), *[variant for wanted in given.variants for variant in named(wanted)]]
    if not (drop or add or further):
        raise ConfigError("nothing is varied; give --drop all, --add TERM, --grid KEY=V1,V2 or --variants")
    if given.jobs is not None and given.jobs < 1:
        raise ConfigError(f"{given.jobs} runs side by side, in --jobs; give 1 or more")
    flags += flags_of(given)
    refuse_occupied(given.output)

    def resolved(variant: Variant) -> dict[str, Any]:
        layers = stack_layers([*given.config, *variant.files], [*flags, *variant.flags])
        return resolve(layers, SECTIONS)

    targets = Targets(resolved(Variant(BASELINE, [])))
    variants = [*dropped(drop, targets), *added(add, targets), *further]
    command = [PROGRAM, *arguments]
    plan = make_plan(resolved, variants, seeds, given.output, command)
    return AblateArguments(plan, given.output, given.jobs, given.dry_run, given.launcher == "slurm")


def make_parser() -> CommandParser:
    """The options that are the command's own."""
    parser = CommandParser(
        prog=PROGRAM,
        description="Train variants of a configuration, each with several seeds, and compare them.",
        usage=f"{PROGRAM} --config FILE --drop all --seeds 0,1,2 --output DIR [--SECTION.OPTION VALUE ...]",
        epilog=EPILOG,
    )
    add = parser.add_argument
    many: dict[str, Any] = {"action": "append", "default": []}
    add("--config", **many, metavar="FILE", help="the baseline: as of train; repeatable")
    add("--drop", **many, metavar="NAMES", help="leave each of these out: NAME,NAME, or all loss terms")
    add("--add", **many, metavar="NAMES", help="add each of these: NAME,NAME")
    add("--grid", **many, metavar="KEY=V1,V2", help="values of an option; repeated, their product")
    add("--variants", **many, metavar="NAMES|FILE", help="lines of conf/ablations.txt, or of a file like it")
    add("--seeds", metavar="N,N", help=f"every variant is trained with each; default: {SEEDS}")
    add("--output", type=Path, required=True, metavar="DIR", help="folder of the runs and the report")
    add("--jobs", type=int, metavar="N", help="runs side by side, which share the cores out; default: 1")
    add_run_options(parser)
    add("--dry-run", action="store_true", help="print the plan and what of it is done")
    add("--launcher", choices=["local", "slurm"], default="local", help="slurm: write a job array's script")
    add("--report-only", action="store_true", help="write the report of what is there anew")
    add("--task", type=int, metavar="I", help="train one run of the plan: what a job array calls")
    return parser


def refuse_beside(given: Any, flags: Sequence[tuple[str, str]]) -> None:
    """--report-only and --task take everything else from the plan.

    Raises:
        ConfigError: something beside --output is given.
    """
    option = "--report-only" if given.report_only else "--task"
    taken = ("config", "drop", "add", "grid", "variants", "seeds", "jobs", "dry_run", *SHORT)
    beside = [name for name in taken if getattr(given, name, None)]
    if beside or flags:
        name = beside[0].replace("_", "-") if beside else flags[0][0]
        raise ConfigError(f"--{name} does not go with {option}, which reads the plan; leave one of them out")


def names_in(texts: Sequence[str], option: str) -> list[str]:
    """Names between commas, of all times the option was given.

    Raises:
        ConfigError: one is empty.
    """
    names = [name.strip() for text in texts for name in text.split(",")]
    if not all(names):
        raise ConfigError(f"an empty name, in {option} {','.join(texts)}; write {option} NAME,NAME")
    return names


def seeds_in(text: str) -> list[int]:
    """Seeds between commas.

    Raises:
        ConfigError: one is no whole number, negative, or there twice.
    """
    words = text.split(",")
    if not all(word.strip().isdecimal() for word in words) or len(set(map(int, words))) < len(words):
        raise ConfigError(f"{text} are no seeds, in --seeds; write different whole numbers, --seeds 0,1,2")
    return [int(word) for word in words]


def named(wanted: str) -> list[Any]:
    """The variants of a file of named lines.

    Raises:
        ConfigError: there is no such line, or it holds something else than flags.
    """
    from selfsup_depth.ablation.named_variants import named_lines
    from selfsup_depth.ablation.variants import Variant

    parser = CommandParser(prog=PROGRAM, add_help=False)
    parser.add_argument("--config", action="append", default=[])
    variants = []
    for name, words in named_lines(wanted).items():
        try:
            rest, flags = split_dotted(words)
            files = tuple(parser.parse_args(rest).config)
        except ConfigError as error:
            what = str(error).partition("; ")[0]
            fix = "only --config and --SECTION.OPTION go there"
            raise ConfigError(f"{what}, of {name}, in --variants {wanted}; {fix}") from None
        variants.append(Variant(name, flags, files))
    return variants
