"""What an ablation consists of: names to flags, one hash for one run, refusals that leave nothing."""

from __future__ import annotations

import copy
import logging
import math
import re
import statistics
import sys

import pytest
import torch

from selfsup_depth.ablation.comparison import Difference, compare, difference_of, spread_of
from selfsup_depth.ablation.named_variants import named_lines
from selfsup_depth.ablation.outcomes import Outcome, Result, State, curves_of
from selfsup_depth.ablation.page import kind_of, page
from selfsup_depth.ablation.page_numbers import all_numbers, breakable
from selfsup_depth.ablation.page_parts import picture_rows
from selfsup_depth.ablation.plan import Plan, PlannedRun, hash_of, make_plan, read_plan, write_plan
from selfsup_depth.ablation.slurm import slurm_script
from selfsup_depth.ablation.strips import Strip, _inverse_depth, _save, is_nearly_constant, strips_of
from selfsup_depth.ablation.tables import markdown, plain_table
from selfsup_depth.ablation.targets import Targets
from selfsup_depth.ablation.variants import BASELINE, Variant, added, dropped, grid, split_values
from selfsup_depth.ablation.wording import difference_texts
from selfsup_depth.ablation.workers import environment_of
from selfsup_depth.cli import main
from selfsup_depth.commands.ablate_arguments import parse_ablate_arguments
from selfsup_depth.commands.train import parse_train_arguments
from selfsup_depth.data.datamodule import DepthDataModule
from selfsup_depth.errors import ConfigError
from selfsup_depth.training.charts import ticks
from selfsup_depth.training.checkpoint import load_checkpoint

DEMO = ["--config", "conf/demo.yaml"]


@pytest.fixture(scope="module")
def demo():
    return parse_train_arguments(DEMO).config


def plan_of(tmp_path, *arguments):
    return parse_ablate_arguments([*DEMO, f"--output={tmp_path / 'out'}", *arguments]).plan


def flags_of(plan):
    return {variant.name: variant.flags for variant in plan.variants}


def test_dropping_all_leaves_one_term_out_at_a_time(tmp_path, demo):
    plan = plan_of(tmp_path, "--drop", "all", "--seeds", "3,1")
    terms = demo["model"]["init_args"]["losses"]
    assert flags_of(plan) == {BASELINE: []} | {
        f"no {name}": [(f"model.losses.{name}.weight", "0")] for name in terms
    }
    assert [(run.variant, run.seed) for run in plan.runs] == [
        (name, seed) for seed in (3, 1) for name in flags_of(plan)
    ]
    for run in plan.runs:
        assert run.config["seed"] == run.seed
        weights = {n: t["init_args"]["weight"] for n, t in run.config["model"]["init_args"]["losses"].items()}
        assert [name for name, weight in weights.items() if not weight] == [
            name for name in terms if run.variant == f"no {name}"
        ]


def test_a_boolean_option_is_found_by_its_name_and_two_things_are_dropped_at_once(demo):
    targets = Targets(demo)
    assert dropped(["auto_mask"], targets)[0].flags == [("model.losses.photometric.auto_mask", "false")]
    assert dropped(["photometric.auto_mask"], targets)[0].flags == dropped(["auto_mask"], targets)[0].flags
    both = dropped(["smoothness+stereo"], targets)[0]
    assert both.flags == [("model.losses.smoothness.weight", "0"), ("data.stereo", "false")]
    assert added(["flip"], targets)[0].flags == [("data.flip", "true")]


def test_a_term_is_dropped_by_its_key_or_by_its_class(demo):
    """Two of one class are told apart by their keys alone."""
    renamed = copy.deepcopy(demo)
    terms = renamed["model"]["init_args"]["losses"]
    terms["pace"] = terms.pop("velocity")
    assert dropped(["velocity"], Targets(renamed))[0].flags == [("model.losses.pace.weight", "0")]
    terms["gait"] = copy.deepcopy(terms["pace"])
    with pytest.raises(ConfigError, match="no loss term or boolean option is named velocity"):
        dropped(["velocity"], Targets(renamed))


def test_a_term_is_added_with_its_defaults_or_given_its_weight_back(demo):
    without = copy.deepcopy(demo)
    del without["model"]["init_args"]["losses"]["velocity"]
    assert added(["velocity"], Targets(without))[0].flags == [("model.losses.velocity", "Velocity")]
    assert added(["Velocity"], Targets(without))[0].flags == [("model.losses.velocity", "Velocity")]
    without = copy.deepcopy(demo)
    without["model"]["init_args"]["losses"]["velocity"]["init_args"]["weight"] = 0.0
    assert added(["velocity"], Targets(without))[0].flags == [("model.losses.velocity.weight", "0.05")]


def test_a_grid_is_a_product_and_one_of_its_points_may_be_the_baseline(tmp_path):
    assert [v.name for v in grid(["a.b.c=0,1", "d.e=[1,2],[]"])] == [
        "b.c=0, d.e=[1,2]",
        "b.c=0, d.e=[]",
        "b.c=1, d.e=[1,2]",
        "b.c=1, d.e=[]",
    ]
    plan = plan_of(tmp_path, "--grid", "model.losses.smoothness.weight=0,1e-3,1e-2", "--seeds=0")
    assert list(flags_of(plan)) == [BASELINE, "smoothness.weight=0", "smoothness.weight=1e-2"]


def test_values_are_split_outside_of_brackets():
    assert split_values("[-1,1],[],{a: 1, b: 2}") == ["[-1,1]", "[]", "{a: 1, b: 2}"]


def test_named_lines_are_taken_from_a_file_by_name(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("# a comment\n\nfirst: --a.b 1 # why\nsecond:  --a.b='x y'\n")
    assert named_lines(str(file)) == {"first": ["--a.b", "1"], "second": ["--a.b=x y"]}
    assert named_lines(f"{file}:second") == {"second": ["--a.b=x y"]}
    assert named_lines("l1_only") == {"l1_only": ["--model.losses.photometric.ssim_weight=0"]}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--drop smothness", "did you mean smoothness?"),
        ("--drop automask", "did you mean auto_mask?"),
        ("--drop ssim_weight", "--grid model.losses.photometric.ssim_weight"),
        ("--drop norm", "neither a loss term nor true or false"),
        ("--drop left_right_consistency", "no loss term or boolean option is named left_right_consistency"),
        ("--drop two_view_motion", "data.two_view_motion is false already"),
        ("--drop smoothness,smoothness", "asked for twice"),
        ("--drop smoothness+smoothness", "twice"),
        ("--drop smoothness --grid model.losses.smoothness.weight=0", "are the same run"),
        ("--drop smoothness --model.losses.smoothness.weight=0", "has no weight already"),
        ("--drop ,", "an empty name"),
        ("--add velocity", "model.losses.velocity is there already"),
        ("--add stereo", "data.stereo is true already"),
        ("--add velicity", "did you mean velocity?"),
        ("--grid model.losses.smothness.weight=0,1", "did you mean smoothness?"),
        ("--grid model.losses.smoothness.weight=light", "expected float"),
        ("--grid model.losses.smoothness.weight", "write --grid SECTION.OPTION=V1,V2"),
        ("--grid model.losses.smoothness.weight=0,", "write --grid SECTION.OPTION=V1,V2"),
        ("--grid data.height=32,32", "32 is given twice"),
        ("--grid data.height=32 --grid data.height=64", "data.height is given twice"),
        ("--variants l2", "no variant is named l2"),
        ("--variants no/such/file.txt", "no/such/file.txt"),
        ("--drop all --seeds 0,x", "are no seeds"),
        ("--drop all --seeds 0,0", "are no seeds"),
        ("--drop all --jobs 0", "--jobs"),
        ("--drop all --model.losses.velocity=null --model.losses.smoothness.weight=0", "velocity"),
        ("--drop al", "no loss term or boolean option is named al"),
        ("--dorp all", "did you mean --drop?"),
        ("", "nothing is varied"),
        ("--grid model.losses.smoothness.weight=0.001", "nothing is varied"),
        ("--drop all --seeds=", "are no seeds"),
    ],
)
def test_a_slip_is_refused_in_one_line_and_leaves_nothing(tmp_path, capfd, arguments, expected):
    out = tmp_path / "out"
    assert main(["ablate", *DEMO, f"--output={out}", *arguments.split()]) == 2
    streams = capfd.readouterr()
    assert re.fullmatch(r"error: [^\n]+\n", streams.err), streams.err
    assert expected in streams.err
    assert not out.exists()


def test_an_ambiguous_name_is_refused_with_its_candidates(demo):
    two = copy.deepcopy(demo)
    two["model"]["init_args"]["pose_net"]["init_args"]["coordinates"] = True
    with pytest.raises(ConfigError, match=r"model.depth_net.coordinates or model.pose_net.coordinates"):
        dropped(["coordinates"], Targets(two))
    assert dropped(["depth_net.coordinates"], Targets(two))[0].flags == [
        ("model.depth_net.coordinates", "false")
    ]


def test_the_only_term_is_not_dropped(demo):
    alone = copy.deepcopy(demo)
    for name in ("smoothness", "velocity"):
        alone["model"]["init_args"]["losses"][name]["init_args"]["weight"] = 0.0
    with pytest.raises(ConfigError, match="the only loss term is photometric"):
        dropped(["all"], Targets(alone))


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path, capfd):
    (tmp_path / "thesis.txt").write_text("ten years")
    assert main(["ablate", *DEMO, "--drop=all", f"--output={tmp_path}"]) == 2
    assert "something other than an ablation" in capfd.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
    assert main(["ablate", f"--output={tmp_path}", "--report-only"]) == 2
    assert main(["ablate", f"--output={tmp_path}", "--report-only", "--drop=all"]) == 2


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["ablate", *DEMO, "--drop=smoothness", "--seeds=0,1", f"--output={out}", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "no smoothness: --model.losses.smoothness.weight=0" in printed
    assert "2 variants x 2 seeds = 4 runs" in printed
    assert not out.exists()


def test_the_hash_is_the_configurations_and_a_folder_keeps_its_name(tmp_path):
    configs = {BASELINE: {"a": 1, "b": [2.0]}, "other": {"b": [2.5], "a": 1}}
    plan = make_plan(lambda variant: configs[variant.name], [Variant("other", [("b", "x")])], [0], tmp_path)
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1}) != hash_of({"a": 1, "b": 3})
    folders = [run.folder for run in plan.runs]
    assert len(set(folders)) == 2
    assert folders[1].startswith("runs/other-seed0-")
    (tmp_path / folders[1]).mkdir(parents=True)
    again = make_plan(
        lambda variant: configs["other" if variant.flags else BASELINE],
        [Variant("renamed", [("b", "x")])],
        [0],
        tmp_path,
    )
    assert again.runs[1].folder == folders[1]
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path) == plan


def test_a_job_array_has_a_task_for_each_run(tmp_path):
    plan = Plan([Variant(BASELINE, [])], [0, 1], [PlannedRun(BASELINE, s, f"r{s}", {}) for s in (0, 1)], [])
    out = tmp_path / "my out %j"
    script = slurm_script(plan, out, ["python", "-m", "selfsup_depth"])
    assert "#SBATCH --array=0-1\n" in script
    assert f"ablate --output '{out}' --task \"$SLURM_ARRAY_TASK_ID\"" in script
    # The scheduler reads its comments word by word, and % as the beginning of a field.
    assert "#SBATCH --job-name=my-out-j\n" in script
    assert f'#SBATCH --output="{tmp_path}/my out %%j/logs/slurm-%a.out"\n' in script
    assert "#SBATCH --array=0-1%3\n" in slurm_script(plan, out, ["python"], jobs=3)


def test_a_file_of_ones_own_is_part_of_what_a_run_is(tmp_path, monkeypatch):
    """Edited between two commands, it makes other runs: old and new are not seeds of one variant."""
    monkeypatch.chdir(tmp_path)
    term = "from selfsup_depth.losses.base import LossTerm\n\nclass {}(LossTerm):\n    scale = {}\n"
    (tmp_path / "edited.py").write_text(term.format("Mine", 1) + "    def forward(self, b, e): return 0\n")
    sys.modules.pop("edited", None)
    asked = "--add", "edited.Mine", "--seeds=0"
    before = [run.folder for run in plan_of(tmp_path, *asked).runs]
    assert [run.folder for run in plan_of(tmp_path, *asked).runs] == before
    (tmp_path / "edited.py").write_text((tmp_path / "edited.py").read_text().replace("1", "2"))
    after = [run.folder for run in plan_of(tmp_path, *asked).runs]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_variant_is_not_named_as_what_it_is_compared_with(tmp_path):
    (tmp_path / "mine.txt").write_text("baseline: --model.losses.smoothness.weight=0\n")
    with pytest.raises(ConfigError, match="'baseline' is what variants are compared with"):
        plan_of(tmp_path, "--variants", str(tmp_path / "mine.txt"))


def test_flags_that_are_not_of_a_variant_are_refused_by_its_name(tmp_path):
    (tmp_path / "mine.txt").write_text("more: --seeds 3\n")
    with pytest.raises(ConfigError, match=r"--seeds, of more, in --variants .*mine\.txt; only --config"):
        plan_of(tmp_path, "--variants", str(tmp_path / "mine.txt"))


def test_a_term_without_a_weight_cannot_be_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weightless.py").write_text(
        "from selfsup_depth.losses.base import LossTerm\n\n"
        "class Mine(LossTerm):\n    def __init__(self, strength: float = 0.3):\n"
        "        super().__init__(1.0)\n\n"
        "    def forward(self, b, e): return 0\n"
    )
    for asked in ("all", "mine"):
        with pytest.raises(ConfigError, match=r"weightless\.Mine takes no weight, in --drop"):
            plan_of(tmp_path, "--model.losses.mine=weightless.Mine", "--drop", asked)


@pytest.mark.parametrize("option", ["--seeds=0", "--jobs=2", "--keep=3", "--config=conf/demo.yaml"])
def test_a_report_takes_everything_from_the_plan(tmp_path, capfd, option):
    assert main(["ablate", f"--output={tmp_path}", "--report-only", option]) == 2
    assert f"{option.partition('=')[0]} does not go with --report-only" in capfd.readouterr().err


def test_short_options_of_a_run_are_those_of_train(tmp_path):
    plan = plan_of(tmp_path, "--drop=smoothness", "--seeds=0", "--save-every=7", "--on-bad-data=skip")
    assert {run.config["save_every"] for run in plan.runs} == {7}
    assert {run.config["data"]["on_bad_data"] for run in plan.runs} == {"skip"}


def test_runs_side_by_side_take_one_gpu_each(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert [environment_of(slot, 3)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["4", "5", "4"]
    assert environment_of(0, 1)["CUDA_VISIBLE_DEVICES"] == "4,5"


def test_rounding_is_drawn_at_zero_however_small_the_others_differences_are():
    columns = {BASELINE: [0.2, 0.4], "same": [0.2 - 1e-6, 0.4 - 1e-6], "other": [0.2 + 4e-6, 0.4 + 6e-6]}
    text = page(*compared(columns), {}, "x")
    assert re.findall(r'<circle class="seed" cx="([^"]+)"', text) == ["50%", "50%", "81.33%", "97.00%"]


def test_a_spread_is_of_the_sample():
    values = [0.2, 0.25, 0.31]
    assert spread_of(values)[:2] == pytest.approx((statistics.fmean(values), statistics.stdev(values)))
    assert math.isnan(spread_of([0.2]).std)


def test_an_interval_needs_three_seeds_is_deterministic_and_is_wide_of_three():
    assert difference_of({0: 0.1, 1: 0.2}, 1.0).interval == ()
    assert not difference_of({0: 0.1, 1: 0.2}, 1.0).excludes_zero
    three = difference_of({2: 1.3, 0: 1.1, 1: 1.2}, 1.0)
    assert list(three.by_seed) == [0, 1, 2]
    # Of three numbers, all three equal to the least are drawn once in 27 times: more than 2.5 %. So the
    # percentiles are least and greatest; Student's t of two degrees of freedom is 4.3027, the normal 1.95996.
    reach = 0.1 * 4.302653 / 1.959964 * math.sqrt(3 / 2)
    assert three.interval == pytest.approx((1.2 - reach, 1.2 + reach))
    assert three == difference_of({0: 1.1, 1: 1.2, 2: 1.3}, 1.0)
    assert three.excludes_zero
    assert not difference_of({0: 0.1, 1: 0.2, 2: 0.3}, 1.0).excludes_zero


def test_the_interval_of_many_seeds_is_that_of_their_mean():
    values = {seed: 0.01 * ((seed * 7919) % 101) for seed in range(60)}
    found = difference_of(values, 1.0)
    error = statistics.stdev(values.values()) / math.sqrt(len(values))
    assert found.interval == pytest.approx((found.mean - 2.0 * error, found.mean + 2.0 * error), rel=0.05)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_rounding_is_no_difference_and_neither_better_nor_worse(seeds):
    base = [0.2, 0.4, 0.6][:seeds]
    nearly = [b - 1.5e-6 - 1e-9 * seed for seed, b in enumerate(base)]
    plan, comparison = compared({BASELINE: base, "same": nearly})
    row = comparison.rows[1]
    assert row.verdict == "no difference"
    assert kind_of(row, "abs_rel") == "open"
    assert "1 variant against it: 1 no difference." in page(plan, comparison, {}, "x")
    assert "| ≈ 0 | – | no difference |" in markdown(plan, comparison, [])
    assert plain_table(comparison).endswith("≈ 0         –              no difference")


def test_one_seed_beyond_rounding_is_a_difference():
    nearly = [0.2, 0.2, 0.2 - 3e-6]
    assert compared({BASELINE: [0.2] * 3, "x": nearly})[1].rows[1].verdict == "not told apart"
    always = [0.2 - 3e-6, 0.2 - 3e-6, 0.2 - 3.0001e-6]
    assert compared({BASELINE: [0.2] * 3, "x": always})[1].rows[1].verdict == "better"


@pytest.mark.parametrize(
    ("mean", "interval", "texts"),
    [
        (0.01234, (0.0023, 0.0224), ("+0.0123", "+0.0023 to +0.0224")),
        (7e-5, (2e-5, 12e-5), ("+0.00007", "+0.00002 to +0.00012")),
        (1e-7, (-0.01, 0.01), ("+0.0000", "-0.0100 to +0.0100")),
        (-0.01, (-0.01 - 1e-17, -0.01), ("-0.0100", "-0.0100 to -0.0100")),
        (-3e-6, (), ("-0.000003", "needs 3 seeds")),
        (0.0, (), ("+0.0000", "needs 3 seeds")),
        (math.inf, (), ("+inf", "needs 3 seeds")),
        (math.nan, (math.nan, math.nan), ("+nan", "+nan to +nan")),
    ],
)
def test_mean_and_ends_have_the_same_decimals_and_enough_of_them(mean, interval, texts):
    assert difference_texts(Difference({0: mean}, mean, interval)) == texts


def outcome(variant, seed, abs_rel, *, state=State.FINISHED, protocol="p", error=""):
    metrics = {} if abs_rel is None else {"abs_rel": abs_rel, "a1": 1 - abs_rel}
    result = Result(metrics, {"abs_rel": 0.5}, f"protocol {protocol}", protocol, 4)
    return Outcome(PlannedRun(variant, seed, f"runs/{variant}-{seed}", {}), state, result, error, {})


def compared(values, **changes):
    """An ablation with these abs_rel: {variant: [of each seed, None of a failed one]}."""
    variants = [Variant(name, [] if name == BASELINE else [("x.y", name)]) for name in values]
    outcomes = [
        outcome(name, seed, value, state=State.FAILED if value is None else State.FINISHED, error="<boom>")
        for name, column in values.items()
        for seed, value in enumerate(column)
    ]
    outcomes = [o._replace(**changes.get(o.run.variant, {})) for o in outcomes]
    plan = Plan(variants, [0, 1, 2], [o.run for o in outcomes], ["selfsup-depth ablate"])
    return plan, compare(plan, outcomes)


def test_differences_are_paired_by_seed():
    """Seeds differ by far more than variants do; in pairs the difference is plain all the same."""
    base = [0.2, 0.4, 0.6]
    columns = {BASELINE: base, "worse": [b + d for b, d in zip(base, (0.01, 0.02, 0.015), strict=True)]}
    columns["better"] = [b - 0.01 for b in base]
    columns["same"] = [b + d for b, d in zip(base, (0.01, -0.01, 0.0), strict=True)]
    rows = {row.variant.name: row for row in compared(columns)[1].rows}
    assert {name: row.verdict for name, row in rows.items() if name != BASELINE} == {
        "worse": "worse",
        "better": "better",
        "same": "not told apart",
    }
    assert rows["worse"].differences["abs_rel"].mean == pytest.approx(0.015)
    assert rows["worse"].differences["a1"].mean == pytest.approx(-0.015)
    assert not rows[BASELINE].differences


def test_two_seeds_are_told_to_be_too_few_and_a_failed_seed_has_no_pair():
    rows = compared({BASELINE: [0.2, 0.3, 0.4], "x": [0.3, None, 0.5], "y": [None, None, None]})[1].rows
    assert rows[1].verdict == "worse so far: no interval from 2 seeds"
    assert list(rows[1].differences["abs_rel"].by_seed) == [0, 2]
    assert rows[2].verdict == "failed"


def test_one_seed_cannot_tell():
    rows = compared({BASELINE: [0.2, None, 0.4], "x": [0.3, 0.1, None]})[1].rows
    assert rows[1].verdict == "one seed cannot tell"
    assert rows[1].differences["abs_rel"].mean == pytest.approx(0.1)


def test_numbers_of_two_protocols_are_not_compared():
    other = Result({"abs_rel": 0.1}, {}, "protocol q", "q", 4)
    rows = compared({BASELINE: [0.2] * 3, "x": [0.3] * 3}, x={"result": other})[1].rows
    assert not rows[1].differences
    assert rows[1].verdict == "measured otherwise: not comparable"


def test_names_break_at_dots_and_equals_signs_but_numbers_do_not():
    assert breakable("a.ssim_weight=0.85") == "a.<wbr>ssim_weight=<wbr>0.85"
    assert breakable("x<y=1e-1") == "x&lt;y=<wbr>1e-1"


@pytest.mark.parametrize("num_variants", [1, 2, 9])
def test_the_table_of_all_numbers_is_longer_than_wide_and_whole(num_variants):
    columns = {BASELINE: [0.2] * 3} | {f"v{index}": [0.3] * 3 for index in range(1, num_variants)}
    text = all_numbers(compared(columns)[1])
    heads = [re.findall("<th>(.*?)</th>", head) for head in re.findall("<thead>(.*?)</thead>", text)]
    assert text.count("<td>") == 2 * num_variants
    assert [name for head in heads for name in head if name] == (
        [BASELINE] if num_variants == 1 else ["abs_rel", "a1"]
    )


def test_no_table_has_more_columns_than_fit():
    columns = {f"v{index}" if index else BASELINE: [0.2] * 3 for index in range(9)}
    comparison = compared(columns)[1]._replace(metrics=[f"m{index}" for index in range(12)])
    heads = re.findall("<thead>(.*?)</thead>", all_numbers(comparison))
    assert [head.count("<th>v") + head.count(f"<th>{BASELINE}") for head in heads] == [6, 3]


def test_a_bright_picture_of_one_colour_is_called_nearly_constant(tmp_path):
    inverse_depth = torch.rand(1, 1, 24, 40)
    for name, values in {"flat": 0.95 + 0.05 * inverse_depth, "deep": inverse_depth}.items():
        _save(_inverse_depth(values, values), tmp_path / f"{name}.png")
    assert is_nearly_constant(tmp_path / "flat.png")
    assert not is_nearly_constant(tmp_path / "deep.png")
    row = compared({BASELINE: [0.2]})[1]
    strip = Strip([], [], [tmp_path / "flat.png", tmp_path / "deep.png"], [])
    assert picture_rows(row, {BASELINE: strip}).count("<span>nearly constant</span>") == 1


def test_the_page_says_everything_and_escapes_it():
    plan, comparison = compared({BASELINE: [0.2, 0.21, 0.22], "<i>": [0.3, 0.32, None]})
    text = page(plan, comparison, {}, "a & b")
    assert "a &amp; b" in text
    assert "<i>" not in text
    assert text.count("&lt;boom&gt;") == 1
    assert "protocol p" in text
    assert text.count("worse so far: no interval from 2 seeds") == 1


def test_curves_of_a_resumed_run_are_joined_and_the_later_part_counts(tmp_path):
    (tmp_path / "metrics_part_1.csv").write_text("step,loss,epoch\n0,1.0,0\n1,2.0,0\n")
    (tmp_path / "metrics.csv").write_text("step,loss,val\n1,3.0,\n2,4.0,\n2,,nan\n2,,0.5\n")
    assert curves_of(tmp_path) == {"loss": [(0, 1.0), (1, 3.0), (2, 4.0)], "val": [(2, 0.5)]}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.5, 1]), (0.13, 0.29, [0.15, 0.2, 0.25]), (0, 400, [0, 100, 200, 300, 400]), (3, 3, [3])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high, 3) == pytest.approx(expected)


def test_what_data_and_weights_say_is_heard_again_after_the_pictures(tmp_path, caplog, monkeypatch):
    names = (DepthDataModule.__module__, load_checkpoint.__module__)
    caplog.set_level("INFO")

    def say(text):
        for name in names:
            logging.getLogger(name).info("%s %s", name, text)

    monkeypatch.setattr("selfsup_depth.ablation.strips._strip", lambda *_: say("meanwhile"))
    strips_of([outcome(BASELINE, 0, 0.2)], tmp_path)
    say("afterwards")
    assert caplog.messages == [f"{name} afterwards" for name in names]
