"""Evaluation through real processes: the example of the theory as documented, and a model by client and command."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from running import Stack

from ganymede import Client

SECONDS = 600.0
"""What a training or an evaluation of seconds may take: it is nice, and busy neighbours leave it a tenth of a core."""
EXAMPLE = Path(__file__).parents[2] / "docs/examples/two_clusters.py"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("two_clusters", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_divergence_sticks_while_the_clusters_are_apart_and_the_distance_falls(
    client: Client, example: ModuleType, tmp_path: Path
) -> None:
    rows = example.measured(client, (3.0, 1.5, 0.75, 0.25), count=800, steps=250)
    apart = [row for row in rows if row["distance"] > 2 * example.RADIUS]
    assert [row["distance"] for row in apart] == [3.0, 1.5, 0.75]
    assert all(0.68 <= row["js_estimate"] <= example.LOG_2 for row in apart)
    assert rows[-1]["js_estimate"] < 0.6  # they overlap
    estimates = [row["wasserstein_estimate"] for row in rows]
    assert estimates == sorted(estimates, reverse=True)
    assert len(set(estimates)) == len(rows)
    for row in rows:
        assert row["wasserstein_exact"] == pytest.approx(row["distance"], rel=0.05)
        assert row["wasserstein_estimate"] == pytest.approx(row["wasserstein_exact"], rel=0.2)
    example.draw(rows, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.size == (960, 480)


def test_a_model_is_measured_as_it_trains_and_afterwards(stack: Stack, client: Client, tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(3, 2, (1000, 2)).astype(np.float32)
    np.save(tmp_path / "blob.npy", points)
    client.datasets.upload(tmp_path / "blob.npy", "blob")
    client.datasets.wait("blob", timeout=SECONDS)
    job = client.jobs.create({"type": "train", "dataset": "blob", "model": "blob", "images": 20_000, "seed": 0})
    client.jobs.wait(job.id, timeout=SECONDS)
    done = stack.run("evaluate", "blob", "--metrics", "wasserstein_exact,precision", "--samples", "500")
    assert done.returncode == 0, done.stderr
    assert "wasserstein_exact" in done.stdout
    assert "held_out" in done.stdout
    [evaluation] = client.jobs.list(type="evaluate", model="blob").data
    assert evaluation.status == "succeeded"
    assert evaluation.result is not None
    assert set(evaluation.result["metrics"]) == {"wasserstein_exact", "precision"}
    metrics = client.models.get("blob").checkpoints[0].metrics
    assert metrics is not None
    assert metrics["evaluated_precision"] == evaluation.result["metrics"]["precision"]
    assert {"precision", "recall", "wasserstein_exact", "sliced_wasserstein"} <= set(metrics)
    assert len(client.models.get("blob").checkpoints) >= 1
