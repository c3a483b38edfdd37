"""The compiled kernels: the same numbers as the formulas, and what happens without a compiler."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from selfsup_depth.cli import main
from selfsup_depth.geometry import kernels
from selfsup_depth.geometry.kernels import Kernel
from selfsup_depth.geometry.view_synthesis import synthesize
from selfsup_depth.losses.photometric_error import photometric_error
from selfsup_depth.losses.photometric_gradient import Recipe, plain_photometric_error
from selfsup_depth.structures import PosedView, View
from selfsup_depth.training.checkpoint_io import read_sealed


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


@pytest.mark.parametrize("compile", ["none", "all"])
def test_a_run_without_a_compiler_says_what_it_does_and_trains(compile, train, tmp_path, no_compiler, capsys):
    assert train(tmp_path / "run", f"--model.compile={compile}", "--trainer.max_steps=1") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "compiled" in line]
    expected = "not compiled (model.compile: none)" if compile == "none" else "nothing is compiled (no C++"
    assert len(said) == 1
    assert expected in said[0]


@pytest.mark.slow
def test_compiled_kernels_give_what_is_written(caplog):
    """Some minutes of compiling in all, where nothing is in the compiler's cache."""
    for size in ((9, 12), (32, 40)):
        for one, other in zip(synthesized(size, True), synthesized(size, False), strict=True):
            torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    x, y = noise(2, 3, 32, 40).requires_grad_(), noise(2, 3, 32, 40, seed=1)
    for dtype, allowed in ((torch.float64, 1e-12), (torch.float32, 1e-4)):
        errors = [photometric_error(x.to(dtype), y.to(dtype), compiled=way) for way in (True, False)]
        found, expected = (torch.autograd.grad(e.mean(), x)[0] for e in errors)
        assert (found - expected).norm() <= allowed * expected.norm()
        torch.testing.assert_close(*errors, atol=allowed, rtol=0)
    assert not caplog.records


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
