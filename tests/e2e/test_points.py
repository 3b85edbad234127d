"""Points over HTTP through real processes: tables and matrices in, a condition obeyed, bad uploads refused by name."""

from pathlib import Path

import numpy as np
import pytest

from ganymede import Client, JobFailed

SECONDS = 600.0
"""What a training of a few seconds may take: it is nice, and busy neighbours leave it a tenth of a core or less."""

pytestmark = pytest.mark.timeout(900)


def ring(path: Path) -> Path:
    """Two thousand points around the unit circle, (N, 2) float32."""
    draws = np.random.default_rng(1)
    angles = draws.uniform(0, 2 * np.pi, 2000)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.save(path, (circle + draws.normal(0, 0.05, circle.shape)).astype(np.float32))
    return path


def test_a_condition_keeps_both_branches(client: Client, tmp_path: Path) -> None:
    """y = ±(½ + x²): at one x there are two answers, and a generator that took their mean would draw 0."""
    draws = np.random.default_rng(0)
    x = draws.uniform(-1, 1, 2000)
    y = draws.choice([-1, 1], 2000) * (0.5 + x**2)
    table = tmp_path / "branches.csv"
    table.write_text("c_x,y\n" + "".join(f"{a:.5f},{b:.5f}\n" for a, b in zip(x, y, strict=True)))
    client.datasets.upload(table, "branches")
    dataset = client.datasets.wait("branches")
    assert (dataset.kind, dataset.count, dataset.dims, dataset.condition_dims) == ("points", 2000, 1, 1)

    asked = {"type": "train", "dataset": "branches", "model": "branches", "recipe": "r3gan", "seed": 0}
    job = client.jobs.create({**asked, "images": 400_000, "network": {"width": 64}})
    client.jobs.wait(job.id, timeout=SECONDS)
    for at in (-0.5, 0.5):
        rows = client.samples.data({"model": "branches", "seed": 0, "count": 400, "condition": [at]})["data"]
        drawn = np.array([row["point"] for row in rows])
        assert drawn.shape == (400, 1)
        near = np.abs(np.abs(drawn) - (0.5 + at**2)) < 0.25
        shares = (near & (drawn > 0)).mean(), (near & (drawn < 0)).mean()
        assert min(shares) > 0.2, (at, shares, np.quantile(drawn, [0.05, 0.25, 0.5, 0.75, 0.95]))


@pytest.mark.parametrize("recipe", ["wgan-gp", "sngan"])
def test_a_matrix_of_points_trains_by_other_recipes(client: Client, tmp_path: Path, recipe: str) -> None:
    client.datasets.upload(ring(tmp_path / "ring.npy"), f"ring-{recipe}")
    assert client.datasets.wait(f"ring-{recipe}").dims == 2
    asked = {"type": "train", "dataset": f"ring-{recipe}", "model": f"ring-{recipe}", "recipe": recipe}
    job = client.jobs.create({**asked, "images": 10_000, "network": {"width": 32}})
    assert client.jobs.wait(job.id, timeout=SECONDS).ended_by == "images"
    drawn = client.samples.save({"model": f"ring-{recipe}", "seed": 1, "count": 50}, tmp_path / "drawn.npy")
    picture = client.samples.create({"model": f"ring-{recipe}", "seed": 1, "count": 50}, "image/png")
    assert picture.content.startswith(b"\x89PNG")
    assert np.isfinite(np.load(drawn)).all()


def test_a_rate_that_explodes_fails_the_job_as_diverged_and_its_last_good_checkpoint_still_draws(
    client: Client, tmp_path: Path
) -> None:
    client.datasets.upload(ring(tmp_path / "ring.npy"), "wild")
    client.datasets.wait("wild")
    asked = {"type": "train", "dataset": "wild", "model": "wild", "recipe": "wgan", "learning_rate": 10}
    job = client.jobs.create({**asked, "images": 60_000, "checkpoint_every": 3000, "network": {"width": 32}})
    with pytest.raises(JobFailed):
        client.jobs.wait(job.id, timeout=SECONDS)
    failed = client.jobs.get(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code, failed.error.param) == ("failed", "diverged", "learning_rate")
    assert client.models.get("wild").checkpoints
    drawn = client.samples.save({"model": "wild", "seed": 1, "count": 50}, tmp_path / "drawn.npy")
    assert np.isfinite(np.load(drawn)).all()


def test_an_upload_becomes_ready_while_a_training_runs(client: Client, tmp_path: Path) -> None:
    client.datasets.upload(ring(tmp_path / "ring.npy"), "busy")
    client.datasets.wait("busy")
    job = client.jobs.create({"type": "train", "dataset": "busy", "model": "busy", "recipe": "dcgan", "images": 10**9})
    try:
        next(seen for seen in client.jobs.watch(job.id) if seen.progress and seen.progress.images)
        client.datasets.upload(ring(tmp_path / "other.npy"), "meanwhile")
        assert client.datasets.wait("meanwhile", timeout=SECONDS).status == "ready"
        assert client.jobs.get(job.id).status == "running"
    finally:
        client.jobs.cancel(job.id)
        assert [seen.status for seen in client.jobs.watch(job.id)][-1] == "cancelled"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("cell.csv", b"x,y\n1,2\n3,oops\n", "line 3, column 'y': 'oops'"),
        ("header.npy", b"\x93NUMPY\x01\x00\x10\x00{'shape': (2, 2,", "not a readable .npy file"),
        ("cut.zip", b"PK\x03\x04 cut short", "not a readable zip archive"),
        ("poem.csv", b"no table, only a line of it\n", "below the header there are no rows"),
    ],
)
def test_a_bad_upload_ends_as_failed_with_its_reason(
    client: Client, tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(data)
    dataset = client.datasets.upload(tmp_path / name, name.partition(".")[0])
    with pytest.raises(JobFailed):
        client.datasets.wait(dataset.id, timeout=SECONDS)
    failed = client.datasets.get(dataset.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == ("dataset_unusable", "file")
    assert says in failed.error.message
