"""What can be asked of the synthetic drive."""

from __future__ import annotations

from dataclasses import dataclass

from selfsup_depth.errors import ConfigError


@dataclass(frozen=True)
class SyntheticOptions:
    """A set of synthetic drives. The same options give the same bytes.

    Args:
        drives: number of drives; each has a street, textures and a path of its own.
        frames: stereo frames of each drive, ten a second.
        height: of the pictures, pixels.
        width: of the pictures, pixels.
        baseline: metres from the left camera to the right one.
        speed: mean speed of the cameras, m/s; it varies by a fifth around it.
        focal_lengths: of each camera rig, as a share of the picture's width (KITTI: 0.58).
            Drives take the rigs in turn. Each rig has a date folder of its own, since KITTI
            calibrates by date, and each further one takes pictures an eighth larger.
        held_out_drives: the last so many drives are in no training list; the first half of
            them is listed in val.txt and the rest in test.txt (a single one in both).
        moving_cars: a car ahead that keeps the cameras' speed, and crossing cars.
        textureless_walls: houses without windows, bricks or dirt.
        lighting_change: amplitude of the exposure's change over time, 0 = none.
        stopped: share of each drive during which the cameras stand still.
        seed: of everything random.

    Raises:
        ConfigError: an option is out of range.
    """

    drives: int = 6
    frames: int = 20
    height: int = 128
    width: int = 416
    baseline: float = 0.54
    speed: float = 10.0
    focal_lengths: tuple[float, ...] = (0.58,)
    held_out_drives: int = 2
    moving_cars: bool = True
    textureless_walls: bool = False
    lighting_change: float = 0.0
    stopped: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        _within("drives", self.drives, 1, 9999)
        _within("frames", self.frames, 3, 100_000)
        _within("height", self.height, 16, 4096)
        _within("width", self.width, 32, 4096)
        _within("baseline", self.baseline, 0.01, 2.0)
        _within("speed", self.speed, 0.5, 40.0)
        _within("held_out_drives", self.held_out_drives, 0, self.drives - 1)
        _within("lighting_change", self.lighting_change, 0.0, 0.9)
        _within("stopped", self.stopped, 0.0, 0.8)
        _within("seed", self.seed, 0, 2**32 - 1)
        _within("number of focal_lengths", len(self.focal_lengths), 1, 28)
        for focal_length in self.focal_lengths:
            _within("focal_lengths", focal_length, 0.3, 3.0)

    def size(self, rig: int) -> tuple[int, int]:
        """(height, width) of a rig's pictures; each further rig's are an eighth larger."""
        growth = 1 + rig / 8
        return round(self.height * growth), round(self.width * growth)


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # NaN fails this, too
        raise ConfigError(f"synthetic drive: {name} is {value}; give a value from {least} to {most}")
