"""Trainings that break: what they go on with, how often, what is told, and that a healthy one is left alone."""

import pytest
import torch
from safetensors.torch import load_file
from training_kit import RecordingLine, Workshop, blobs, pictures

from gan.errors import CheckpointCorrupt, Diverged, OutOfMemory
from gan.spec import TrainingSpec
from worker.evaluation.checkpoints import CheckpointMetrics
from worker.protocol import Done, Measured, Note, SavedCheckpoint
from worker.training import loop, recovery, step
from worker.training.accumulation import cuts
from worker.training.execution import PLAIN, execution
from worker.training.loop import Trainer
from worker.training.players import figures
from worker.training.recovery import Broken, Change, change_for, eased
from worker.training.state import new_state, state_tensors

CPU = torch.device("cpu")
SMALL = {"width": 8, "latent_dim": 6}


def recovered(line: RecordingLine) -> list[dict]:
    return [note.data for note in line.of(Note) if note.type == "job.recovered"]


def breaking_above(rate: float, monkeypatch: pytest.MonkeyPatch, after: int = 0) -> None:
    """Discriminator steps at a higher rate than this make NaN, once so many steps were made."""
    true, made = step.discriminator_step, [0]

    def broken(players, batch, spec, now):
        made[0] += 1
        scalars = true(players, batch, spec, now)
        if now.learning_rate > rate and made[0] > after:
            scalars["loss_discriminator"] = scalars["loss_discriminator"] * float("nan")
        return scalars

    monkeypatch.setattr(loop, "discriminator_step", broken)


def starving_beyond(rows: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The allocator fails in any discriminator forward of more rows than this; returns the sizes that were tried."""
    tried: list[int] = []
    true = step.discriminator_step

    def hungry(players, batch, spec, now):
        tried.append(len(batch.x))
        if len(batch.x) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore words")
        return true(players, batch, spec, now)

    monkeypatch.setattr(loop, "discriminator_step", hungry)
    return tried


def trained_or_diverged(workshop: Workshop, spec: TrainingSpec) -> tuple[RecordingLine, Diverged | None]:
    line = RecordingLine()
    try:
        workshop.train("points", spec, line=line)
    except Diverged as ended:
        return line, ended
    return line, None


# ---- NaN and explosions ----


def test_a_rate_that_makes_nan_is_lowered_from_the_beginning_where_nothing_was_saved(workshop: Workshop) -> None:
    """A real explosion: no rate is pretended here."""
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", recipe="lsgan", images=640, batch_size=16, learning_rate=10.0, network=SMALL)
    line, ended = trained_or_diverged(workshop, spec)
    told = recovered(line)
    if ended is None:
        assert line.of(Done)
    else:
        assert (len(told), ended.param) == (2, "learning_rate")
        assert "10 → 2.5" in ended.message
    assert told[0] | {"message": "", "reason": ""} == {
        "message": "", "reason": "", "field": "learning_rate", "from": 10.0, "to": 2.5, "to_images": 0,
        "from_images": told[0]["from_images"],
    }  # fmt: skip


def test_training_goes_on_from_the_newest_checkpoint_at_a_quarter_of_the_rate(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    asked = {"recipe": "dcgan", "images": 960, "batch_size": 16, "learning_rate": 1e-3, "network": SMALL}
    spec = workshop.spec("points", checkpoint_every=320, **asked)
    breaking_above(5e-4, monkeypatch, after=30)
    line = workshop.train("points", spec)
    assert line.of(Done) == [Done(ended_by="images")]
    (told,) = recovered(line)
    assert (told["field"], told["from"], told["to"]) == ("learning_rate", 1e-3, 2.5e-4)
    assert (told["reason"], told["to_images"]) == ("not_finite", 320)
    assert 480 <= told["from_images"] <= 640
    assert line.series()[960]["learning_rate"] == 2.5e-4
    assert line.series()[288]["learning_rate"] == 1e-3
    assert [change["now"] for change in line.of(Measured)[-1].changes] == [2.5e-4]


def test_after_two_lower_rates_it_ends_as_diverged_and_says_what_was_tried(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", recipe="dcgan", images=960, batch_size=16, learning_rate=1e-3, network=SMALL)
    breaking_above(0.0, monkeypatch)
    line = RecordingLine()
    with pytest.raises(Diverged) as ended:
        workshop.train("points", spec, line=line)
    assert [(told["from"], told["to"]) for told in recovered(line)] == [(1e-3, 2.5e-4), (2.5e-4, 6.25e-5)]
    assert "learning_rate 0.001 → 0.00025" in ended.value.message
    assert "0.00025 → 6.25e-05" in ended.value.message
    assert len(line.of(Measured)[-1].changes) == 2
    assert line.of(SavedCheckpoint) == []


def test_the_count_outlives_a_resume_with_a_checkpoint_and_without(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a checkpoint was saved since, the state has it; where none was, the ledger tells the next holder."""
    workshop.pack("points", blobs(700))
    asked = {"recipe": "dcgan", "images": 960, "batch_size": 16, "learning_rate": 1e-3, "network": SMALL}
    spec = workshop.spec("points", checkpoint_every=320, **asked)
    breaking_above(5e-4, monkeypatch, after=10)
    first = workshop.train("points", spec, line=RecordingLine(lambda report: isinstance(report, SavedCheckpoint)))
    (change,) = first.of(Measured)[-1].changes
    breaking_above(0.0, monkeypatch)
    for resume, changes in ((first.of(SavedCheckpoint)[-1:], []), ([], [change])):
        line = RecordingLine()
        with pytest.raises(Diverged, match=r"0\.001 → 0\.00025"):
            workshop.train("points", spec, line=line, epoch=2, resume=resume, changes=changes)
        assert [told["from"] for told in recovered(line)] == [2.5e-4], "only one more was left"


def test_a_job_whose_time_is_spent_does_not_succeed_with_untrained_networks(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back to the beginning with no time left would end in success and a generator that was never trained."""
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", recipe="dcgan", max_seconds=0.5, batch_size=16, network=SMALL)
    breaking_above(0.0, monkeypatch)
    line = RecordingLine()
    with pytest.raises(Diverged, match="no time is left to begin anew; try a learning_rate") as ended:
        workshop.train("points", spec.model_copy(update={"report_every": 10**9}), line=line)
    assert ended.value.param == "learning_rate"
    assert line.of(SavedCheckpoint) == line.of(Done) == []
    assert len(line.of(Measured)[-1].changes) == 1


def test_a_break_does_not_begin_anew_in_silence_where_what_was_stored_is_damaged(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    asked = {"recipe": "dcgan", "images": 960, "batch_size": 16, "learning_rate": 1e-3, "network": SMALL}
    spec = workshop.spec("points", checkpoint_every=320, **asked)
    breaking_above(5e-4, monkeypatch, after=24)

    def damage(report: object) -> bool:
        if isinstance(report, SavedCheckpoint):
            (workshop.root / report.state_path).write_bytes(b"rust")
        return False

    line = RecordingLine(damage)
    with pytest.raises(CheckpointCorrupt, match="every stored training state is damaged"):
        workshop.train("points", spec, line=line)
    assert recovered(line) == []
    assert len(line.of(SavedCheckpoint)) == 1


def test_a_checkpoint_after_a_recovery_has_no_figures_of_what_was_given_up(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report at 600 images is not one of the state that was gone back to, and that is saved anew at 320 + 16."""
    workshop.pack("points", blobs(700))
    asked = {"recipe": "dcgan", "images": 960, "batch_size": 16, "learning_rate": 1e-3, "network": SMALL}
    spec = workshop.spec("points", checkpoint_every=320, **asked).model_copy(update={"report_every": 200})
    breaking_above(5e-4, monkeypatch, after=38)
    line = RecordingLine(lambda report: isinstance(report, Note) and report.type == "job.recovered")
    workshop.train("points", spec, line=line)
    assert recovered(line)[0]["to_images"] == 320
    assert line.series().keys() == {208, 400, 608}
    saved = line.of(SavedCheckpoint)[-1]
    assert saved.images == 320
    assert "loss_discriminator" not in saved.metrics


def test_a_training_that_recovered_goes_on_bit_for_bit_after_a_stop(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    asked = {"recipe": "r3gan", "images": 960, "batch_size": 16, "learning_rate": 1e-3, "network": SMALL}
    spec = workshop.spec("points", checkpoint_every=160, **asked)
    breaking_above(5e-4, monkeypatch, after=24)
    whole = workshop.train("points", spec, job="whole")
    assert len(recovered(whole)) == 1
    saved = next(c for c in whole.of(SavedCheckpoint) if c.images > recovered(whole)[0]["from_images"])
    rest = workshop.train("points", spec, job="rest", epoch=2, resume=[saved])
    ends = [load_file(workshop.root / line.of(SavedCheckpoint)[-1].state_path) for line in (whole, rest)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert rest.series()[960] == whole.series()[960]


def test_a_clipped_critic_that_explodes_is_clipped_ten_times_narrower(workshop: Workshop) -> None:
    """Weights within ±10 at a rate of 0.1: logits of millions, all of them numbers."""
    workshop.pack("points", blobs(700))
    asked = {"recipe": "wgan", "clip": 10.0, "learning_rate": 0.1, "batch_size": 16}
    spec = workshop.spec("points", images=16 * 5 * 60, critic_steps=5, network={"width": 64}, **asked)
    line, ended = trained_or_diverged(workshop, spec)
    first = recovered(line)[0]
    assert (first["reason"], first["field"], first["from"], first["to"]) == ("exploded", "clip", 10.0, 1.0)
    assert ended is None or "clip 10 → 1" in ended.message


def test_a_schedule_keeps_its_shape_when_its_start_is_changed(workshop: Workshop) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", learning_rate=1e-3)
    change = Change(reason="not_finite", field="learning_rate", was=1e-3, now=2.5e-4, from_images=1, to_images=0)
    for share in (0.0, 0.3, 1.0):
        calm, was = figures(eased(spec, [change]), share), figures(spec, share)
        assert calm.learning_rate == pytest.approx(0.25 * was.learning_rate)
        assert (calm.r1, calm.beta2) == (was.r1, was.beta2)
    assert eased(spec, []) is spec


def test_an_error_of_another_kind_is_not_mended(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", images=320, batch_size=16, network=SMALL)

    def shapes_differ(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(loop, "discriminator_step", shapes_differ)
    line = RecordingLine()
    with pytest.raises(RuntimeError, match="mat1"):
        workshop.train("points", spec, line=line)
    assert recovered(line) == []


# ---- memory ----


def test_out_of_memory_goes_on_once_with_half_a_batch_at_a_time(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", recipe="r3gan", images=320, batch_size=16, network=SMALL)
    whole = workshop.train("points", spec, job="whole")
    tried = starving_beyond(8, monkeypatch)
    line = workshop.train("points", spec, job="halves")
    assert line.of(Done) == [Done(ended_by="images")]
    (told,) = recovered(line)
    assert (told["field"], told["from"], told["to"], told["reason"]) == ("accumulate", 1.0, 2.0, "out_of_memory")
    assert "2.00 GiB" in told["message"]
    assert "more words" not in told["message"]
    assert tried == [16] + [8] * 40
    assert line.series().keys() == whole.series().keys(), "a step still consumes as many images"


def test_after_out_of_memory_checkpoints_are_measured_in_halves_too(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", recipe="r3gan", images=320, batch_size=16, network=SMALL)
    starving_beyond(8, monkeypatch)
    sizes: list[int] = []
    measure = CheckpointMetrics.measure

    def watched(self, generator, told_to_stop):
        def looked_at(z, c):
            sizes.append(len(z))
            return generator(z, c)

        return measure(self, looked_at, told_to_stop)

    monkeypatch.setattr(CheckpointMetrics, "measure", watched)
    workshop.train("points", spec)
    assert set(sizes) == {8}


def test_out_of_memory_a_second_time_ends_the_job_and_names_the_field(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", images=320, batch_size=16, network=SMALL)
    starving_beyond(4, monkeypatch)
    line = RecordingLine()
    with pytest.raises(OutOfMemory) as ended:
        workshop.train("points", spec, line=line)
    assert len(recovered(line)) == 1
    assert ended.value.param == "batch_size"
    assert "accumulate 1 → 2" in ended.value.message
    assert ended.value.code == "out_of_memory"


def test_the_cpus_allocator_is_understood_too() -> None:
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory")
    assert recovery.broken(error).how == "out_of_memory"
    assert recovery.broken(MemoryError()) == Broken("out_of_memory", "memory ran out")
    assert recovery.broken(ValueError("other")) is None


def test_a_batch_too_small_to_cut_ends_at_once(workshop: Workshop) -> None:
    workshop.pack("points", blobs(700))
    spec = workshop.spec("points", batch_size=3)
    with pytest.raises(OutOfMemory, match="cannot be cut"):
        change_for(Broken("out_of_memory", "memory ran out"), spec, [], 0)


EVERY_LOSS = [
    {"loss": "minimax"}, {"loss": "non_saturating"}, {"loss": "least_squares"}, {"loss": "wasserstein"},
    {"loss": "hinge"}, {"loss": "relativistic"},
]  # fmt: skip
EVERY_CONTROL = [
    {"r1": 3.0, "r2": 0.0}, {"r1": 0.0, "r2": 3.0}, {"lipschitz": "gradient_penalty"}, {"lipschitz": "spectral_norm"},
    {"lipschitz": "weight_clipping", "clip": 0.1}, {"augment": "diffaugment"}, {"shared_batch": True},
]  # fmt: skip


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize(
    "override", EVERY_LOSS + EVERY_CONTROL, ids=lambda o: next(iter(o)) + str(next(iter(o.values())))
)
def test_accumulated_gradients_are_those_of_the_whole_batch(
    workshop: Workshop, override: dict[str, object], parts: int
) -> None:
    """Of both players, with every loss and penalty, and parts of unequal size (16 = 5 + 5 + 6)."""
    images, labels = pictures(200)
    workshop.pack("images", images, labels, ("dark", "bright"))
    network = {"architecture": "dcgan", "width": 4, "latent_dim": 6}
    spec = workshop.spec("images", **({"recipe": "r3gan", "batch_size": 16, "network": network} | override))
    data = trainer_of(workshop, spec).data
    for player, optimizer in (("discriminator", "_critic_turn"), ("generator", "_generator_turn")):
        whole, cut = (trainer_of(workshop, spec, data, cuts(16, number)) for number in (1, parts))
        for trainer in (whole, cut):
            frozen_norms(trainer)
            if player == "generator":
                trainer.state.counters.critic_steps = 1
            getattr(trainer, optimizer)()
        gradients = [dict(getattr(t.state.players, player).named_parameters()) for t in (whole, cut)]
        for name, parameter in gradients[0].items():
            torch.testing.assert_close(gradients[1][name].grad, parameter.grad, rtol=2e-4, atol=2e-6, msg=name)
        means = [t.state.meters.means() for t in (whole, cut)]
        assert means[0] == pytest.approx(means[1], rel=1e-3, abs=1e-5)


def trainer_of(workshop: Workshop, spec: TrainingSpec, data=None, parts=None, how=PLAIN) -> Trainer:
    from worker.training.data import TrainingData, open_packed

    data = data or TrainingData(open_packed(workshop.root / "datasets" / "images"), spec, CPU)
    trainer = Trainer(spec, data, new_state(spec, CPU, how))
    trainer.parts = parts or trainer.parts
    return trainer


def frozen_norms(trainer: Trainer) -> None:
    """Batch norm by its running statistics: over a part they would be others than over the batch."""
    for network in (trainer.state.players.generator, trainer.state.players.discriminator):
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()


def test_spectral_normalisation_iterates_once_a_step_however_many_parts_there_are(workshop: Workshop) -> None:
    images, labels = pictures(200)
    workshop.pack("images", images, labels, ("dark", "bright"))
    spec = workshop.spec("images", recipe="sngan", batch_size=16, network=SMALL)
    buffers = []
    for number in (1, 2):
        trainer = trainer_of(workshop, spec, None, cuts(16, number))
        trainer._critic_turn()
        buffers.append(dict(trainer.state.players.discriminator.named_buffers()))
    for name, buffer in buffers[0].items():
        torch.testing.assert_close(buffers[1][name], buffer, msg=name)


def test_weights_move_once_a_step_and_not_by_half_a_batch(workshop: Workshop) -> None:
    workshop.pack("images", *pictures(200), ("dark", "bright"))
    spec = workshop.spec("images", recipe="dcgan", batch_size=16, network=SMALL)
    trainer = trainer_of(workshop, spec, None, cuts(16, 2))
    trainer.update()
    moments = trainer.state.players.discriminator_optimizer.state.values()
    assert {float(moment["step"]) for moment in moments} == {1.0}


# ---- health ----


def test_a_healthy_training_takes_the_very_path_of_a_trainer_that_knows_no_recovery(workshop: Workshop) -> None:
    """The same weights and moments to the last bit, and the spec's own figures throughout."""
    workshop.pack("images", *pictures(200), ("dark", "bright"))
    spec = workshop.spec("images", recipe="r3gan", images=96, batch_size=16, network=SMALL)
    line = workshop.train("images", spec)
    assert recovered(line) == []
    plain = trainer_of(workshop, spec, how=execution(spec, CPU))
    assert plain.spec is spec
    while plain.ended_by is None or plain.report_due:
        plain.report() if plain.report_due else plain.update()
    saved = load_file(workshop.root / line.of(SavedCheckpoint)[-1].state_path)
    assert all(torch.equal(saved[name], tensor) for name, tensor in state_tensors(plain.state).items())
