"""Damaging bytes at random."""

from __future__ import annotations

import random

# What has upset readers of numbers, lists and lines.
TOKENS = [
    b"nan", b"inf", b"-inf", b"1e999", b"1e-320", b"-0", b"7_21", "٣".encode(), b"\0", b"\xef\xbb\xbf",
    b"\xff\xfe", b"..", b"/", b"../../etc", b"::", b"\r", b"\n", b"\t", b"\x0c", b"\x85", "\u2028".encode(),
    "\u00a0".encode(), b"9" * 5000, b"1" * 400 + b"e5", b"!!python/name:os.system", b"&a [*a]", b"{",
    b"[" * 300, b"? ", b"-", b": ", b"|",
    b",", b'"', b"null", b"true", b"{}", b"[]", b"#", b"NaN", b"Infinity", b"1e400",
    b"\x7f\xff\xff\xff", b"\xff" * 8, b"\0" * 8, b"IHDR", b"IDAT", b"eXIf", b"zTXt",
]  # fmt: skip


def mutated(seed: bytes, draw: random.Random) -> bytes:
    """One to four changes: bits, bytes, tokens, cuts, repetitions, exchanges."""
    data = bytearray(seed)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        length = min(len(data) - at, draw.choice((1, 1, 2, 4, 16, 200)))
        kind = draw.randrange(7)
        if kind == 0 and length:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and length:
            data[at : at + length] = draw.randbytes(length)
        elif kind == 2:
            data[at:at] = draw.choice(TOKENS)
        elif kind == 3:
            data[at : at + length] = draw.choice(TOKENS)
        elif kind == 4:
            del data[at : at + length]
        elif kind == 5:
            data[at:at] = data[at : at + length] * draw.choice((1, 2, 50))
        else:
            del data[at:]
    return bytes(data)
