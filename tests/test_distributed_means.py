"""What processes learn together is what one learns from all their examples."""

from __future__ import annotations

import pytest
import torch
from torch import multiprocessing

from selfsup_depth.losses.base import masked_mean

# One process with two batches; the second process's has a single value that counts, then none.
VALUES = torch.tensor([[1.0, 2.0, 4.0, 8.0], [16.0, 32.0, 64.0, 128.0]]).double()
UNKNOWN = torch.tensor([[0, 0, 0, 0], [0, 0, 0, torch.nan]]).double()
MASKS = [
    torch.tensor([[True, True, False, True], [True, False, False, False]]),
    torch.tensor([[True, True, True, True], [False, False, False, False]]),
    torch.tensor([[False, False, False, False], [False, True, False, False]]),
    torch.zeros(2, 4, dtype=torch.bool),
]


def mean_and_gradient(rows, mask):
    factor = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    mean = masked_mean(factor * VALUES[rows] + UNKNOWN[rows], mask[rows])
    mean.backward()
    return mean.item(), factor.grad.item()


def means_in_process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    results = [mean_and_gradient([rank], mask) for mask in MASKS]
    if not rank:  # alone: must not wait for the other one
        with torch.no_grad():
            results.append((masked_mean(VALUES[0], MASKS[0][0]).item(), 0.0))
    torch.save(results, f"{folder}/{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_masked_means_of_two_processes_average_to_that_of_one(tmp_path):
    multiprocessing.spawn(means_in_process, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for mask, one, other in zip(MASKS, first, second, strict=False):
        both = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
        assert both == pytest.approx(mean_and_gradient([0, 1], mask), rel=1e-12)
    assert first[-1][0] == pytest.approx(11 / 3)


def test_a_masked_mean_of_nothing_is_zero_and_has_no_gradient():
    assert mean_and_gradient([0, 1], MASKS[3]) == (0, 0)
    assert masked_mean(torch.tensor([torch.nan, 2.0]), torch.tensor([False, True])) == 2
