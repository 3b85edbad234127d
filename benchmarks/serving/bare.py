"""What the machine can do at most: the generator alone, the encoder alone, and both in turns, without a server.

python -m benchmarks.serving.bare --rounds 40
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from statistics import median
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.serving.model import SPEC, generator
from gan.images import STILLS
from gan.networks.build import generator_example
from gan.networks.folding import for_serving
from gan.networks.packing import pack
from service.engine.runtime import levels

BATCH: Final = 16
Images = NDArray[np.uint8]


def drawn(network: nn.Module, z: torch.Tensor) -> Images:
    """One batch of pictures."""
    with torch.inference_mode():
        return levels(network(z))


def encoded(images: Images) -> list[bytes]:
    """A PNG each, without text."""
    return [STILLS["png"].encode(image, {}) for image in images]


def rates(rounds: int, count: int, *works: Callable[[], Any]) -> list[float]:
    """Things a second of each, in turns: the median round, each of which makes `count`."""
    seconds: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    for _ in range(rounds):
        for work, spent in zip(works, seconds, strict=True):
            began = time.perf_counter()
            work()
            spent.append(time.perf_counter() - began)
    return [count / median(spent) for spent in seconds]


def limit(rounds: int = 40) -> dict[str, float]:
    """Images a second: the network as it is trained, as it is served, the encoder, and the served one with encoding."""
    eager = generator()
    folded = for_serving(deepcopy(eager))
    pack(folded, *generator_example(SPEC))
    z = torch.randn(BATCH, SPEC.latent_dim, generator=torch.Generator().manual_seed(1))
    images = drawn(folded, z)
    works = (
        lambda: drawn(eager, z),
        lambda: drawn(folded, z),
        lambda: encoded(images),
        lambda: encoded(drawn(folded, z)),
    )
    return dict(zip(("eager", "folded", "encode", "both"), rates(rounds, BATCH, *works), strict=True))


def main() -> None:
    """Measure with one thread and with as many as there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    everything = torch.get_num_threads()
    print("| threads | eager | folded | encode | folded, then encode |")
    print("|---|---|---|---|---|")
    for threads in dict.fromkeys((1, everything)):
        torch.set_num_threads(threads)
        print(f"| {threads} | " + " | ".join(f"{rate:.0f}" for rate in limit(asked.rounds).values()) + " |", flush=True)


if __name__ == "__main__":
    main()
