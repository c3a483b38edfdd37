"""Speeds from GPX tracks."""

from __future__ import annotations

from pathlib import Path

import data_trees as trees
import numpy as np
import pytest

from selfsup_depth.data.frame_folder import FrameFolder
from selfsup_depth.data.gpx import read_gpx, read_speeds
from selfsup_depth.errors import DataError

METRES_PER_DEGREE = np.pi / 180 * 6_371_008.8


def track(pieces: list[list[tuple[float, float, float]]], zone: str = "Z", version: str = "1/1") -> str:
    """Fixes (seconds after ten o'clock, metres north, metres east at 60 degrees north)."""
    lines = [f'<?xml version="1.0"?>\n<gpx xmlns="http://www.topografix.com/GPX/{version}"><trk>']
    for piece in pieces:
        lines.append("<trkseg>")
        for seconds, north, east in piece:
            latitude = 60 + north / METRES_PER_DEGREE
            longitude = 10 + east / (METRES_PER_DEGREE * np.cos(np.radians(60)))
            time = f"2024-05-01T10:{int(seconds) // 60:02d}:{seconds % 60:06.3f}{zone}"
            place = f'lat="{latitude:.10f}" lon="{longitude:.10f}"'
            lines.append(f"<trkpt {place}><ele>3</ele><time>{time}</time></trkpt>")
        lines.append("</trkseg>")
    return "\n".join([*lines, "</trk></gpx>"])


def written(tmp_path: Path, text: str) -> Path:
    trees.write(tmp_path / "speed.gpx", text)
    return tmp_path / "speed.gpx"


@pytest.mark.parametrize("zone", ["Z", "+02:00", ""])
def test_the_way_is_as_long_as_the_track(tmp_path, zone):
    """North at 10 m/s, then east at 20."""
    fixes = [(0, 0, 0), (1, 10, 0), (2, 20, 0), (3, 20, 20), (4, 20, 40)]
    log = read_gpx(written(tmp_path, track([fixes], zone)))
    assert log.travelled(0, 1) == pytest.approx(10, rel=1e-4)
    assert log.travelled(0.2, 0.4) == pytest.approx(2, rel=1e-4)
    assert log.travelled(0, 4) == pytest.approx(60, rel=1e-3)
    assert log.travelled(3.5, 4) == pytest.approx(10, rel=1e-3)
    assert np.isnan(log.travelled(3.5, 4.5))


def test_between_two_pieces_the_speed_is_unknown(tmp_path):
    pieces = [[(0, 0, 0), (1, 10, 0)], [(2, 50, 0), (3, 60, 0)]]
    log = read_gpx(written(tmp_path, track(pieces)))
    assert log.travelled(0, 0.5) == pytest.approx(5, rel=1e-4)
    assert np.isnan(log.travelled(1, 2))
    assert log.travelled(2.5, 3) == pytest.approx(5, rel=1e-4)


def test_frames_know_how_far_they_are_apart(tmp_path):
    written(tmp_path, track([[(0, 0, 0), (1, 10, 0), (2, 20, 0)]], version="1/0"))
    for number in range(5):
        trees.save(trees.picture(number), tmp_path / f"{number}.png")
    (recording,) = FrameFolder(frames_per_second=4).recordings(tmp_path)
    assert recording.travelled("l", 1, 2) == pytest.approx(2.5, rel=1e-4)
    trees.write(tmp_path / "speed.csv", "0,1\n2,1\n")
    with pytest.raises(DataError, match=r"speed\.csv and speed\.gpx both"):
        FrameFolder(frames_per_second=4).recordings(tmp_path)


def test_without_a_file_no_speed_is_known(tmp_path):
    assert not len(read_speeds(tmp_path / "speed.csv").seconds)


GOOD = track([[(0, 0, 0), (1, 10, 0)]])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no track", "not a GPX track"),
        (GOOD[:-9], "not a GPX track"),
        (track([[(0, 0, 0)]]), "1 fixes"),
        (GOOD.replace("lat=", "latitude="), "expected 2 numbers"),
        (GOOD.replace('lat="60.0000000000"', 'lat="95"'), "no place on earth"),
        (GOOD.replace("2024-05-01T10:00:01.000Z", "now"), "is no time"),
        (track([[(1, 0, 0), (0, 10, 0)]]), "fix 2 is not later"),
        (track([[(0, 0, 0), (1, 500_000, 0)]]), "the speed of no vehicle"),
        (GOOD.replace("<gpx", '<!DOCTYPE gpx [<!ENTITY a "b">]><gpx', 1), "defines entities"),
    ],
)
def test_what_is_no_track_is_refused_in_a_line(tmp_path, text, told):
    with pytest.raises(DataError) as refusal:
        read_gpx(written(tmp_path, text))
    assert told in str(refusal.value)
    assert "speed.gpx" in str(refusal.value)
    assert "\n" not in str(refusal.value)
