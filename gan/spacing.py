"""Some of many, evenly spread: rows of data that are shown, pictures of an animation, inputs that a model carries."""

import numpy as np
import numpy.typing as npt


def evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """The places, from 0, of at most `most` of `count` things in order: the first, the last, and some between."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.int64)
