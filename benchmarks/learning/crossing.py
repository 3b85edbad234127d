"""A world that is small enough to know: an agent walks up a road to a crossing, and there goes left or right.

A frame is 8×8 grey pixels: grey ground, a black road in the shape of a T whose crossing lies where the scene has it,
and the agent, a white pixel. x is a frame, y the next one. On the road the agent goes on as it went; at the crossing it
goes left with probability 0.7 and right with 0.3. Nothing else is left to chance.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 8
LEFT = 0.7
GROUND, ROAD, AGENT = 128, 0, 255
ROWS, COLUMNS = (2, 3, 4), (2, 3, 4, 5)
"""Where a crossing may lie."""

Frames = NDArray[np.uint8]
Place = tuple[int, int]
"""(row, column)."""


def frame(crossing: Place, agent: Place) -> Frames:
    """(8, 8, 1): the scene whose crossing lies there, with the agent at its place."""
    row, column = crossing
    picture = np.full((SIDE, SIDE, 1), GROUND, dtype=np.uint8)
    picture[row] = ROAD
    picture[row:, column] = ROAD
    picture[agent] = AGENT
    return picture


def walk(rng: np.random.Generator) -> list[Frames]:
    """The four frames of one walk: below a crossing, at it, one step beside it, and two."""
    row, column = crossing = int(rng.choice(ROWS)), int(rng.choice(COLUMNS))
    side = -1 if rng.random() < LEFT else 1
    return [frame(crossing, at) for at in ((row + 1, column), crossing, (row, column + side), (row, column + 2 * side))]


def pairs(walks: int, seed: int = 0) -> tuple[Frames, Frames]:
    """x and y, (N, 8, 8, 1) each: every two frames of so many walks that follow one another."""
    rng = np.random.default_rng(seed)
    walked = [walk(rng) for _ in range(walks)]
    x = [one for frames in walked for one in frames[:-1]]
    y = [one for frames in walked for one in frames[1:]]
    return np.stack(x), np.stack(y)


def outcomes(crossing: Place) -> tuple[Frames, Frames, Frames]:
    """A frame with the agent at the crossing, and the two that may follow: it went left, it went right."""
    row, column = crossing
    return frame(crossing, crossing), frame(crossing, (row, column - 1)), frame(crossing, (row, column + 1))
