"""Damaged input for every reader: `make fuzz N=1000000`.

A reader may refuse with DataError, ConfigError or CheckpointError, in one line, within a second
of computing; what it accepts must be sound. Anything else is counted as a failure, and the
input is kept.
"""

from __future__ import annotations

import argparse
import logging
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from faults.mutation import mutated
from faults.parsers import PARSERS, Parser

from selfsup_depth.errors import CheckpointError, ConfigError, DataError

LONGEST_SECONDS = 1.0
SHOWN_FAILURES = 5


def main() -> int:
    """Print what became of the inputs of each reader; 1 if one failed."""
    options = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    options.add_argument("-n", type=int, default=100_000, help="inputs for each reader of text")
    options.add_argument("--only", nargs="*", default=list(PARSERS), choices=PARSERS, metavar="READER")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    total: Counter[str] = Counter()
    print(f"{'reader':<24} {'inputs':>8} {'accepted':>8} {'refused':>8} {'failed':>6} {'> 1 s':>5}")
    for name in given.only:
        count = fuzz(PARSERS[name], max(1, round(given.n * PARSERS[name].share)), given.seed)
        total += count
        cells = f"{count['accepted']:>8} {count['refused']:>8} {count['failed']:>6} {count['slow']:>5}"
        print(f"{name:<24} {count['inputs']:>8} {cells}", flush=True)
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return int(total["failed"] + total["slow"] > 0)


def fuzz(parser: Parser, num_inputs: int, seed: int) -> Counter[str]:
    """Read damaged inputs, each a function of the seed and its number."""
    count: Counter[str] = Counter()
    whole = parser.seed()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        path = Path(folder + ("" if parser.suffix.startswith("/") else "/input") + parser.suffix)
        for number in range(num_inputs):
            data = mutated(whole, random.Random(seed * 10**9 + number))
            path.write_bytes(data)
            began = time.process_time()
            count[outcome(parser, path, data, count["failed"] < SHOWN_FAILURES)] += 1
            count["slow"] += time.process_time() - began > LONGEST_SECONDS
    count["inputs"] = num_inputs
    return count


def outcome(parser: Parser, path: Path, data: bytes, shown: bool) -> str:
    """Whether an input is accepted, refused, or neither."""
    try:
        parser.read(path)
    except (DataError, ConfigError, CheckpointError) as error:
        if "\n" not in str(error):
            return "refused"
        failure: Exception = error
    except Exception as error:
        failure = error
    else:
        return "accepted"
    if shown:
        print(f"  {type(failure).__name__}: {str(failure)[:200]!r} of {data[:300]!r}", file=sys.stderr)
    return "failed"


if __name__ == "__main__":
    sys.exit(main())
