"""Speed and place of KITTI raw's car, from its packets (oxts)."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pykitti

from selfsup_depth.data.calibration import MAX_METRES
from selfsup_depth.data.layout import numbered_files
from selfsup_depth.data.recording import Matrix
from selfsup_depth.data.speed_log import MAX_SPEED
from selfsup_depth.data.text_files import parse_numbers, read_lines
from selfsup_depth.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Packet:
    """What the car's GPS and inertial unit (oxts) said at one frame."""

    speed: float = math.nan
    T_world_from_imu: Matrix | None = None


UNKNOWN = Packet()


def read_packets(folder: Path) -> dict[int, Packet]:
    """Speed and pose by frame index; the world's origin and scale are those of the first packet."""
    packets: dict[int, Packet] = {}
    scale, origin, num_bad = math.nan, np.zeros(3), 0
    for index, path in numbered_files(folder, (".txt",)).items():
        values = _read_oxts(path)
        if not math.isfinite(sum(values)):
            num_bad += 1
            continue
        if not packets:
            scale = math.cos(math.radians(values.lat))
            origin = pykitti.utils.pose_from_oxts_packet(values, scale)[1]
        rotation, position = pykitti.utils.pose_from_oxts_packet(values, scale)
        T_world_from_imu = pykitti.utils.transform_from_rot_trans(rotation, position - origin)
        packets[index] = Packet(math.hypot(values.vf, values.vl, values.vu), T_world_from_imu)
    if num_bad:
        log.warning("speed and pose of %d frames are not finite and left out, in %s", num_bad, folder)
    return packets


def _read_oxts(path: Path) -> pykitti.utils.OxtsPacket:
    lines = read_lines(path, "oxts packet")
    if len(lines) != 1:
        raise DataError(f"oxts packet has {len(lines)} lines, not one, in {path}; restore the file")
    number, line = lines[0]
    where = f"{path}:{number}"
    fields = pykitti.utils.OxtsPacket._fields
    packet = pykitti.utils.OxtsPacket(*parse_numbers(line, where, count=len(fields), finite=False))
    if abs(packet.lat) >= 90 or abs(packet.lon) > 360 or abs(packet.alt) > MAX_METRES:
        place = f"latitude {packet.lat:g}, longitude {packet.lon:g}, altitude {packet.alt:g} m"
        raise DataError(f"{place} is no place on a road, in {where}; restore the file")
    if any(abs(speed) > MAX_SPEED for speed in (packet.vf, packet.vl, packet.vu)):
        raise DataError(f"speed of more than {MAX_SPEED:g} m/s, in {where}; restore the file")
    return packet
