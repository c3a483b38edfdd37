"""Terms say what they are, what they need, and are refused where a run lacks it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import SimpleNamespace

import pytest
import torch

import selfsup_depth.losses
from selfsup_depth.errors import ConfigError
from selfsup_depth.losses.base import LossTerm
from selfsup_depth.losses.feature_metric import FeatureMetric
from selfsup_depth.losses.needs import Need
from selfsup_depth.losses.smoothness import Smoothness
from selfsup_depth.losses.sparse_depth import SparseDepth
from selfsup_depth.losses.velocity import Velocity
from selfsup_depth.modules.view_synthesis import ViewSynthesis
from selfsup_depth.networks.depth import DepthNet
from selfsup_depth.networks.pose import PoseNet
from selfsup_depth.training.loss_catalogue import source_of
from selfsup_depth.training.preflight import check_fit, check_options

for module_info in pkgutil.iter_modules(selfsup_depth.losses.__path__):
    importlib.import_module(f"selfsup_depth.losses.{module_info.name}")


def package_terms() -> list[type[LossTerm]]:
    terms = [cls for cls in LossTerm.__subclasses__() if cls.__module__.startswith("selfsup_depth.")]
    return sorted(terms, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("term", package_terms(), ids=lambda cls: cls.__name__)
def test_a_term_says_its_purpose_and_its_source(term):
    purpose, blank, *_ = term.__doc__.splitlines()
    assert purpose.endswith(".")
    assert not blank
    assert re.fullmatch(r'[^"]+, "[^"]+", [^"]+ \d{4}\.', source_of(term))


class Needy(LossTerm):
    """Needs one thing."""

    def __init__(self, need: Need) -> None:
        super().__init__()
        self.need = need

    def needs(self):
        return {self.need}

    def forward(self, batch, estimates):
        return torch.zeros(())


def check(term: LossTerm, pose_net: PoseNet | None = None, **data: object) -> None:
    options = {"height": 32, "width": 32, "video": [], "stereo": False, "two_view_motion": True}
    options |= {"knows_travelled": False, "knows_measured": False, "sparse_depth": False}
    options |= {"travelled": (1, 0), "has_masks": False, "fov": None}
    module = ViewSynthesis(DepthNet(width=0.125, norm="group"), {"own": term}, pose_net)
    data = SimpleNamespace(**options | data)
    check_options(module, data)
    check_fit(module, data)


LACKING = {
    Need.SOURCES: {},
    Need.SEVERAL_SOURCES: {"stereo": True},
    Need.OTHER_CAMERA: {"video": [-1, 1]},
    Need.TRAVELLED: {"stereo": True},
    Need.PREDICTED_MOTION: {"video": [-1, 1]},
    Need.BOTH_MAPS: {"stereo": True},
    Need.MEASURED: {"stereo": True},
}

HOLDING = {
    Need.SOURCES: {"stereo": True},
    Need.SEVERAL_SOURCES: {"video": [-1, 1]},
    Need.OTHER_CAMERA: {"stereo": True},
    Need.TRAVELLED: {"video": [-1, 1], "knows_travelled": True},
    Need.SOURCE_DEPTH: {"stereo": True},
    Need.MEASURED: {"stereo": True, "knows_measured": True, "sparse_depth": True},
}


@pytest.mark.parametrize("need", LACKING)
def test_what_a_term_lacks_is_named_with_its_fix(need):
    with pytest.raises(ConfigError) as refusal:
        check(Needy(need), **LACKING[need])
    assert f"model.losses.own needs {need.what}; {need.fix}" in str(refusal.value)
    off = Needy(need)
    off.weight = 0.0
    with pytest.raises(ConfigError, match="no loss term has a weight"):
        check(off, **LACKING[need])


def test_measured_depth_that_is_asked_for_and_not_there_is_refused():
    with pytest.raises(ConfigError, match="needs measured depth"):
        check(Needy(Need.MEASURED), stereo=True, sparse_depth=True)


@pytest.mark.parametrize("need", HOLDING)
def test_what_is_there_is_not_refused(need):
    check(Needy(need), **HOLDING[need])


def test_velocity_judges_a_pose_network():
    known = {"video": [-1, 1], "knows_travelled": True}
    with pytest.raises(ConfigError, match="PoseNet"):
        check(Velocity(), **known)
    check(Velocity(), PoseNet(width=0.125, norm="group"), **known)


@pytest.mark.parametrize(
    ("term", "option", "value"),
    [
        (Smoothness, "edge_sharpness", -1.0),
        (Smoothness, "level_factor", -0.5),
        (Smoothness, "edge_sharpness", float("nan")),
        (SparseDepth, "edge_sharpness", -1.0),
        (FeatureMetric, "autoencoder_weight", -1.0),
        (FeatureMetric, "convergent_weight", float("inf")),
        (FeatureMetric, "channels", 0),
    ],
)
def test_a_factor_that_would_reverse_a_term_is_refused(term, option, value):
    with pytest.raises(ConfigError, match=f"{option}.*give [01] or more"):
        term(**{option: value})
