"""What a report costs and tells, and that every bad end of a training has its own name."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.parametrizations import _SpectralNorm
from training_kit import RecordingLine, Workshop, blobs, pictures

from gan.errors import CheckpointCorrupt, Diverged
from gan.spec import TrainingSpec
from worker.attempt import failure
from worker.jobs.train import TrainingJob
from worker.protocol import Assignment, Metrics, Note, SavedCheckpoint, Stop
from worker.training.data import moments, open_packed
from worker.training.diagnosis import Abandoned, Diagnosis, rows_looked_at
from worker.training.loop import Trainer
from worker.training.state import new_state

SMALL = {"width": 8, "latent_dim": 6}
CPU = torch.device("cpu")


def job_of(workshop: Workshop, dataset: str, spec: TrainingSpec, line: RecordingLine) -> TrainingJob:
    assignment = Assignment(
        job="job_1", epoch=1, type="train", spec=spec.model_dump(mode="json"), storage=str(workshop.root), device="cpu",
        threads=1, deadline=1e18, model="mdl_1", dataset={"id": "ds", "digest": "d", "path": f"datasets/{dataset}"},
    )  # fmt: skip
    return TrainingJob(assignment, line)  # type: ignore[arg-type]  # a line that records


def test_points_are_told_their_exact_wasserstein_distance(workshop: Workshop) -> None:
    """In standardised units, between samples; training shortens it."""
    workshop.pack("points", blobs(2000))
    spec = workshop.spec("points", images=100_000, network={"width": 32})
    distances = [m.values["wasserstein_exact"] for m in workshop.train("points", spec).of(Metrics)]
    assert distances[0] > 0.5
    assert 0 < distances[-1] < 0.7 * distances[0]


def test_no_network_ever_sees_more_rows_at_once_than_a_training_step_gives_it(workshop: Workshop) -> None:
    images, labels = pictures(2000)
    workshop.pack("images", images, labels, ("dark", "bright"))
    job = job_of(workshop, "images", workshop.spec("images", batch_size=16, network=SMALL), RecordingLine())
    diagnosis = Diagnosis(job.state.players, job.data, job.spec, 1, lambda: False)
    rows: list[int] = []
    for network in (diagnosis.generator, diagnosis.discriminator):
        network.register_forward_pre_hook(lambda _module, inputs: rows.append(len(inputs[0])))
    diagnosis.report()
    assert max(rows) == 16
    assert sum(rows) == 3 * 2 * rows_looked_at(job.spec)


@pytest.mark.parametrize(
    ("images", "max_seconds", "rows"),
    [(10**7, None, 256), (200_000, None, 100), (10_000, None, 64), (None, 9, 64)],
)
def test_a_report_looks_at_as_many_rows_as_the_training_since_the_last_one_pays_for(
    workshop: Workshop, images: int | None, max_seconds: float | None, rows: int
) -> None:
    """Ten networks' passes a row, against twelve an image of dcgan's: a row for a hundred images is one per cent."""
    workshop.pack("points", blobs(700))
    budget = {"images": images} if images else {"max_seconds": max_seconds}
    spec = workshop.spec("points", **budget)
    assert rows_looked_at(spec) == rows
    assert images is None or spec.report_every <= images / 20


def test_a_report_that_is_told_to_stop_is_made_by_whoever_goes_on(workshop: Workshop) -> None:
    """The series has no hole where a stop fell into a report."""
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", images=640, batch_size=16, network=SMALL).model_copy(update={"report_every": 160})
    whole = workshop.train("points", spec, job="whole")
    line = RecordingLine()
    job = job_of(workshop, "points", spec, line)
    looks = iter([False] * 3)
    job.trainer.report = lambda told: Trainer.report(job.trainer, lambda: _ordered(line, looks))  # type: ignore[method-assign]
    job.run()
    (saved,) = line.of(SavedCheckpoint)
    assert saved.images == 160
    assert line.of(Metrics) == []
    rest = workshop.train("points", spec, job="1", epoch=2, resume=[saved])
    assert rest.series() == whole.series()


def _ordered(line: RecordingLine, looks) -> bool:
    """Orders a stop at the fourth look."""
    if next(looks, True):
        line.halt(Stop(save=True))
    return line.stop is not None


def test_an_abandoned_report_leaves_the_means_as_they_were(workshop: Workshop) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", batch_size=16, network=SMALL)
    data = job_of(workshop, "points", spec, RecordingLine()).data
    trainer = Trainer(spec, data, new_state(spec, CPU))
    trainer.update()
    before = trainer.state.meters.dump()
    with pytest.raises(Abandoned):
        trainer.report(lambda: True)
    assert trainer.state.meters.dump() == before
    assert trainer.state.counters.reports == 0


def test_real_and_generated_data_of_a_step_are_judged_after_one_power_iteration(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = pictures(700)
    workshop.pack("images", images, labels, ("dark", "bright"))
    spec = workshop.spec("images", recipe="sngan", batch_size=16, network=SMALL, critic_steps=1)
    job = job_of(workshop, "images", spec, RecordingLine())
    normed = [module for module in job.state.players.discriminator.modules() if isinstance(module, _SpectralNorm)]
    iterated: list[int] = []
    iterate = _SpectralNorm._power_method
    monkeypatch.setattr(
        _SpectralNorm, "_power_method", lambda self, *given: (iterated.append(id(self)), iterate(self, *given))[1]
    )
    for player in ("discriminator", "generator"):
        iterated.clear()
        job.trainer.update()
        assert sorted(iterated) == sorted(map(id, normed)), player


def test_a_mean_that_is_infinite_ends_as_diverged_and_nothing_is_saved(workshop: Workshop) -> None:
    """Weights may still be numbers while a moment or a mean is none: such a state is no good one to go back to."""
    workshop.pack("points", blobs(700))
    line = RecordingLine()
    job = job_of(workshop, "points", workshop.spec("points", batch_size=16, network=SMALL), line)
    for _ in range(2):
        job.trainer.update()
    for poison in (
        lambda: job.state.meters.add({"gradient_norm_discriminator": torch.tensor(float("inf"))}),
        lambda: next(iter(job.state.players.generator_optimizer.state.values()))["exp_avg_sq"].fill_(float("inf")),
    ):
        job.state.meters.clear()
        poison()
        with pytest.raises(Diverged):
            job._checkpoint()
    assert line.of(SavedCheckpoint) == []
    assert not list(workshop.root.glob("checkpoints/**/*"))


@pytest.mark.parametrize("dims", [1, 2])
def test_a_generator_of_nan_ends_as_diverged_whatever_is_drawn_first(workshop: Workshop, dims: int) -> None:
    workshop.pack("points", blobs(700)[:, :dims])
    job = job_of(workshop, "points", workshop.spec("points", network=SMALL), RecordingLine())
    next(job.state.players.average.parameters()).data.fill_(float("nan"))
    with pytest.raises(Diverged):
        job._preview()


def test_a_job_whose_every_state_is_damaged_fails_rather_than_begin_anew(workshop: Workshop) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", images=192, batch_size=16, network=SMALL, checkpoint_every=64)
    saved = workshop.train("points", spec).of(SavedCheckpoint)
    for one in saved:
        path = workshop.root / one.state_path
        path.write_bytes(path.read_bytes()[:-1])
    line = RecordingLine()
    with pytest.raises(CheckpointCorrupt, match="every stored training state"):
        workshop.train("points", spec, job="again", line=line, resume=saved[::-1])
    assert [note.type for note in line.of(Note)] == ["checkpoint.skipped"] * len(saved)
    assert line.of(SavedCheckpoint) == []


def test_a_disk_that_is_full_while_a_checkpoint_is_written_ends_as_storage_full(workshop: Workshop) -> None:
    """In a process of its own, which may write no file beyond 10 kB."""
    workshop.pack("points", blobs(700))
    job = job_of(workshop, "points", workshop.spec("points", network=SMALL | {"width": 64}), RecordingLine())
    said, says = os.pipe()
    if (pid := os.fork()) == 0:
        _write_with_little_room(job, says)
    os.close(says)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(said, 100) == b"storage_full"
    assert not list(Path(workshop.root).glob("checkpoints/**/*.safetensors"))


def _write_with_little_room(job: TrainingJob, says: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        job._checkpoint()
    except Exception as error:
        os.write(says, failure(error).code.encode())
    finally:
        os._exit(0)


def test_statistics_of_many_points_are_those_of_all_at_once(workshop: Workshop, monkeypatch) -> None:
    monkeypatch.setattr("worker.training.data.ROWS_AT_ONCE", 100)
    workshop.pack("points", blobs(700))
    packed = open_packed(workshop.root / "datasets" / "points")
    rows = np.arange(0, 700, 2)
    mean, std = moments(packed.data, rows)
    np.testing.assert_allclose(mean, packed.data[rows].astype(float).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, packed.data[rows].astype(float).std(axis=0), rtol=1e-12)
