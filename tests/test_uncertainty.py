"""Sparsification: uncertainties whose worth is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from selfsup_depth.evaluation.uncertainty import METRICS, NUM_REMOVALS, Sparsification, curves_of_image


@pytest.fixture
def depths():
    generator = torch.Generator().manual_seed(0)
    measured = 2 + 70 * torch.rand(5000, generator=generator, dtype=torch.float64)
    return measured * torch.exp(0.4 * torch.randn(5000, generator=generator, dtype=torch.float64)), measured


@pytest.mark.parametrize("metric", METRICS)
def test_an_uncertainty_that_is_the_error_has_no_area_to_the_oracle(metric, depths):
    predicted, measured = depths
    error = (predicted - measured).abs()
    orders = {
        "abs_rel": error / measured,
        "rmse": error,
        "1-a1": torch.maximum(predicted / measured, measured / predicted),
    }
    index = METRICS.index(metric)
    curves = curves_of_image(predicted, measured, 7 * orders[metric] ** 2)  # only the order counts
    assert curves.ause[index] == pytest.approx(0, abs=1e-12)
    assert curves.aurg[index] > 0
    others = [i for i in range(len(METRICS)) if i != index]
    assert (curves.ause[others] > 1e-6).any()


def test_equal_certainty_everywhere_gains_the_last_step_alone(depths):
    curves = curves_of_image(*depths, torch.ones(5000))
    torch.testing.assert_close(curves.aurg, 0.01 * curves.by_uncertainty[:, 0])
    torch.testing.assert_close(
        curves.by_uncertainty[:, :-1], curves.by_uncertainty[:, :1].expand(-1, NUM_REMOVALS)
    )


def test_certainty_where_it_is_wrong_is_worse_than_chance(depths):
    predicted, measured = depths
    curves = curves_of_image(predicted, measured, -(predicted - measured).abs() / measured)
    assert (curves.aurg < 0).all()


def test_the_curve_is_numpys_percentiles(depths):
    predicted, measured = (values.numpy() for values in depths)
    uncertainty = np.random.default_rng(1).integers(0, 40, 5000) / 7  # many ties
    error = predicted - measured
    expected = []
    for step in range(NUM_REMOVALS):
        kept = -uncertainty >= np.percentile(-uncertainty, 2 * step)
        ratio = np.maximum(predicted / measured, measured / predicted)[kept]
        expected.append(
            [
                np.mean(np.abs(error[kept]) / measured[kept]),
                np.sqrt(np.mean(error[kept] ** 2)),
                np.mean(ratio >= 1.25),
            ]
        )
    found = curves_of_image(*depths, torch.from_numpy(uncertainty)).by_uncertainty
    np.testing.assert_allclose(found[:, :-1].numpy().T, expected, rtol=1e-10)
    assert (found[:, -1] == 0).all()


def test_a_data_set_is_the_mean_of_its_images(depths):
    predicted, measured = depths
    halves = [slice(0, 1000), slice(1000, 5000)]
    metric = Sparsification(across_processes=False)
    for half in halves:
        metric.update(predicted[half], measured[half], [measured[half]])
        metric.update(predicted[half], measured[half], [])
    each = [curves_of_image(predicted[half], measured[half], measured[half]).ause for half in halves]
    torch.testing.assert_close(metric.compute().ause, (each[0] + each[1]) / 2)
