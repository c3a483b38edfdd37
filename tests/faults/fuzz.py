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
from dataclasses import dataclass
from pathlib import Path

from faults.mutation import mutated
from faults.parser import Parser
from faults.parsers import PARSERS

from selfsup_depth.errors import CheckpointError, ConfigError, DataError

LONGEST_SECONDS = 1.0
SHOWN_FAILURES = 5


@dataclass
class Tally:
    """What became of the inputs of one reader, and the longest time that one took to compute."""

    accepted: int = 0
    refused: int = 0
    failed: int = 0
    slow: int = 0
    longest: float = 0.0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused + self.failed

    def row(self, name: str) -> str:
        """A line of the table."""
        cells = f"{self.inputs:>9,} {self.accepted:>9,} {self.refused:>9,} {self.failed:>6} {self.slow:>5}"
        return f"{name:<24} {cells} {1000 * self.longest:>9.1f} ms"


def main() -> int:
    """Print what became of the inputs of each reader; 1 if one failed."""
    options = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    options.add_argument("-n", type=int, default=100_000, help="inputs for each reader of text")
    options.add_argument("--only", nargs="*", default=list(PARSERS), choices=PARSERS, metavar="READER")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    tallies: dict[str, Tally] = {}
    headings = f"{'inputs':>9} {'accepted':>9} {'refused':>9} {'failed':>6} {'> 1 s':>5}"
    print(f"{'reader':<24} {headings} {'longest':>12}")
    for name in given.only:
        tallies[name] = fuzz(PARSERS[name], max(1, round(given.n * PARSERS[name].share)), given.seed)
        print(tallies[name].row(name), flush=True)
    text = sum(tally.inputs for name, tally in tallies.items() if PARSERS[name].is_text)
    print(f"{text:,} inputs for readers of text; ", end="")
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return int(any(tally.failed or tally.slow for tally in tallies.values()))


def fuzz(parser: Parser, num_inputs: int, seed: int) -> Tally:
    """Read damaged inputs, each a function of the seed and its number."""
    tally = Tally()
    whole = parser.seed()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        path = Path(folder + ("" if parser.suffix.startswith("/") else "/input") + parser.suffix)
        for number in range(num_inputs):
            data = mutated(whole, random.Random(seed * 10**9 + number))
            path.write_bytes(data)
            began = time.process_time()
            found = outcome(parser, path, data, tally.failed < SHOWN_FAILURES)
            seconds = time.process_time() - began
            setattr(tally, found, getattr(tally, found) + 1)
            tally.slow += seconds > LONGEST_SECONDS
            tally.longest = max(tally.longest, seconds)
    return tally


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
