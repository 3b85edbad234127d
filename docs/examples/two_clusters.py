"""Two clusters moved towards each other: the Jensen-Shannon divergence says nothing, the Wasserstein distance leads.

    ganymede up                                     # in one terminal
    python docs/examples/two_clusters.py            # in another: draws two_clusters.png

Both clusters are discs of points. While they do not overlap, a discriminator tells them apart without fail, and its
estimate of the divergence sticks at log 2 = 0.693 nats, whether they lie near or far. The critic's estimate of W₁ falls
with every step they come nearer, and so does the exact W₁ beside it.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ganymede import Client

RADIUS = 0.25
DISTANCES = (4.0, 3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0)
"""Between the centres; from 2 · RADIUS on the discs overlap."""
METRICS = ["js_estimate", "wasserstein_estimate", "wasserstein_exact"]
LOG_2 = float(np.log(2))


def disc(count: int, x: float, seed: int) -> NDArray[np.float32]:
    """Points (count, 2), uniform on a disc around (x, 0)."""
    rng = np.random.default_rng(seed)
    turn, far = rng.uniform(0, 2 * np.pi, count), RADIUS * np.sqrt(rng.uniform(0, 1, count))
    return np.stack([x + far * np.cos(turn), far * np.sin(turn)], axis=1).astype(np.float32)


def measured(client: Client, distances: Sequence[float], count: int = 2000, **more: Any) -> list[dict[str, float]]:
    """What an evaluate job finds at each distance; its datasets are deleted again. `more` goes into the requests."""
    with tempfile.TemporaryDirectory() as folder:
        upload(client, Path(folder), "clusters-fixed", disc(count, 0.0, seed=0))
        rows = []
        for number, distance in enumerate(distances):
            name = f"clusters-moved-{number}"
            upload(client, Path(folder), name, disc(count, distance, seed=number + 1))
            asked = {"dataset": "clusters-fixed", "against": name, "metrics": METRICS, **more}
            rows.append({"distance": distance, **client.evaluate(asked)["metrics"]})
            client.datasets.delete(name)
        client.datasets.delete("clusters-fixed")
    return rows


def upload(client: Client, folder: Path, name: str, points: NDArray[np.float32]) -> None:
    """Points as a dataset that is ready."""
    np.save(folder / f"{name}.npy", points)
    client.datasets.wait(client.datasets.upload(folder / f"{name}.npy", name).id)


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """The three estimates over the distance, which falls to the right as the clusters meet."""
    far = [row["distance"] for row in rows]
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    left.axvspan(2 * RADIUS, 0, color="#eeeeee")
    left.axhline(LOG_2, color="#999999", linestyle=":", linewidth=1)
    left.plot(far, [row["js_estimate"] for row in rows], "o-", color="#d62828", label="Jensen-Shannon, estimated")
    right.plot(far, [row["wasserstein_estimate"] for row in rows], "s-", color="#1f6feb", label="W₁, estimated")
    right.plot(far, [row["wasserstein_exact"] for row in rows], "--", color="#0b2a5b", label="W₁, exact")
    left.set(xlabel="distance of the clusters (grey: they overlap)", ylabel="nats", ylim=(-0.02, 0.75))
    left.invert_xaxis()
    right.set(ylabel="units of the data", ylim=(-0.02 * max(far), 1.15 * max(far)))
    handles = [*left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    left.legend(handles=handles, loc="lower left")
    figure.savefig(path)


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the server's address; default: GANYMEDE_URL")
    parser.add_argument("--out", type=Path, default=Path("two_clusters.png"))
    options = parser.parse_args()
    with Client(options.url) as client:
        rows = measured(client, DISTANCES)
    for row in rows:
        print("  ".join(f"{name} {value:.3f}" for name, value in row.items()))
    draw(rows, options.out)


if __name__ == "__main__":
    main()
