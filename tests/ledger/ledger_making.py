"""Datasets, training jobs and checkpoints for the ledger's tests, made the short way."""

from gan.spec import Conditioning, ImageShape, NetworkSpec, TrainingSpec
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.records import Dataset, Job, Packed, Saved


class Maker:
    """Makes datasets and training jobs the short way."""

    def __init__(self, jobs: Jobs, datasets: Datasets) -> None:
        self.jobs, self.datasets, self.count = jobs, datasets, 0

    def dataset(self, name: str = "digits", digest: str = "abc") -> Dataset:
        """A dataset that is ready."""
        self.datasets.create(name, {"kind": "upload", "path": f"uploads/{name}.zip"})
        job = self.jobs.claim("light", "wrk_0", 30)
        assert job is not None
        packed = Packed("images", digest, f"datasets/{digest}", 512, 8, 8, 8, 1, classes=["0", "1"])
        return self.datasets.finish_prepare(job.id, job.epoch, packed)

    def spec(self, keep: int = 3, best: int = 1) -> TrainingSpec:
        network = NetworkSpec(
            architecture="r3",
            width=16,
            latent_dim=8,
            latent_distribution="normal",
            shape=ImageShape(channels=1, height=8, width=8),
            conditioning=Conditioning(kind="class", size=2),
        )
        return TrainingSpec.model_validate(SPEC | {"network": network, "keep_checkpoints": keep, "keep_best": best})

    def training(self, priority: int = 0, keep: int = 3, best: int = 1) -> Job:
        """A queued training job of a model of its own."""
        if not self.count:
            self.ready = self.dataset()
        self.count += 1
        return self.jobs.create_training(self.spec(keep, best), self.ready, f"model{self.count}", priority)

    def held(self, lease: float = 30, keep: int = 3, best: int = 1) -> Job:
        """A training job that runs."""
        self.training(keep=keep, best=best)
        job = self.jobs.claim("train", "wrk_1", lease)
        assert job is not None
        return job


SPEC: dict[str, object] = {
    "recipe": "r3gan",
    "seed": 2**63 - 1,
    "images": 1000,
    "max_seconds": None,
    "loss": "relativistic",
    "lipschitz": "none",
    "clip": 0.01,
    "gradient_penalty": 10.0,
    "r1": 1.0,
    "r2": 1.0,
    "critic_steps": 1,
    "critic_boost": None,
    "batch_size": 8,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "betas": (0.0, 0.9),
    "schedules": {},
    "ema_halflife": 500.0,
    "augment": "none",
    "conditional": True,
    "shared_batch": False,
    "holdout": 0.1,
    "checkpoint_every": 100,
    "preview_every": 100,
    "report_every": 100,
    "chosen": {"batch_size": "small images"},
}


def saved(images: int, model: str = "m", tag: str = "") -> Saved:
    """A checkpoint as the worker reports it."""
    stem = f"checkpoints/{model}/{images:08d}{tag}"
    return Saved(
        f"ckpt_{model}{images}{tag}", images, f"{stem}.safetensors", 10, "a" * 64, f"{stem}.state", 20, "b" * 64
    )
