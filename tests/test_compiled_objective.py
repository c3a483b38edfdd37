"""The compiled kernels: the same numbers as the formulas, and what happens without a compiler."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from benchmarks.objective import check_agreement
from selfsup_depth.cli import main
from selfsup_depth.console import console
from selfsup_depth.geometry import kernels
from selfsup_depth.geometry.kernels import Kernel
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.photometric import Photometric
from selfsup_depth.losses.photometric_error import photometric_error
from selfsup_depth.losses.photometric_gradient import Recipe, plain_photometric_error
from selfsup_depth.losses.smoothness import compiled_slope, edge_aware_slope
from selfsup_depth.structures import Batch, DepthEstimate, PosedView, Synthesis, View
from selfsup_depth.training.checkpoint_io import read_sealed
from selfsup_depth.training.process_settings import process_settings_kept


@pytest.fixture
def as_written(monkeypatch):
    """Kernels run without a compiler: it is the formulas that are looked at."""
    monkeypatch.setattr(Kernel, "__call__", lambda kernel, *arguments: kernel.function(*arguments))


@pytest.fixture
def no_compiler(monkeypatch):
    def compile_nothing(*_, **__):
        raise RuntimeError("no C++ compiler\nand a long story")

    monkeypatch.setattr(torch, "compile", compile_nothing)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moved_pair(*size: int) -> tuple[View, PosedView, Tensor]:
    """A target, a source beside and behind it, and inverse depths of which one is behind the source."""
    height, width = size
    K = torch.tensor([[[0.6 * width, 0, width / 2], [0, 0.9 * height, height / 2], [0, 0, 1]]]).double()
    T = torch.eye(4).double().repeat(2, 1, 1)
    T[:, :3, 3] = torch.tensor([[0.3, -0.02, -0.4], [-0.5, 0.02, 0.3]])
    inverse_depth = 0.1 + noise(2, 1, *size, seed=2)
    inverse_depth[0, 0, -1, 1] = 5
    target = View(noise(2, 3, *size), K.expand(2, 3, 3))
    return target, PosedView(View(noise(2, 3, *size, seed=1), target.K), T), inverse_depth


def synthesized(size: tuple[int, int], compiled: bool) -> list[Tensor]:
    """Image, validity, and the gradients by motion and inverse depth."""
    target, source, inverse_depth = moved_pair(*size)
    T = source.T_target_to_source.requires_grad_()
    made = synthesize(target, source, inverse_depth.requires_grad_(), compiled=compiled)
    value = (made.image * noise(*made.image.shape, seed=3)).sum()
    return [made.image.detach(), made.valid, *torch.autograd.grad(value, [T, inverse_depth])]


@pytest.mark.parametrize(("window", "robust"), [(3, False), (3, True), (5, False)])
def test_error_and_gradient_are_those_of_the_plain_formula(window, robust, as_written):
    x, y, weights = noise(2, 3, 9, 12).requires_grad_(), noise(2, 3, 9, 12, seed=1), noise(2, 1, 9, 12)
    error = photometric_error(x, y, window=window, robust=robust, compiled=True)
    plain = plain_photometric_error(x, y, Recipe(0.85, window, robust))
    torch.testing.assert_close(error, plain, atol=1e-12, rtol=0)
    found, expected = (torch.autograd.grad((e * weights).sum(), x)[0] for e in (error, plain))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_without_gradient_the_error_is_the_same(as_written):
    x, y = noise(1, 3, 8, 9), noise(1, 3, 8, 9, seed=1)
    error = photometric_error(x.clone().requires_grad_(), y, compiled=True)
    torch.testing.assert_close(photometric_error(x, y, compiled=True), error.detach(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [(9, 12), (1, 12)])
def test_a_synthesis_and_its_gradients_are_those_of_projection_and_sampling(size, as_written):
    found, expected = synthesized(size, compiled=True), synthesized(size, compiled=False)
    assert not expected[1].all()
    assert expected[1].any()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_what_is_no_number_is_looked_up_inside_the_image(as_written):
    target, source, inverse_depth = moved_pair(9, 12)
    inverse_depth[0, 0, 0] = torch.tensor([torch.nan, torch.inf, -torch.inf] * 4)
    made = synthesize(target, source, inverse_depth, compiled=True)
    assert not made.valid[0, 0, 0].any()
    assert made.image[:, :, 1:].isfinite().all()


@pytest.mark.parametrize("auto_mask", [False, True])
@pytest.mark.parametrize("padding", ["border", "masked"])
@pytest.mark.parametrize("clip_percentile", [0.0, 1.0])
def test_the_term_chooses_as_it_does_without_kernels(auto_mask, padding, clip_percentile, as_written):
    """Clipped, what comes before the choice is compiled, and not the choice."""
    target, source, _ = moved_pair(9, 12)
    images = [noise(2, 3, 9, 12, seed=seed).requires_grad_() for seed in (4, 5, 6)]
    # The second is the unmoved source to the last digit, and the third the first: ties.
    images[1], images[2] = source.view.image.clone().requires_grad_(), images[0]
    valid = [noise(2, 1, 9, 12, seed=seed) > 0.3 for seed in (7, 8, 9)]
    syntheses = [Synthesis(image, mask, source.view.image) for image, mask in zip(images, valid, strict=True)]
    estimate = DepthEstimate(0, target.image[:, :1], syntheses, [source] * 3, [], [])
    batch = Batch(target, [], [source] * 3, [])
    found = []
    for compiled in (False, True):
        term = Photometric(padding=padding, auto_mask=auto_mask, clip_percentile=clip_percentile)
        term.compiled = compiled
        per_pixel = term.per_pixel(batch, estimate)
        gradients = torch.autograd.grad((per_pixel.error * noise(2, 1, 9, 12)).sum(), images[:2])
        found.append([per_pixel.error.detach(), per_pixel.kept, *gradients])
    assert 0 < found[0][1].double().mean() < 1 or (padding == "border" and not auto_mask)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_smoothness_and_its_gradient_are_those_of_the_formula(as_written):
    values, image = noise(2, 1, 8, 12).requires_grad_(), noise(2, 3, 8, 12, seed=1)
    slopes = [way(values, image, 2.0) for way in (compiled_slope, edge_aware_slope)]
    torch.testing.assert_close(*slopes, atol=1e-12, rtol=0)
    torch.testing.assert_close(*(torch.autograd.grad(slope, values)[0] for slope in slopes))


def test_without_a_compiler_a_kernel_runs_as_written_and_says_so_once(no_compiler, caplog):
    caplog.set_level(logging.INFO, "selfsup_depth")
    doubled = Kernel(lambda values: 2 * values)
    for size in (1, 2, 3):
        assert torch.equal(doubled(torch.ones(size)), torch.full((size,), 2.0))
    (record,) = caplog.records
    assert "not compiled (no C++ compiler)" in record.message
    assert "\n" not in record.message


def test_more_sizes_than_are_worth_it_are_not_compiled(monkeypatch, caplog):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda function, **_: lambda *a: asked.append(a) or function(*a))
    monkeypatch.setattr(kernels, "MOST_SIGNATURES", 2)
    doubled = Kernel(lambda values: 2 * values)
    for size in (1, 2, 3, 4, 1, 2, 3):
        assert torch.equal(doubled(torch.ones(size)), torch.full((size,), 2.0))
    assert [len(values) for (values,) in asked] == [1, 2, 1, 2]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("compile", ["none", "objective"])
def test_a_run_without_a_compiler_says_what_it_does_and_trains(compile, train, tmp_path, no_compiler, capsys):
    assert train(tmp_path / "run", f"--model.compile={compile}", "--trainer.max_steps=1") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "compiled" in line]
    expected = "not compiled (model.compile: none)" if compile == "none" else "objective not compiled (no C++"
    assert len(said) == 1
    assert expected in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(9, 12), (32, 64)])
def test_compiled_kernels_give_what_is_written(size, caplog):
    """The whole objective, as make benchmark asks it; minutes of compiling where nothing is cached."""
    with process_settings_kept(), console(quiet=True):
        for one, other in zip(synthesized(size, True), synthesized(size, False), strict=True):
            torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
        x, y = noise(2, 3, *size).requires_grad_(), noise(2, 3, *size, seed=1)
        for dtype, allowed in ((torch.float64, 1e-12), (torch.float32, 1e-4)):
            errors = [photometric_error(x.to(dtype), y.to(dtype), compiled=way) for way in (True, False)]
            found, expected = (torch.autograd.grad(e.mean(), x)[0] for e in errors)
            assert (found - expected).norm() <= allowed * expected.norm()
            torch.testing.assert_close(*errors, atol=allowed, rtol=0)
    assert not [record for record in caplog.records if record.name.startswith("selfsup_depth")]


@pytest.mark.slow
def test_the_compiled_objective_is_the_published_one(caplog):
    with process_settings_kept(), console(quiet=True):
        check_agreement(batch=1, size=(32, 64))
    assert not [record for record in caplog.records if record.name.startswith("selfsup_depth")]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_compiled_run_goes_on_as_if_it_had_not_ended(precision, train, tmp_path):
    options = ["--model.compile=objective", f"--trainer.precision={precision}", "--optimizer.milestones=[]"]
    assert train(tmp_path / "whole", *options, "--trainer.max_steps=4") == 0
    assert train(tmp_path / "parts", *options, "--trainer.max_steps=2") == 0
    resume = [f"--resume={tmp_path / 'parts'}", "--trainer.max_steps=4"]
    assert main(["train", *resume]) == 0
    whole, parts = (read_sealed(tmp_path / run / "checkpoints" / "last.ckpt") for run in ("whole", "parts"))
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, parts["state_dict"][name])
        assert value.isfinite().all()
