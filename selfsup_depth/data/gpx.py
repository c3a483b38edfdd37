"""Speeds from GPX tracks, as loggers and action cameras write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from selfsup_depth.data.speed_log import MAX_SPEED, NO_SPEED, SpeedLog, read_speed_csv
from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError

EARTH_RADIUS = 6_371_008.8  # metres, the mean


class _Point(NamedTuple):
    """One fix: seconds, degrees, and the number of its piece of the track."""

    seconds: float
    latitude: float
    longitude: float
    piece: int


def read_speeds(csv: Path) -> SpeedLog:
    """Speeds from a speed.csv or from the .gpx of that name; none if neither is there.

    Raises:
        DataError: the file cannot be used, or both are there.
    """
    gpx = csv.with_suffix(".gpx")
    if csv.exists() and gpx.exists():
        raise DataError(f"{csv.name} and {gpx.name} both say the speed, in {gpx}; keep one of the two")
    if gpx.exists():
        return read_gpx(gpx)
    return read_speed_csv(csv) if csv.exists() else NO_SPEED


def read_gpx(path: Path) -> SpeedLog:
    """The speed along a track, from the fixes' places and times; its clock begins at the first fix.

    Between two pieces of a track (trkseg) the speed is unknown.

    Raises:
        DataError: the file is no GPX, a fix has no place or time, or there are fewer than two.
    """
    points = _points(path)
    if len(points) < 2:
        raise DataError(f"{len(points)} fixes, not two or more, in {path}; export the track with its times")
    seconds = np.array([point.seconds for point in points])
    seconds -= seconds[0]
    interval = np.diff(seconds)
    if (interval <= 0).any():
        number = int(np.argmax(interval <= 0)) + 2
        raise DataError(f"fix {number} is not later than the one before, in {path}; restore the order")
    speed = _distances(points) / interval
    if speed.max() > MAX_SPEED:
        number = int(speed.argmax()) + 2
        what = f"{speed.max():.0f} m/s to fix {number} is the speed of no vehicle"
        raise DataError(f"{what}, in {path}; remove the fixes that are off")
    speed[np.diff([point.piece for point in points]) > 0] = np.nan
    # What lies between two fixes is their mean speed: that of the moment in the middle.
    middle = (seconds[1:] + seconds[:-1]) / 2
    return SpeedLog(np.array([0.0, *middle, seconds[-1]]), np.array([speed[0], *speed, speed[-1]]))


def _points(path: Path) -> list[_Point]:
    text = "\n".join(line for _, line in read_lines(path, "GPX track"))
    if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
        raise DataError(f"GPX track defines entities, in {path}; export it again")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"not a GPX track ({error}), in {path}; export it again") from error
    pieces = [piece for piece in root.iter() if _name(piece) == "trkseg"]
    return [
        _point(fix, number, piece, path)
        for piece, fixes in enumerate(pieces)
        for number, fix in enumerate((fix for fix in fixes if _name(fix) == "trkpt"), start=1)
    ]


def _point(fix: ElementTree.Element, number: int, piece: int, path: Path) -> _Point:
    where = f"{path}, fix {number} of piece {piece + 1}"
    place = f"{fix.get('lat', '')} {fix.get('lon', '')}"
    latitude, longitude = parse_numbers(place, where, count=2)
    if abs(latitude) > 90 or abs(longitude) > 360:
        raise DataError(f"no place on earth ({place}), in {where}; export the track again")
    time = next((child.text or "" for child in fix if _name(child) == "time"), "")
    try:
        moment = datetime.fromisoformat(time.strip())
    except ValueError as error:
        raise DataError(f"{time[:40]!r} is no time, in {where}; export the track with times") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _Point(moment.timestamp(), latitude, longitude, piece)


def _name(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _distances(points: list[_Point]) -> NDArray[np.float64]:
    """Metres from each point to the next along the earth (haversine)."""
    degrees = np.array([(point.latitude, point.longitude) for point in points])
    latitude, longitude = np.radians(degrees).T
    across = np.cos(latitude[1:]) * np.cos(latitude[:-1]) * np.sin(np.diff(longitude) / 2) ** 2
    share = np.sqrt(np.sin(np.diff(latitude) / 2) ** 2 + across)
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS * np.arcsin(np.clip(share, 0, 1))
    return distance
