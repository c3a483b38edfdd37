"""The page of an evaluation: whole, self-contained, right about which image is which, and readable."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from selfsup_depth.cli import main
from selfsup_depth.evaluation.depth_errors import errors_of_image
from selfsup_depth.evaluation.error_by_distance import NUM_STEPS, ErrorByDistance
from selfsup_depth.evaluation.exhibits import Exhibit, Exhibits, ImageContext
from selfsup_depth.evaluation.protocols import PROTOCOLS
from selfsup_depth.training.exhibit_pictures import TOO_FAR, TOO_NEAR, colours_of_error, drawn, pictures_of

METRIC = PROTOCOLS["metric"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "img", "circle", "line", "rect", "polyline"}

# A browser's window has a least width; a frame inside it has not.
FRAME = """<title>nothing measured</title>
<script>addEventListener("message", event => { document.title = event.data; });</script>
<iframe src="page.html" style="border: 0; width: WIDTHpx; height: 3000px" scrolling="no"></iframe>"""
MEASURE = """<script>addEventListener("load", () => {
const wide = [...document.querySelectorAll("body *")].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1);
parent.postMessage(JSON.stringify({width: innerWidth, scroll: document.documentElement.scrollWidth,
  wide: wide.map(e => e.outerHTML.slice(0, 80)), bars: document.querySelectorAll("rect").length,
  pictures: [...document.images].filter(i => i.complete && i.naturalWidth).length}), "*"); });</script>"""


class Page(HTMLParser):
    """Refuses tags that do not match; collects what matters."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.headings, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "iframe")
        self.sources += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


def exhibit(name, factor, size=(30, 80), context=None):
    """An image at 10 m that is predicted `factor` times as far."""
    measured = torch.full(size, 10.0)
    inverse_depth = torch.full(size, 1 / (10 * factor))
    return Exhibit(
        name, errors_of_image(inverse_depth, measured, METRIC), inverse_depth, size, context or ImageContext()
    )


@pytest.fixture
def written(tmp_path):
    """The page and the result of seven images; image k is k * 10 % too far, one name is hostile."""
    for folder in ("measured", "predicted"):
        (tmp_path / folder).mkdir()
    depth = np.linspace(4, 60, 60 * 200, dtype=np.float32).reshape(60, 200)
    for k in range(1, 8):
        name = f"image{k}" if k != 7 else "<b>&image7"
        np.save(tmp_path / "measured" / f"{name}.npy", depth)
        np.save(tmp_path / "predicted" / f"{name}.npy", depth * (1 + k / 10))
    folders = ["--predictions", str(tmp_path / "predicted"), "--measured", str(tmp_path / "measured")]
    files = ["--json", str(tmp_path / "out.json"), "--html", str(tmp_path / "pages" / "out.html")]
    assert main(["evaluate", "depth", *folders, "--protocol", "metric", *files]) == 0
    text = (tmp_path / "pages" / "out.html").read_text(encoding="utf-8")
    return text, json.loads((tmp_path / "out.json").read_text())


def test_the_page_needs_nothing_else_and_says_what_the_result_says(written):
    text, result = written
    page = Page(text)
    assert len(page.sources) == 6 * 3  # three worst and three best, three pictures each: no input image
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"url\(|@import|https?:", text)
    shown = [heading for heading in page.headings if "image" in heading and " " not in heading]
    assert shown == ["<b>&image7", "image6", "image5", "image1", "image2", "image3"]
    words = " ".join(page.words)
    assert result["protocol"]["hash"] in words
    assert f"{result['metrics']['abs_rel']:.4f}" in words
    assert f"{result['baseline']['rmse']:.4f}" in words
    assert "no scale alignment" in words


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_scrolling_sideways(width, written, tmp_path):
    (tmp_path / "page.html").write_text(written[0].replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    flags += ["--window-size=1400,3000", "--virtual-time-budget=5000", "--dump-dom"]
    command = [CHROMIUM, *flags, f"file://{tmp_path / 'frame.html'}"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    seen = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", shown, re.DOTALL)[1]))
    assert seen["width"] == width
    assert seen["width"] == width
    assert seen["scroll"] <= width
    assert seen["wide"] == []
    assert seen["pictures"] == 18
    assert seen["bars"] > NUM_STEPS


def test_the_best_and_the_worst_are_kept_whatever_the_order():
    factors = np.random.default_rng(0).permutation(np.linspace(1.01, 3, 23))
    kept = Exhibits(4)
    for index, factor in enumerate(factors):
        kept.add(exhibit(str(index), float(factor)))
    expected = [str(index) for index in np.argsort(factors)]
    assert [shown.name for shown in kept.best] == expected[:4]
    assert [shown.name for shown in kept.worst] == expected[::-1][:4]
    few = Exhibits(4)
    for index in range(3):
        few.add(exhibit(str(index), 1.1 + index))
    assert sorted(shown.name for shown in [*few.best, *few.worst]) == ["0", "1", "2"]


def test_the_profile_is_the_mean_over_images_of_each_step():
    profile = ErrorByDistance(METRIC, across_processes=False)
    for factor, metres in ((1.1, (2.0, 7.0, 7.0)), (1.3, (7.0, 100.0))):
        measured = torch.tensor([metres])
        profile.update(errors_of_image(1 / (factor * measured), measured, METRIC))
    edges, abs_rel, pixels = profile.compute()
    assert (edges[0], edges[1], edges[-1], len(edges)) == (0, 5, 80, NUM_STEPS + 1)
    assert pixels[:3] == [1, 3, 0]
    assert sum(pixels) == 4  # 100 m lies beyond the largest depth
    assert abs_rel[0] == pytest.approx(0.1)
    assert abs_rel[1] == pytest.approx((0.1 + 0.3) / 2)
    assert abs_rel[2] is None


def test_colours_say_on_which_side_the_error_is():
    colours = colours_of_error(torch.tensor([-2.0, 0.0, 1.0]))
    assert tuple(colours[:, 0].tolist()) == TOO_NEAR
    assert tuple(colours[:, 2].tolist()) == TOO_FAR
    assert colours[:, 1].min() == colours[:, 1].max() > 200


def test_points_are_drawn_where_they_are_and_the_nearest_on_top():
    measured = torch.zeros(40, 1280)
    measured[10, 200], measured[10, 201], measured[30, 1000] = 20.0, 5.0, 20.0  # the first two meet
    errors = errors_of_image(torch.full((4, 8), 0.1), measured, METRIC)
    shown = Exhibit("", errors, torch.full((4, 8), 0.1), (40, 1280), ImageContext())
    colours = torch.tensor([[255.0, 0, 0], [0, 255.0, 0], [0, 0, 255.0]])
    picture = drawn(shown, colours, torch.zeros(3, 20, 640))
    assert picture[:, 5, 100].tolist() == [0, 1, 0]
    assert picture[:, 15, 500].tolist() == [0, 0, 1]
    assert int((picture.sum(0) > 0).sum()) == 2 * 9


@pytest.mark.parametrize("width", [100, 200, 384, 640])
def test_a_small_map_that_is_measured_everywhere_has_no_gaps(width):
    measured = torch.full((40, width), 20.0)
    errors = errors_of_image(torch.full((4, 8), 0.1), measured, METRIC)
    shown = Exhibit("", errors, torch.full((4, 8), 0.1), (40, width), ImageContext())
    height = round(640 * 40 / width)
    picture = drawn(shown, torch.full((3, 40 * width), 255.0), torch.zeros(3, height, 640))
    assert picture.min() == 1


def test_the_input_is_shown_where_there_is_one():
    context = ImageContext([torch.rand(3, 15, 40)])
    assert len(pictures_of(exhibit("a", 1.2, context=context))) == 4
    assert len(pictures_of(exhibit("a", 1.2))) == 3
