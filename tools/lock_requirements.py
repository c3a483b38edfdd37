"""Write requirements.lock: the tested versions, each file that they are installed from by its hash.

    python tools/lock_requirements.py

Resolves setup.cfg with its extras under constraints.txt by this interpreter's pip, and installs nothing.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "dev,export"
HEAD = """\
# Made by `make lock`: the tested set and all that it needs, each file by its hash, for
# {system}, {python}, with {torch}. On another system or with
# another build of torch the files differ: make it there.
"""


def main() -> int:
    """Resolve, and write the file."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--report", "-", "-c", str(ROOT / "constraints.txt"), f"{ROOT}[{EXTRAS}]"]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    entries = dict(sorted(entry(item) for item in report["install"] if not is_this_project(item)))
    head = HEAD.format(
        system=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {report['environment']['python_version']}",
        torch=entries["torch"].split()[0],
    )
    (ROOT / "requirements.lock").write_text(head + "\n".join(entries.values()) + "\n", encoding="utf-8")
    print(f"{len(entries)} packages")
    return 0


def is_this_project(item: dict) -> bool:
    """Whether this is the folder itself, which has no hash."""
    return "dir_info" in item["download_info"]


def entry(item: dict) -> tuple[str, str]:
    """Name, and the lines that pin a package; no word about where it came from."""
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return name.lower(), f"{name}=={version} \\\n    --hash=sha256:{digest}"


if __name__ == "__main__":
    sys.exit(main())
