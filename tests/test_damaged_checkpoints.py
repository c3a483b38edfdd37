"""A thousand damaged checkpoints, each refused by the command before anything in it is believed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import data_trees as trees
import pytest

from selfsup_depth.cli import main

NUM_DAMAGED = 1000
BLOCK = 4096


def flip_bits(content: bytearray, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 1, 2, 20))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def cut_end(content: bytearray, draw: random.Random) -> None:
    del content[draw.choice((draw.randrange(len(content)), len(content) - draw.randint(1, 200))) :]


def cut_beginning(content: bytearray, draw: random.Random) -> None:
    del content[: draw.randint(1, len(content))]


def lose_block(content: bytearray, draw: random.Random) -> None:
    """What a disk gives back for a sector that was never written."""
    at = draw.randrange(len(content) - BLOCK)
    content[at : at + BLOCK] = bytes(BLOCK)


def exchange_blocks(content: bytearray, draw: random.Random) -> None:
    first, second = (draw.randrange(len(content) // BLOCK) * BLOCK for _ in range(2))
    content[first : first + BLOCK], content[second : second + BLOCK] = (
        content[second : second + BLOCK],
        content[first : first + BLOCK],
    )


def go_on(content: bytearray, draw: random.Random) -> None:
    """Bytes after the end, as of two downloads into one file."""
    content += draw.randbytes(draw.choice((1, 100, 5000)))


DAMAGES = (
    flip_bits,
    flip_bits,
    flip_bits,
    cut_end,
    cut_end,
    cut_beginning,
    lose_block,
    exchange_blocks,
    go_on,
)


@pytest.mark.slow
def test_a_thousand_damaged_checkpoints_are_refused(train, tmp_path, capfd):
    assert train(tmp_path / "run", "--trainer.max_steps=1", "--trainer.limit_val_batches=0") == 0
    file = tmp_path / "run/checkpoints/last.ckpt"
    whole = file.read_bytes()
    trees.save(trees.picture(0), tmp_path / "image.png")
    options = [f"--checkpoint={file}", f"--input={tmp_path / 'image.png'}", f"--output={tmp_path / 'depth'}"]
    endings: Counter[int] = Counter()
    for number in range(NUM_DAMAGED):
        file.write_bytes(damaged(whole, random.Random(number)))
        capfd.readouterr()
        endings[main(["predict", *options])] += 1
        errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, number
        assert str(file) in errors[0]
    assert endings == {4: NUM_DAMAGED}
    assert not Path(tmp_path / "depth").exists()
    file.write_bytes(whole)
    assert main(["predict", *options]) == 0


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """Other bytes than before, and as much of them as a fault leaves."""
    content = bytearray(whole)
    while content == whole:
        draw.choice(DAMAGES)(content, draw)
    return bytes(content)
