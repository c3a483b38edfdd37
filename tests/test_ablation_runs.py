"""Whole ablations, tiny: what they leave, what they never do twice, and what does not end them."""

from __future__ import annotations

import base64
import csv
import html.parser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from data_trees import DRIVE

from selfsup_depth.ablation import worker
from selfsup_depth.ablation.named_variants import read_lines
from selfsup_depth.cli import main
from selfsup_depth.resources import find_resource
from selfsup_depth.training.run_directory import RunDirectory

TERMS = '''
import os
import signal
import time

from selfsup_depth.losses.base import LossTerm


class Slow(LossTerm):
    """Zero, and slowly where the environment asks for it."""

    def forward(self, batch, estimates):
        time.sleep(float(os.environ.get("SECONDS_A_STEP", "0")))
        return estimates[0].inverse_depth.mean() * 0


class Crash(LossTerm):
    """Ends the process as a faulty library does."""

    def forward(self, batch, estimates):
        os.kill(os.getpid(), signal.SIGSEGV)


class NotFinite(LossTerm):
    """NaN from the start."""

    def forward(self, batch, estimates):
        return estimates[0].inverse_depth.mean() * float("nan")
'''


def options(tiny, drive, out, *further):
    files = ["--config=method/monodepth2_stereo.yaml", "--config=data/kitti_raw.yaml", f"--config={tiny}"]
    return ["ablate", *files, f"--data.root={drive}", f"--output={out}", *further]


@pytest.fixture(scope="module")
def ablated(tiny, drive, tmp_path_factory):
    """Two variants, three seeds, two steps."""
    out = tmp_path_factory.mktemp("ablations") / "tiny"
    further = ["--drop=smoothness", "--seeds=0,1,2", "--trainer.max_steps=2", "--jobs=2"]
    assert main(options(tiny, drive, out, *further)) == 0
    return out


@pytest.fixture
def copied(ablated, tmp_path):
    return Path(shutil.copytree(ablated, tmp_path / "copy"))


@pytest.fixture
def own_terms(tmp_path, monkeypatch):
    (tmp_path / "faulty.py").write_text(TERMS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)


def evaluations(out):
    """When each finished run was finished."""
    return {file.parent.name: file.stat().st_mtime_ns for file in out.glob("runs/*/evaluation.json")}


def rows_of(out):
    with (out / "runs.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_run_is_a_run_of_train_and_stands_in_the_table(ablated):
    rows = rows_of(ablated)
    assert [(row["variant"], row["seed"]) for row in rows] == [
        (name, str(seed)) for seed in (0, 1, 2) for name in ("baseline", "no smoothness")
    ]
    for row in rows:
        folder = ablated / row["folder"]
        assert row["state"] == "finished"
        result = json.loads((folder / "evaluation.json").read_text())
        assert float(row["abs_rel"]) == result["metrics"]["abs_rel"]
        assert row["protocol"] == result["protocol"]["hash"]
        assert (folder / "checkpoints" / "last.ckpt").is_file()
        assert "abs_rel" in (ablated / "logs" / f"{folder.name}.log").read_text()
    dropped = rows[1]
    assert dropped["flags"] == "--model.losses.smoothness.weight=0"
    assert "loss/smoothness" not in (ablated / dropped["folder"] / "metrics.csv").read_text()


def test_two_ablations_do_not_share_a_folder(copied, tiny, drive, capfd):
    """The second would report runs that the first trains, under its own plan."""
    before = (copied / "plan.json").read_text()
    holder = RunDirectory(copied)
    holder.hold()
    try:
        assert main(options(tiny, drive, copied, "--drop=smoothness", "--seeds=4")) == 7
    finally:
        holder.release()
    assert capfd.readouterr().err.splitlines()[-1].endswith("wait for it or choose another --output")
    assert (copied / "plan.json").read_text() == before


@pytest.mark.parametrize("further", [["--dry-run"], ["--launcher=slurm"], []])
def test_what_the_options_tell_is_refused_before_any_data_is_read(tiny, tmp_path, capfd, further):
    given = options(tiny, tmp_path / "nowhere", tmp_path / "out", "--add=explainability", "--seeds=0")
    assert main([*given, *further]) == 2
    told = capfd.readouterr().err
    assert told.count("error:") == 1
    assert "model.losses.explainability needs masks" in told
    assert not (tmp_path / "out").exists()


def test_one_of_its_runs_is_the_one_that_train_does(ablated, tmp_path):
    config = ablated / rows_of(ablated)[3]["folder"] / "config.yaml"
    assert main(["train", f"--config={config}", f"--run={tmp_path / 'run'}"]) == 0
    alone = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert alone == json.loads((config.parent / "evaluation.json").read_text())


class Resources(html.parser.HTMLParser):
    """What a page loads, and its pictures."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attributes):
        self.loaded += [value for name, value in attributes if name in ("src", "href", "srcset", "data")]


def test_the_page_needs_nothing_else_and_shows_each_variants_depth(ablated):
    text = (ablated / "report.html").read_text()
    page = Resources()
    page.feed(text)
    # Four images: as seen and as measured, and for each variant its depth and its error.
    assert len(page.loaded) == 4 * (2 + 2 * 2)
    for source in page.loaded:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert not re.search(r"url\(|@import|<script|<link", text)
    assert "protocol metric" in text
    assert text.count("<polyline") >= 4


def test_the_text_has_mean_deviation_interval_and_flags(ablated):
    text = (ablated / "report.md").read_text()
    values = [float(row["abs_rel"]) for row in rows_of(ablated) if row["variant"] == "baseline"]
    assert f"{sum(values) / 3:.4f} ± " in text
    assert "`--model.losses.smoothness.weight=0`" in text
    assert re.search(r"\| [+-]\S+ to [+-]\S+ \|", text)


def test_tensorboard_has_the_same_numbers(ablated):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for row in rows_of(ablated):
        events = EventAccumulator(str(ablated / "hparams" / Path(row["folder"]).name)).Reload()
        assert events.Scalars("ablation/abs_rel")[0].value == pytest.approx(float(row["abs_rel"]))
        assert "_hparams_/session_start_info" in events.summary_metadata


def test_the_report_alone_is_the_same_again_and_trains_nothing(copied):
    before, text = evaluations(copied), (copied / "report.html").read_text()
    shutil.rmtree(copied / "strips")
    assert main(["ablate", f"--output={copied}", "--report-only"]) == 0
    assert evaluations(copied) == before
    # The copy has another name, which stands in the title and as a heading.
    assert (copied / "report.html").read_text().replace("copy", "tiny") == text


MEASURE = """<script>
const small = [...document.querySelectorAll("body *")].filter(e => {
  const box = e.getBoundingClientRect(), own = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
  const matrix = e.getScreenCTM ? e.getScreenCTM().a : 1;
  return own && e.tagName != "SCRIPT" && e.tagName != "TITLE" && e.tagName != "title"
    && parseFloat(getComputedStyle(e).fontSize) * matrix < 10; });
const wide = [...document.querySelectorAll("body *")].filter(e =>
  !e.closest(".wide") && e.getBoundingClientRect().right > innerWidth + 1);
parent.postMessage(JSON.stringify({width: innerWidth, scroll: document.documentElement.scrollWidth,
  small: small.map(e => e.outerHTML.slice(0, 80)), wide: wide.map(e => e.outerHTML.slice(0, 80)),
  pictures: [...document.images].every(i => i.naturalWidth > 0)}), "*");
</script>"""


# A browser's window has a least width; a frame inside it has not.
FRAME = """<title>nothing measured</title>
<script>addEventListener("message", event => { document.title = event.data; });</script>
<iframe src="page.html" style="border: 0; width: WIDTHpx; height: 3000px"></iframe>"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_can_be_read_on_a_desk_and_on_a_phone(ablated, tmp_path, width):
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if browser is None:
        pytest.skip("needs Chromium")
    page = tmp_path / "page.html"
    page.write_text((ablated / "report.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    (tmp_path / "frame.html").write_text(FRAME.replace("WIDTH", str(width)))
    command += ["--window-size=1400,3000", "--virtual-time-budget=5000", "--dump-dom"]
    command.append(f"file://{tmp_path / 'frame.html'}")
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    seen = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", shown, re.DOTALL)[1]))
    assert seen["width"] == width
    assert seen["scroll"] <= width
    assert not seen["wide"]
    assert not seen["small"]
    assert seen["pictures"]


def test_a_repeated_command_trains_nothing_and_a_further_seed_only_itself(copied, tiny, drive, capfd):
    before = evaluations(copied)
    further = ["--drop=smoothness", "--trainer.max_steps=2"]
    assert main(options(tiny, drive, copied, *further, "--seeds=0,1,2")) == 0
    assert "6 runs, 6 finished before" in capfd.readouterr().out
    assert evaluations(copied) == before
    shutil.rmtree(copied / rows_of(copied)[1]["folder"])
    assert main(["ablate", f"--output={copied}", "--task=1"]) == 0
    after = evaluations(copied)
    assert {name for name in after if after[name] != before[name]} == {
        Path(rows_of(copied)[1]["folder"]).name
    }
    assert main(["ablate", f"--output={copied}", "--task=6"]) == 2


def test_runs_that_crash_or_diverge_are_recorded_and_the_others_go_on(
    copied, tiny, drive, own_terms, tmp_path, capfd
):
    lines = ["crash: --model.losses.c=faulty.Crash", "nan: --model.losses.n=faulty.NotFinite"]
    lines += ["l1: --model.losses.photometric.ssim_weight=0"]
    (tmp_path / "mine.txt").write_text("\n".join(lines))
    further = [f"--variants={tmp_path / 'mine.txt'}", "--seeds=0", "--trainer.max_steps=8", "--jobs=2"]
    assert main(options(tiny, drive, copied, *further)) == 8
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: 2 of 4 runs failed")
    rows = {row["variant"]: row for row in rows_of(copied)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "baseline": "finished",
        "crash": "failed",
        "nan": "failed",
        "l1": "finished",
    }
    assert "SIGSEGV" in rows["crash"]["error"]
    assert "not finite" in rows["nan"]["error"]
    assert "Segmentation fault" in (copied / "logs" / f"{Path(rows['crash']['folder']).name}.log").read_text()
    for report in ("report.md", "report.html"):
        text = (copied / report).read_text()
        assert all(row["error"] in text for row in rows.values())
    assert (
        json.loads((copied / "failed" / f"{Path(rows['nan']['folder']).name}.json").read_text())["exit_code"]
        == 5
    )


def test_what_cannot_learn_is_refused_before_anything_is_written(tiny, drive, tmp_path, capfd):
    out = tmp_path / "out"
    arguments = options(tiny, drive, out, "--add=velocity", "--seeds=0")
    assert main(arguments) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: with velocity: ")
    assert "--model.losses.velocity.weight=0" in error
    assert main(options(tiny, tmp_path / "none", out, "--drop=smoothness", "--seeds=0")) == 3
    assert not out.exists()


def slow(tiny, drive, out):
    """Two runs; what is asked to be slow is the second."""
    variants = out.parent / "slow.txt"
    variants.write_text("l1: --model.losses.photometric.ssim_weight=0 --model.losses.slow=faulty.Slow")
    further = [f"--variants={variants}", "--seeds=0", "--trainer.max_steps=10", "--optimizer.milestones=[]"]
    return options(tiny, drive, out, *further)


def wait_until_the_second_run_trains(out):
    until = time.monotonic() + 200
    while not (
        list(out.glob("runs/*/evaluation.json")) and list(out.glob("runs/l1*/pictures/step_000003.png"))
    ):
        assert time.monotonic() < until
        time.sleep(0.02)


def processes_with(variable, value):
    """Processes that were started with this in their environment, and what they forked."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{variable}={value}\0" in (folder / "environ").read_text(errors="replace"):
                found.add(int(folder.name))
    return found


def gone_on_with(out, before):
    """The finished run was left alone, the other one went on from where it was."""
    assert before.items() <= evaluations(out).items()
    assert len(evaluations(out)) == 2
    broken = next(out.glob("runs/l1*"))
    assert (broken / "metrics_part_1.csv").is_file()
    assert not list(next(out.glob("runs/baseline*")).glob("metrics_part_*"))
    return json.loads((broken / "evaluation.json").read_text())["metrics"]


def test_an_ablation_that_is_stopped_or_killed_does_nothing_twice(
    tiny, drive, own_terms, tmp_path, monkeypatch
):
    stopped, killed = tmp_path / "stopped", tmp_path / "killed"
    monkeypatch.setenv("SECONDS_A_STEP", "0.3")

    def stop():
        wait_until_the_second_run_trains(stopped)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    assert main(slow(tiny, drive, stopped)) == 143
    assert not (stopped / "report.html").exists()
    before = evaluations(stopped)
    assert len(before) == 1

    shutil.copytree(stopped, killed)
    shutil.rmtree(next(killed.glob("runs/l1*")))
    kept = evaluations(killed)
    command = [sys.executable, "-m", "selfsup_depth", *slow(tiny, drive, killed)]
    marked = os.environ | {"ABLATION_OF_A_TEST": str(killed)}
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=marked)
    wait_until_the_second_run_trains(killed)
    assert processes_with("ABLATION_OF_A_TEST", killed) > {running.pid}
    running.kill()
    running.wait()

    monkeypatch.setenv("SECONDS_A_STEP", "0")
    assert main(slow(tiny, drive, stopped)) == 0
    assert main(slow(tiny, drive, killed)) == 0
    assert gone_on_with(stopped, before) == gone_on_with(killed, kept)
    until = time.monotonic() + 100
    while left := processes_with("ABLATION_OF_A_TEST", killed):
        assert time.monotonic() < until, left
        time.sleep(0.1)


def test_a_worker_whose_step_hangs_ends_all_the_same(monkeypatch):
    """First told to save and end, and after a while ended."""
    done = []
    monkeypatch.setattr(worker, "parent_process", lambda: SimpleNamespace(sentinel="command"))
    monkeypatch.setattr(worker, "wait", lambda sentinels: done.append(("waited for", *sentinels)))
    system = SimpleNamespace(getpid=os.getpid, kill=lambda pid, number: done.append((pid, number)))
    monkeypatch.setattr(worker, "os", system)
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=lambda seconds: done.append(seconds)))
    monkeypatch.setattr(worker, "end_at_once", lambda message, code: done.append((message, code)))
    worker._end_with_the_command()
    assert done == [("waited for", "command"), (os.getpid(), signal.SIGTERM), worker.PATIENCE, ("", 143)]


def test_every_named_variant_trains_a_step(tiny, drive, tmp_path):
    split = tmp_path / "split"
    split.mkdir()
    for part in ("train", "val"):
        (split / f"{part}.txt").write_text(f"{DRIVE} 0 l\n")
    names = read_lines(find_resource("conf", "ablations.txt"))
    arguments = ["--variants=conf/ablations.txt", "--seeds=0", "--trainer.max_steps=1", "--jobs=2"]
    # A single frame and no second look at the depth: how well these train is no question here.
    arguments += [f"--data.split={split}", "--data.batch_size=1"]
    arguments += ["--trainer.limit_val_batches=0", "--trainer.num_sanity_val_steps=0"]
    assert main(options(tiny, drive, tmp_path / "out", *arguments)) == 0
    rows = rows_of(tmp_path / "out")
    assert [row["variant"] for row in rows] == ["baseline", *names]
    assert {row["state"] for row in rows} == {"finished"}
