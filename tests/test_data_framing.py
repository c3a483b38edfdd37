"""Image, intrinsics, depth and motion change together; augmentation and order are pure."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scenes import shared

from selfsup_depth.data.augmentation import Augmentation
from selfsup_depth.data.order import ShuffledOrder
from selfsup_depth.data.transforms import Framing

SIZE = (40, 60)


def blob(row: float, column: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A black photograph with one soft bright spot."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    spot = 255 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 2.5**2))
    return spot.astype(np.uint8)[..., None].repeat(3, axis=-1)


def centre(image: torch.Tensor) -> tuple[float, float]:
    """Column and row of the spot's centre of mass."""
    weights = image[0].double() / image[0].sum()
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in image.shape[1:]), indexing="ij")
    return float((weights * columns).sum()), float((weights * rows).sum())


FRAMINGS = [
    Framing(SIZE),
    Framing((20, 30)),
    Framing((33, 71)),
    Framing(SIZE, flip=True),
    Framing((23, 31), flip=True),
    Framing(SIZE, zoom=1.15, down=0.0, right=1.0),
    Framing((27, 50), zoom=1.3, down=0.7, right=0.2, flip=True),
]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_point_is_seen_where_the_new_intrinsics_project_it(framing):
    """The picture's spot is the projection of a point; both are moved, and must meet again."""
    K = np.array([[55.0, 0, 27.0], [0, 50.0, 18.5], [0, 0, 1]])
    column, row = 33.0, 22.0
    point = np.linalg.inv(K) @ [column, row, 1]
    if framing.flip:
        point[0] *= -1
    view = framing.view(blob(row, column), K)
    assert view.image.shape == (3, *framing.size)
    projected = view.K.double() @ torch.from_numpy(point)
    assert centre(view.image) == pytest.approx((projected[0].item(), projected[1].item()), abs=0.05)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_measured_depth_goes_with_the_picture(framing):
    depth = np.zeros(SIZE, np.float32)
    depth[22, 33] = 7.0
    framed = framing.depth(depth)
    assert framed.shape == framing.size
    ((row, column),) = np.argwhere(framed)
    assert framed[row, column] == 7
    seen = centre(framing.view(blob(22, 33), np.eye(3)).image)
    # A pixel of the old image has some extent in the new one; the map takes whole pixels.
    assert (column, row) == pytest.approx(seen, abs=1.0)


def test_the_nearest_of_several_measured_points_is_kept():
    depth = np.zeros((4, 4), np.float32)
    depth[0, 0], depth[1, 1], depth[3, 3] = 9, 5, 2
    assert Framing((2, 2)).depth(depth).tolist() == [[5, 0], [0, 2]]


def test_a_flipped_motion_is_the_motion_of_the_mirrored_world():
    angle = 0.3
    T = np.eye(4)
    T[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    T[:3, 3] = [0.5, 0.1, -2]
    mirror = np.diag([-1.0, 1, 1, 1])
    point = np.array([1.0, 2, 3, 1])
    flipped = Framing(SIZE, flip=True).motion(T).double().numpy()
    np.testing.assert_allclose(flipped @ mirror @ point, mirror @ T @ point, atol=1e-6)
    np.testing.assert_array_equal(Framing(SIZE).motion(T), T.astype(np.float32))


def test_intrinsics_of_a_resize_are_the_published_ones():
    cases = json.loads(shared("golden/intrinsics.json").read_text())["cases"]
    resizes = [case for case in cases if case["op"] == "resize"]
    assert resizes
    for case in resizes:
        photograph = np.zeros((*case["size_in"], 3), np.uint8)
        view = Framing(tuple(case["size_out"])).view(photograph, np.array(case["K_in"]))
        np.testing.assert_allclose(view.K, case["K_out"], atol=1e-4)


def test_a_reduced_image_is_not_aliased():
    """Stripes finer than a pixel become grey."""
    stripes = np.zeros((40, 80, 3), np.uint8)
    stripes[:, ::2] = 255
    image = Framing((20, 20)).view(stripes, np.eye(3)).image
    assert (image[:, :, 2:-2].float() - 127.5).abs().max() < 5


# --- augmentation


FULL = Augmentation(flip=True, colour_jitter=0.2, zoom=1.15)


def test_what_is_drawn_depends_on_seed_epoch_and_index_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    first = FULL.draw(SIZE, seed=3, epoch=2, index=5)
    np.random.seed(2)
    torch.manual_seed(2)
    assert FULL.draw(SIZE, seed=3, epoch=2, index=5) == first
    others = [FULL.draw(SIZE, *key) for key in ((4, 2, 5), (3, 3, 5), (3, 2, 6))]
    assert all(other[0] != first[0] for other in others)


def test_draws_stay_within_what_is_asked_for():
    draws = [FULL.draw(SIZE, 0, 0, index) for index in range(400)]
    framings = [framing for framing, _ in draws]
    assert 0.4 < np.mean([framing.flip for framing in framings]) < 0.6
    assert all(1 <= framing.zoom <= 1.15 for framing in framings)
    assert max(framing.zoom for framing in framings) > 1.14
    jitter = [torch.stack(colours[0]) for _, colours in draws]
    unchanged = [bool((values == torch.tensor([1.0, 1, 1, 0])).all()) for values in jitter]
    assert 0.4 < np.mean(unchanged) < 0.6
    table = torch.stack(jitter)
    assert 0.8 <= table[:, :3].min() < 0.81
    assert 1.19 < table[:, :3].max() <= 1.2
    assert 0.09 < table[:, 3].abs().max() <= 0.1
    assert table[:, 0].std() > 0.05


def test_nothing_is_changed_unless_asked_for():
    for index in range(20):
        framing, jitter = Augmentation().draw(SIZE, 0, 0, index)
        assert (framing.zoom, framing.flip, jitter) == (1, False, [])


def test_switching_one_change_off_leaves_the_others_alone():
    plain = Augmentation(flip=False, colour_jitter=0.2, zoom=1.15)
    for index in range(20):
        assert plain.draw(SIZE, 0, 0, index)[1] == FULL.draw(SIZE, 0, 0, index)[1]


# --- order


def test_an_epoch_has_every_example_once_and_its_own_order():
    order = ShuffledOrder(17, seed=1)
    epochs = []
    for epoch in (0, 1):
        order.begin(epoch)
        keys = list(order)
        assert {key[0] for key in keys} == {epoch}
        assert sorted(key[1] for key in keys) == list(range(17))
        epochs.append([key[1] for key in keys])
    assert epochs[0] != epochs[1]
    assert epochs[0] != sorted(epochs[0])


def test_order_does_not_depend_on_what_was_drawn_before():
    used, fresh = ShuffledOrder(9, seed=1), ShuffledOrder(9, seed=1)
    list(used)
    used.begin(4)
    fresh.begin(4)
    assert list(used) == list(fresh)
    assert list(used) == list(used)
    other = ShuffledOrder(9, seed=2)
    other.begin(4)
    assert list(other) != list(fresh)


def test_processes_together_see_the_batches_of_one():
    """Two processes with batches of 3 see what one sees with batches of 6."""
    one = [index for _, index in ShuffledOrder(14, seed=0)]
    two = [[index for _, index in ShuffledOrder(14, 0, rank, 2)] for rank in (0, 1)]
    assert len(two[0]) == len(two[1]) == len(ShuffledOrder(14, 0, 0, 2)) == 7
    for batch in range(2):
        together = {index for rank in two for index in rank[3 * batch : 3 * batch + 3]}
        assert together == set(one[6 * batch : 6 * batch + 6])


def test_an_uneven_number_is_dealt_out_evenly():
    assert [len(list(ShuffledOrder(7, 0, rank, 3))) for rank in range(3)] == [2, 2, 2]


def test_an_epoch_can_begin_in_its_middle():
    whole, rest = ShuffledOrder(10, seed=5), ShuffledOrder(10, seed=5)
    whole.begin(3)
    rest.begin(3, done=4)
    assert list(rest) == list(whole)[4:]
