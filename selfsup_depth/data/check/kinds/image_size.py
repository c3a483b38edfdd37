"""What becomes of the images when they are resized for training."""

from __future__ import annotations

from collections.abc import Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding

# Drawn out by half, things look unlike themselves.
MAX_SQUEEZE = 1.5
# Networks halve their images five times.
_MULTIPLE = 32


def findings(evidence: Evidence) -> Iterator[Finding]:
    """The sizes and shapes of the images against those of training."""
    height, width = evidence.size
    sizes = sorted({camera.size for _, _, camera in evidence.cameras()})
    stored = ", ".join(f"{size[1]}x{size[0]}" for size in sizes)
    squeezed = [size for size in sizes if not 1 / MAX_SQUEEZE <= _squeeze(size, evidence.size) <= MAX_SQUEEZE]
    small = [size for size in sizes if size[0] < height and size[1] < width]
    for size in squeezed[:1]:
        times = _squeeze(size, evidence.size)
        what = (
            f"{size[1]}x{size[0]} images are drawn out {max(times, 1 / times):.1f} times for {width}x{height}"
        )
        better = max(1, round(width * size[0] / size[1] / _MULTIPLE)) * _MULTIPLE
        fix = _no_larger(size) if size in small else f"give --data.height {better}"
        yield Finding("warning", what, "--data.height and --data.width", fix)
    for size in small[:1]:
        what = f"{size[1]}x{size[0]} images are enlarged to {width}x{height}, which shows nothing new"
        yield Finding("warning", what, "--data.height and --data.width", _no_larger(size))
    if not squeezed and not small:
        yield Finding("fact", f"images of {stored} are trained on as {width}x{height}")


def _squeeze(size: tuple[int, int], to: tuple[int, int]) -> float:
    """How much wider than high an image becomes, against before."""
    return (to[1] / to[0]) / (size[1] / size[0])


def _no_larger(size: tuple[int, int]) -> str:
    return f"give --data.height {_below(size[0])} --data.width {_below(size[1])}"


def _below(side: int) -> int:
    return max(1, side // _MULTIPLE) * _MULTIPLE
