"""Where results are kept: one pair of files a day and machine, into which a part can be merged."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.reach import every_contender, growth_table, rows, table

RESULTS = Path(__file__).parent / "results"
QUICK = "tiny sizes, to see that everything runs: the numbers say nothing"


def processor() -> str:
    """What the processor is called, without the clutter of trade."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    name = re.sub(r"\((R|TM)\)|\b(CPU|Processor|\d+-Core)\b|@.*", " ", name, flags=re.IGNORECASE)
    return " ".join(name.split())


def machine() -> str:
    """Processor and cores, as a part of a file's name."""
    words = re.findall(r"[a-z0-9.]+", processor().lower())
    return "-".join([*words, str(os.cpu_count()), "cores"])


def result_file(folder: Path, quick: bool) -> Path:
    """Of today and this machine, without suffix."""
    return folder / "-".join([datetime.date.today().isoformat(), machine(), *["quick"] * quick])


def keep(stem: Path, found: dict[str, Any], quick: bool) -> str:
    """Merge what was measured into the day's files; returns the text of the Markdown one.

    Args:
        stem: the files without suffix.
        found: "parts" by name, and "growth"; what is not measured this time stays.
        quick: measured with tiny sizes.
    """
    file = Path(f"{stem}.json")
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    parts = earlier.get("parts", {}) | found.get("parts", {})
    about = {
        "machine": {"processor": processor(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "torch": version("torch")},
        "rows": rows(parts),
        "parts": parts,
        "growth": found.get("growth", earlier.get("growth", [])),
    }
    text = markdown(about, stem.name, quick)
    stem.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    Path(f"{stem}.md").write_text(text, encoding="utf-8")
    return text


def markdown(about: dict[str, Any], name: str, quick: bool) -> str:
    """What a reader wants to see of it."""
    where = f"{about['machine']['processor']}, {about['machine']['cores']} cores"
    versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
    head = [f"# {name}", *[QUICK] * quick, f"{where}; {versions}; `make benchmark`."]
    head.append(
        "Each number is the median of the repetitions, with the lowest and the highest; a repetition is "
        "the median over rounds in which the contenders take turns. Processor time of one thread."
    )
    tables = [table(about["rows"]), every_contender(about["parts"])]
    if about["growth"]:
        tables.append(growth_table(about["growth"]) + f"\n![growth of the objective]({name}.png)\n")
    return "\n\n".join([*head, *tables])
