"""Whether every image can be read, and is as large as its camera's others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from selfsup_depth.data.check.evidence import Evidence
from selfsup_depth.data.check.finding import Finding, refusal
from selfsup_depth.data.grey_images import Bar, in_parallel
from selfsup_depth.data.photograph import Photograph
from selfsup_depth.data.screening import MAX_BAD_SHARE
from selfsup_depth.errors import DataError

# Of larger data sets every header is looked at, and so many images spread evenly are decoded.
MAX_DECODED = 2000
_MOST_TOLD = 5


def findings(evidence: Evidence) -> Iterator[Finding]:
    """The files that cannot be used."""
    photographs = evidence.photographs
    # The frames of a video are one file, which was decoded when it was indexed.
    files_of = Counter(image.path for image in photographs)
    single = [image for image in photographs if files_of[image.path] == 1]
    decoded = set(single[:: -(-len(single) // MAX_DECODED) or 1])

    def bad(image: Photograph) -> DataError | None:
        size = photographs[image]
        try:
            image.check(size)
            if image in decoded:
                image.pixels(size)
        except DataError as error:
            return error
        return None

    bar = Bar("reading images", evidence.progress)
    errors = zip(photographs, in_parallel(bad, list(photographs), bar), strict=True)
    refused = {image: error for image, error in errors if error}
    refusals = list(refused.values())
    if not refusals:
        yield Finding("fact", f"{len(photographs)} images can be read")
    few = _num_without(evidence, refused) <= MAX_BAD_SHARE * len(evidence.examples)
    tolerated = few and evidence.skips_bad_data
    for error in refusals[:_MOST_TOLD]:
        found = refusal(error)
        fix = f"{found.fix}, or leave it out: --data.on_bad_data=skip" if few else found.fix
        yield found._replace(severity="warning") if tolerated else found._replace(fix=fix)
    if len(refusals) > _MOST_TOLD:
        what = f"{len(refusals) - _MOST_TOLD} more of {len(photographs)} images are as bad"
        yield Finding("warning" if tolerated else "error", what, str(evidence.root), "restore the data")


def _num_without(evidence: Evidence, bad: Container[Photograph]) -> int:
    """Examples that need an image that is bad."""
    return sum(
        any(e.recording.cameras[side].frames[index].image in bad for side, index in evidence.needs.places(e))
        for e in evidence.examples
    )
