"""Points as pictures: scatter plots and histograms by matplotlib's Agg canvas, without pyplot and its global state.

matplotlib is imported at the first plot: it costs half a second, which nobody should pay who draws only images.
"""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gan.images import resize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = npt.NDArray[np.float32]
Coordinates = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

SIDE: Final = 480
"""Pixels a side of a plot, when nobody says otherwise."""
SMALLEST: Final = 200
"""Axes need this many pixels; smaller pictures are drawn at this size and reduced."""
DPI: Final = 96
COLOUR: Final = "#1f6feb"
GREY: Final = "#c8c8c8"
RED: Final = (214, 40, 40)
DOT: Final = 80
"""The moving dot's radius is this part of the picture's side."""
MAX_CLASSES: Final = 20
"""With more classes than this, colours would no longer tell them apart."""


class Backdrop(NamedTuple):
    """Points (M, D) that stand in grey behind others and say what the axes show, with their conditions (M, K)."""

    points: Points
    conditions: Points | None = None


def scatter(
    points: Points,
    size: int | None = None,
    *,
    labels: npt.NDArray[np.int64] | None = None,
    conditions: Points | None = None,
    behind: Backdrop | None = None,
) -> Pixels:
    """Points (N, D) in the data's units → a picture, uint8 (size, size, 3), with axes.

    D = 1: a histogram, or, where each point has one number as its condition (N, 1), the points over it.
    D ≥ 2: the first two coordinates. `labels` (N,) colour the classes. Where others stand behind, the axes are theirs,
    whatever the points do: pictures of one backdrop can be compared, and points far from it lie outside.
    """
    figure, axes = canvas(size)
    if points.shape[1] == 1 and (conditions is None or conditions.shape[1] != 1):
        histogram(axes, points[:, 0].astype(np.float64), None if behind is None else behind.points[:, 0])
    else:
        dots(axes, *coordinates(points, conditions), labels)
        if behind is not None:
            stand_behind(axes, *coordinates(*behind))
    return rendered(figure, size)


def trail(points: Points, size: int | None = None, *, conditions: Points | None = None) -> Pixels:
    """A walk through points (N, D), in order, as a line that goes from dark to light: uint8 (size, size, 3)."""
    figure, _ = trail_figure(points, size, conditions)
    return rendered(figure, size)


def moving(points: Points, size: int | None = None, *, conditions: Points | None = None) -> Pixels:
    """The trail of a walk with a red dot where the walk is: one picture a point, uint8 (N, size, size, 3)."""
    figure, axes = trail_figure(points, size, conditions)
    still = rendered(figure, size)
    x, y, _ = coordinates(points, conditions)
    places = axes.transData.transform(np.stack([x, y], axis=1)) / figure.bbox.size * len(still)
    rows, columns = np.mgrid[: len(still), : len(still)]
    frames = still[None].repeat(len(points), axis=0)
    for frame, (right, up) in zip(frames, places, strict=True):
        frame[(columns - right) ** 2 + (rows - (len(still) - up)) ** 2 < (len(still) / DOT) ** 2] = RED
    return frames


def trail_figure(points: Points, size: int | None, conditions: Points | None) -> tuple["Figure", "Axes"]:
    """The figure of a trail, not drawn yet."""
    figure, axes = canvas(size)
    x, y, names = coordinates(points, conditions)
    axes.plot(x, y, color=GREY, linewidth=1, zorder=1)
    axes.scatter(x, y, c=np.arange(len(points)), cmap="viridis", s=18, zorder=2)
    axes.set(xlabel=names[0], ylabel=names[1])
    return figure, axes


def canvas(size: int | None) -> tuple["Figure", "Axes"]:
    """An empty figure of `size` × `size` pixels (480 × 480 by default, never below 200) and its axes."""
    from matplotlib.figure import Figure

    inches = max(size or SIDE, SMALLEST) / DPI
    figure = Figure(figsize=(inches, inches), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def coordinates(points: Points, conditions: Points | None) -> tuple[Coordinates, Coordinates, tuple[str, str]]:
    """What goes along x and y, each (N,), and how the axes are called."""
    x = points.astype(np.float64)
    dims = x.shape[1]
    if dims > 1:
        rest = f" (of {dims} coordinates)" if dims > 2 else ""
        return x[:, 0], x[:, 1], (f"x₁{rest}", "x₂")
    if conditions is not None and conditions.shape[1] == 1:
        return conditions[:, 0].astype(np.float64), x[:, 0], ("condition", "x₁")
    return np.arange(len(x), dtype=np.float64), x[:, 0], ("index", "x₁")


def dots(
    axes: "Axes",
    x: Coordinates,
    y: Coordinates,
    names: tuple[str, str],
    labels: npt.NDArray[np.int64] | None,
) -> None:
    """One dot a point, smaller and fainter the more there are."""
    coloured = labels is not None and labels.max() < MAX_CLASSES
    look = {"c": labels, "cmap": "tab20", "vmin": 0, "vmax": MAX_CLASSES - 0.001} if coloured else {"color": COLOUR}
    axes.scatter(x, y, s=area(len(x)), alpha=0.7, linewidths=0, **look)
    axes.set(xlabel=names[0], ylabel=names[1])


def area(count: int) -> float:
    """Of one dot of so many, in square points."""
    return float(np.clip(4000 / count, 2, 20))


def stand_behind(axes: "Axes", x: Coordinates, y: Coordinates, _: tuple[str, str]) -> None:
    """Grey dots under all others; the axes end somewhat beyond them."""
    axes.scatter(x, y, s=area(len(x)), color=GREY, linewidths=0, zorder=0.9)
    axes.set(xlim=around(x, 1 / 4), ylim=around(y, 1 / 4))


def around(values: npt.NDArray[Any], share: float) -> tuple[float, float]:
    """The range of these values and so much of it more on either side; never empty."""
    low, high = float(values.min()), float(values.max())
    margin = max(high - low, 1e-6 * abs(high), 1e-6) * share
    return low - margin, high + margin


def histogram(axes: "Axes", values: Coordinates, behind: Points | None = None) -> None:
    """How often each value of one coordinate occurs; about √N bars, 100 at most.

    Values that stand behind, in grey, count as if there were as many of them.
    """
    bars = int(np.clip(np.sqrt(len(values)), 5, 100))
    within = around(values, 1 / 100) if behind is None else around(behind, 1 / 4)
    if behind is not None:
        weights = np.full(len(behind), len(values) / len(behind))
        axes.hist(behind, bins=bars, range=within, weights=weights, color=GREY)
    axes.hist(values, bins=bars, range=within, color=COLOUR, alpha=1.0 if behind is None else 0.7)
    axes.set(xlabel="x₁", ylabel="count")


def rendered(figure: "Figure", size: int | None) -> Pixels:
    """The figure's pixels, uint8 (size, size, 3), on white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    agg: Any = FigureCanvasAgg(figure)
    agg.draw()
    pixels: Pixels = np.asarray(agg.buffer_rgba())[None, :, :, :3].copy()
    drawn: Pixels = resize(pixels, size)[0]
    return drawn
