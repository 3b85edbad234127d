"""Plots of points: the right size, the points where they belong, and no global state."""

import subprocess
import sys

import numpy as np
import pytest

from gan.plots import Backdrop, moving, scatter, trail


def ink(picture):
    """Where a plot is blue, as the dots and bars are."""
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return np.argwhere((blue - red > 60) & (blue > green))


@pytest.mark.parametrize("size", [None, 320, 64])
def test_a_plot_has_the_size_asked_for(size):
    points = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    assert scatter(points, size).shape == (size or 480, size or 480, 3)
    assert scatter(points, size).dtype == np.uint8


def test_points_stand_where_their_coordinates_say():
    corners = np.array([[0, 0], [1, 1], [1, 1], [1, 1]], dtype=np.float32)
    dots = ink(scatter(corners))
    low, high = dots[dots[:, 1] < 240], dots[dots[:, 1] >= 240]
    assert low[:, 0].min() > high[:, 0].max()


def test_two_halves_of_a_line_make_two_groups_of_bars():
    values = np.concatenate([np.random.default_rng(0).normal(m, 0.05, 200) for m in (-1, 1)]).astype(np.float32)[
        :, None
    ]
    columns = np.unique(ink(scatter(values))[:, 1])
    assert np.diff(columns).max() > 100


def test_numbers_over_their_condition_show_both_branches():
    x = np.linspace(0.2, 1, 400, dtype=np.float32)[:, None]
    branches = np.where(np.arange(400)[:, None] % 2, x, -x)
    dots = ink(scatter(branches, conditions=x))
    right = dots[dots[:, 1] > np.quantile(dots[:, 1], 0.9)]
    assert np.diff(np.unique(right[:, 0])).max() > 150


@pytest.mark.parametrize("value", [0.0, 3e38, -1e-40])
@pytest.mark.parametrize("dims", [1, 2, 5])
def test_collapsed_and_extreme_points_are_still_a_plot(value, dims):
    assert scatter(np.full((3, dims), value, dtype=np.float32)).std() > 0


def test_classes_have_colours_of_their_own():
    points = np.array([[0, 0], [1, 0]], dtype=np.float32)
    alike, apart = (scatter(points, labels=np.array(labels)) for labels in ([0, 0], [0, 3]))
    assert len(np.unique(apart.reshape(-1, 3), axis=0)) > len(np.unique(alike.reshape(-1, 3), axis=0))


def test_a_trail_is_drawn_for_points_of_any_dimension():
    for dims in (1, 2, 3):
        walk = np.linspace(0, 1, 9, dtype=np.float32)[:, None].repeat(dims, axis=1)
        assert trail(walk, 200).shape == (200, 200, 3)


def test_matplotlib_is_loaded_at_the_first_plot_and_pyplot_never():
    code = (
        "import sys, numpy, gan.plots as plots; idle = 'matplotlib' in sys.modules; "
        "plots.scatter(numpy.zeros((2, 2), 'f4')); print(idle, 'matplotlib.pyplot' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]


def test_a_moving_dot_follows_the_walk():
    walk = np.array([[0, 0], [1, 0], [1, 2]], dtype=np.float32)
    frames = moving(walk, 240)
    assert frames.shape == (3, 240, 240, 3)
    dots = [np.argwhere((frame == (214, 40, 40)).all(axis=2)).mean(axis=0) for frame in frames]
    assert dots[1][1] > dots[0][1] + 100
    assert dots[1][0] == pytest.approx(dots[0][0], abs=1)
    assert dots[2][0] < dots[1][0] - 100


def grey(picture):
    """Where a plot is as grey as what stands behind; letters, whose edges are of all greys, stand outside the axes."""
    return np.argwhere((picture[:425, 70:] == 0xC8).all(axis=2))


BEHIND = np.random.default_rng(1).uniform(-1, 1, size=(400, 2)).astype(np.float32)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e30])
def test_axes_are_those_of_what_stands_behind_whatever_the_points_do(spread):
    """The backdrop's outermost dots are where they were: between two pictures nothing jumps but the points."""
    points = np.random.default_rng(2).normal(0, spread, size=(50, 2)).astype(np.float32)
    picture = scatter(points, behind=Backdrop(BEHIND))
    alone = grey(scatter(np.full((1, 2), 1e30, np.float32), behind=Backdrop(BEHIND)))
    assert len(grey(picture)) > len(alone) / 2
    assert set(map(tuple, grey(picture))) <= set(map(tuple, alone))


def test_a_histogram_has_the_bars_of_what_stands_behind_as_if_there_were_as_many():
    """Half as wide as the data, and twice as high, therefore."""
    values = np.random.default_rng(3).uniform(-0.5, 0.5, 2000).astype(np.float32)[:, None]
    picture = scatter(values, behind=Backdrop(np.concatenate([2 * values, 2 * values])))
    bars, shadow = (np.ptp(found, axis=0) for found in (ink(picture), grey(picture)))
    assert bars[1] / shadow[1] == pytest.approx(0.5, abs=0.05)
    assert bars[0] / shadow[0] == pytest.approx(2, rel=0.2)


def test_numbers_over_their_condition_have_the_data_behind_them():
    x = np.linspace(0.2, 1, 400, dtype=np.float32)[:, None]
    picture = scatter(0 * x, conditions=x, behind=Backdrop(x, x))
    rows, columns = np.ptp(grey(picture), axis=0)
    assert rows > 200
    assert columns > 200
    assert np.ptp(ink(picture), axis=0)[0] < 20
