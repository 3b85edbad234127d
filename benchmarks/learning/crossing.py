"""A world that is small enough to know: an agent walks up a road to a crossing, and there goes left or right.

A frame is 8×8 grey pixels: ground of the scene's own shade, a black road in the shape of a T whose crossing lies where
the scene has it, and the agent, a white pixel. x is a frame, y the next one. On the road the agent goes on as it went;
at the crossing it goes left with probability 0.7 and right with 0.3. Nothing else is left to chance.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 8
LEFT = 0.7
ROAD, AGENT = 0, 255

Frames = NDArray[np.uint8]


def scene(rng: np.random.Generator) -> tuple[int, int, int]:
    """(shade, row, column) of a scene: its ground, and where the crossing lies."""
    return int(rng.integers(60, 140)), int(rng.integers(2, 5)), int(rng.integers(2, 6))


def frame(where: tuple[int, int, int], agent: tuple[int, int]) -> Frames:
    """(8, 8, 1): a scene with the agent at (row, column)."""
    shade, row, column = where
    picture = np.full((SIDE, SIDE, 1), shade, dtype=np.uint8)
    picture[row] = ROAD
    picture[row:, column] = ROAD
    picture[agent] = AGENT
    return picture


def walk(rng: np.random.Generator) -> list[Frames]:
    """The frames of one walk, from the lower edge of a scene up to the crossing and out at one side."""
    where = scene(rng)
    _, row, column = where
    step = -1 if rng.random() < LEFT else 1
    ends = {-1: -1, 1: SIDE}
    path = [(y, column) for y in range(SIDE - 1, row, -1)] + [(row, x) for x in range(column, ends[step], step)]
    return [frame(where, agent) for agent in path]


def pairs(walks: int, seed: int = 0) -> tuple[Frames, Frames]:
    """x and y, (N, 8, 8, 1) each: every two frames of so many walks that follow one another."""
    rng = np.random.default_rng(seed)
    walked = [walk(rng) for _ in range(walks)]
    x = [one for frames in walked for one in frames[:-1]]
    y = [one for frames in walked for one in frames[1:]]
    return np.stack(x), np.stack(y)


def outcomes(where: tuple[int, int, int]) -> tuple[Frames, Frames, Frames]:
    """A frame with the agent at the crossing, and the two that may follow: it went left, it went right."""
    _, row, column = where
    return frame(where, (row, column)), frame(where, (row, column - 1)), frame(where, (row, column + 1))
