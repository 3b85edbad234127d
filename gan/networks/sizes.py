"""Which grid sizes a convolutional network passes through between its base and the image."""

from gan.spec import ImageShape

Size = tuple[int, int]


def halve(size: Size) -> Size:
    """Half of (height, width), rounded up, so that twice the half covers the whole."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def stage_sizes(shape: ImageShape, smallest: int = 4) -> list[Size]:
    """Grid sizes from the base (smaller side `smallest`..2·`smallest`-1) up to the image: [(4, 4), (8, 8), …, (H, W)].

    Any image of at least 2·`smallest` a side has two stages or more. Odd sizes are made by cropping the double of
    the stage below.
    """
    sizes = [(shape.height, shape.width)]
    while min(halve(sizes[0])) >= smallest:
        sizes.insert(0, halve(sizes[0]))
    return sizes
