"""The `train` job: set up, resume, step, report, save; told what to do and telling what happened through its line."""

import secrets
import time
from contextlib import suppress
from pathlib import Path

import torch

from gan.checkpoint import ModelHeader, Written, to_levels, write_model
from gan.errors import CheckpointCorrupt, Diverged, JobFailure
from gan.networks.conditioning import standardise_conditions
from gan.spec import Loss, TrainingSpec
from ledger.storage import Storage, make_parents
from worker.evaluation.checkpoints import CheckpointMetrics
from worker.jobs.measuring import Pace
from worker.line import ControlLine
from worker.protocol import (
    Assignment,
    Done,
    Metrics,
    Note,
    Preview,
    Progress,
    SavedCheckpoint,
    Started,
    StateFile,
    Stopped,
)
from worker.training import averages, recovery
from worker.training.data import TrainingData, open_packed
from worker.training.diagnosis import Abandoned, Report
from worker.training.estimates import FEWEST
from worker.training.execution import execution
from worker.training.loop import Trainer, all_finite
from worker.training.preview import Preview as PreviewPainter
from worker.training.recovery import Broken, Change
from worker.training.schedules import spent
from worker.training.starting import begin_from
from worker.training.state import TrainingState, load_state, new_state, save_state
from worker.training.watch import Facts

FIRST_CHECKPOINT = 5.0
CHECKPOINT_SECONDS = 30.0
"""Where no interval in images is asked for: the first checkpoint after 5 s, so that there is something to sample."""
PREVIEWS = 50
PREVIEW_SECONDS = 2.0
"""Where no interval in images is asked for: previews over a job's budget, and the least time between two."""
PROGRESS_SECONDS = 0.5
KNOWN_WEAKNESSES: dict[Loss, dict[str, str]] = {
    "minimax": {
        "code": "saturating_loss",
        "message": "the generator's loss saturates: where the discriminator is sure, its gradient vanishes",
        "remedy": "watch gradient_norm_generator; recipe dcgan has the same fixed point and a gradient that lives",
    }
}
"""What a job says of its loss at the start, as advice; a `warning` comes where the run shows it."""


def run(assignment: Assignment, line: ControlLine) -> None:
    """Trains until the budget is spent or the line says stop. Raises a JobFailure where it cannot go on."""
    TrainingJob(assignment, line).run()


class TrainingJob:
    """One claim on one training job: what it was given, where it is, and when which file is due."""

    def __init__(self, assignment: Assignment, line: ControlLine) -> None:
        assert assignment.dataset is not None
        assert assignment.model is not None
        self.assignment, self.line = assignment, line
        self.spec = TrainingSpec.model_validate(assignment.spec)
        self.storage = Storage(Path(assignment.storage))
        self.device = torch.device(assignment.device)
        torch.set_num_threads(assignment.threads)
        self.execution = execution(self.spec, self.device, assignment.precision, capture=assignment.capture)
        packed = open_packed(self.storage.path(assignment.dataset["path"]))
        self.classes = packed.facts.classes if self.spec.network.conditioning.kind == "class" else ()
        self.data = TrainingData(packed, self.spec, self.device)
        self.facts = Facts.of(self.spec, len(self.data.train_rows))
        self.stored = list(assignment.resume)
        state = self._resumed() or self._new()
        state.counters.changes = max(state.counters.changes, earlier_changes(assignment), key=len)
        self.saved_at: int | None = None
        self._take_up(state)

    def _take_up(self, state: TrainingState) -> None:
        """Go on from this state."""
        self.state = state
        if state.units.taken_over:
            self.data.standardise_by(state.units.mean, state.units.std)
        self.trainer = Trainer(self.spec, self.data, state)
        self.painter = PreviewPainter(self.data, self.trainer.at_once)
        self.measuring = CheckpointMetrics(self.trainer.at_once, self.data)
        self.report: Report = {}
        self.due = Due(self.spec, state)
        self.pace = Pace(self.spec, state.counters, self.device)

    def run(self) -> None:
        """Until the budget is spent, somebody says stop, or it broke once more than can be mended."""
        self.line.send(Started(device=device_name(self.device)))
        if self.device.type != "cpu":  # on a CPU nothing depends on the machine
            self.line.send(Note(type="job.execution", data=self.execution.words()))
        self._say_what_to_expect()
        while (broke := self._train()) is not None:
            self._mend(broke)

    def _train(self) -> Broken | None:
        """Train to the end; or until it breaks, and how. What the step that broke had made is let go of by then."""
        try:
            self._until_the_end()
        except (Diverged, RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
            broke = recovery.broken(error)
            if broke is None:
                raise
            return broke
        return None

    def _until_the_end(self) -> None:
        if not self.state.counters.images:
            self._preview()  # what the generator makes before it has learned anything
        while (ended_by := self.trainer.ended_by) is None or self.trainer.report_due:
            if self.line.stop is not None:
                return self._stop(save=self.line.stop.save)
            if not self.trainer.report_due:
                self.trainer.update()
            with suppress(Abandoned):  # told to stop: whoever goes on from here makes the report anew
                if self.trainer.report_due:
                    self._report()
                self._whatever_is_due()
        assert ended_by is not None
        return self._finish(ended_by)

    def _mend(self, broke: Broken) -> None:
        """Go on from the last good state with one figure changed.

        Raises the typed failure where none is left to try, or no time and nothing was saved.

        The clock is not turned back: `max_seconds` is a budget of true time.
        """
        before = self.state.counters
        try:
            change = recovery.change_for(broke, self.spec, before.changes, before.seen)
        except JobFailure:
            self.line.send(self.pace.measured())
            raise
        del self.state, self.trainer, self.painter, self.measuring, self.due, self.pace
        recovery.free_memory()
        state = self._last_good()
        change = change.model_copy(update={"to_images": state.counters.seen})
        state.counters.changes, state.counters.seconds = [*before.changes, change], before.seconds
        self._take_up(state)
        self.line.send(self.pace.measured())
        if self.trainer.ended_by is not None and not state.counters.images:
            raise recovery.too_late(broke, self.spec)
        told = {"message": broke.message, **change.model_dump(exclude={"was", "now"})}
        self.line.send(Note(type="job.recovered", data=told | {"from": change.was, "to": change.now}))

    def _last_good(self) -> TrainingState:
        """The newest stored state that is whole; the state before the first step where none was stored.

        CheckpointCorrupt where some were, and all are damaged: a disk to look at, as for a job that is resumed.
        """
        for file in self.stored:
            with suppress(CheckpointCorrupt):  # an older one may have been retired
                return self._load(file)
        if self.stored:
            raise all_damaged()
        return self._new()

    def _new(self) -> TrainingState:
        """The state before the first step: drawn by the seed, or that of the checkpoint that the job goes on from."""
        if self.assignment.start is not None:
            return self._begun(self.assignment.start)
        assert self.spec.resume_from is None, "the checkpoint that a job goes on from is given to it"
        state = new_state(self.spec, self.device, self.execution)
        conditions = self.data.kept_conditions()
        if conditions is not None:
            for module in state.modules().values():
                standardise_conditions(module, conditions)
        return state

    def _begun(self, start: StateFile) -> TrainingState:
        """The state that a checkpoint is gone on from with; what of it could be taken over is told."""
        begun = begin_from(self.storage.path(start.path), start.sha256, self.spec, self.device, self.execution)
        generator = "raw" if begun.raw else "average"
        data = {"checkpoint": start.checkpoint, "images": start.images, "generator": generator}
        self.line.send(Note(type="job.began_from", data=data | {"averages": begun.averages}))
        return begun.state

    def _resumed(self) -> TrainingState | None:
        """The newest state whose bytes are those that were written; each one passed over is told.

        None where there is none to go on from. CheckpointCorrupt where there are, and all are damaged.
        """
        for file in self.assignment.resume:
            try:
                state = self._load(file)
            except CheckpointCorrupt as error:
                self.line.send(
                    Note(type="checkpoint.skipped", data={"checkpoint": file.checkpoint, "reason": str(error)})
                )
            else:
                self.line.send(Note(type="job.resumed", data={"checkpoint": file.checkpoint, "images": file.images}))
                return state
        if self.assignment.resume:
            raise all_damaged()
        return None

    def _load(self, file: StateFile) -> TrainingState:
        return load_state(self.storage.path(file.path), self.spec, self.device, file.sha256, self.execution)

    def _whatever_is_due(self) -> None:
        if self.due.progress():
            self._progress()
        if self.due.preview():
            self._preview()
        if self.due.checkpoint():
            self._checkpoint()

    def _report(self) -> None:
        self.report = self.trainer.report(self._told_to_stop)
        images = self.state.counters.seen
        self.line.send(Metrics(images=images, values=self.report | self.due.throughput()))
        for note in self.state.watch.look(self.report, images, self.trainer.spent, self.facts):
            self.line.send(Note(type=note.type, data=note.data))

    def _progress(self) -> None:
        spent, counters = self.trainer.spent, self.state.counters
        rate = self.due.throughput()["images_per_second"]
        eta = counters.seconds * (1 - spent) / spent if spent > 0 else None
        self.line.send(
            Progress(
                images=counters.images,
                total_images=self.spec.images,
                percent=100 * spent,
                images_per_second=rate,
                eta_seconds=eta,
            )
        )
        estimate = self.pace.estimate()
        if estimate is not None:
            self.line.send(estimate)

    def _preview(self) -> None:
        images = self.state.counters.seen
        path = f"previews/{self.assignment.job}/e{self.assignment.epoch}-{images:012d}.png"
        self.storage.write_bytes(path, self.painter.draw(self.state.players))
        self.line.send(Preview(images=images, path=path))

    def _checkpoint(self) -> None:
        """Both files, then one line about them. Diverged, and nothing written, where the state is no good one."""
        recovery.refuse_broken(self.state.meters.means(), self.state.counters.seen)
        if not all_finite(self.state):
            raise Diverged(
                f"a weight became NaN or infinite before {self.state.counters.seen} images", param="learning_rate"
            )
        checkpoint = f"ckpt_{secrets.token_hex(12)}"
        folder = f"checkpoints/{self.assignment.model}"
        model_path = f"{folder}/e{self.assignment.epoch}-{checkpoint}.model.safetensors"
        state_path = f"{folder}/e{self.assignment.epoch}-{checkpoint}.state.safetensors"
        make_parents(self.storage.path(model_path))
        model = self._write_model(self.storage.path(model_path))
        try:
            state = save_state(self.storage.path(state_path), self.spec, self.state)
        except OSError:
            self.storage.remove(model_path)  # half a checkpoint is nobody's, and takes room where there is none
            raise
        images = self.saved_at = self.state.counters.seen
        self.stored.insert(0, StateFile(checkpoint=checkpoint, path=state_path, sha256=state.sha256, images=images))
        self.line.send(
            SavedCheckpoint(
                id=checkpoint,
                images=images,
                path=model_path,
                bytes=model.bytes,
                sha256=model.sha256,
                state_path=state_path,
                state_bytes=state.bytes,
                state_sha256=state.sha256,
                metrics=self.report | self._measured(),
            )
        )

    def _measured(self) -> Report:
        """What the averaged generator scores; None each where the job is told to stop, which must not wait for it.

        None, lest a figure of that name in the report, which is of other rows, be taken for it.
        """
        with suppress(Abandoned):
            return self.measuring.measure(self.state.players.average, self._told_to_stop)
        return dict.fromkeys(self.measuring.names)

    def _told_to_stop(self) -> bool:
        return self.line.stop is not None

    def _write_model(self, path: Path) -> Written:
        assert self.assignment.dataset is not None
        header = ModelHeader(
            network=self.spec.network,
            recipe=self.spec.recipe,
            loss=self.spec.loss,
            classes=self.classes,
            class_counts=self.data.class_counts(),
            images=self.state.counters.seen,
            seed=self.spec.seed,
            dataset_digest=self.assignment.dataset["digest"],
            ema_halflife=self.spec.ema_halflife,
            ema_halflives=averages.selectable(self.spec),
            calibration=self.measuring.calibration(self.state.players.average, self.state.players.discriminator),
        )
        return write_model(path, header, self._model_tensors())

    def _model_tensors(self) -> dict[str, torch.Tensor]:
        players = self.state.players
        tensors = averages.model_tensors(players, self.spec)
        tensors |= {f"discriminator.{k}": t for k, t in players.discriminator.state_dict().items()}
        if not self.data.images:
            tensors |= {"points.mean": self.data.mean, "points.std": self.data.std}
        conditions = self.data.kept_conditions()
        if conditions is not None and self.spec.network.conditioning.kind == "image":
            return tensors | {"inputs": to_levels(conditions)}
        return tensors if conditions is None else tensors | {"conditions": conditions}

    def _stop(self, *, save: bool) -> None:
        if save and self.state.counters.images:
            self._checkpoint()
        self.line.send(self.pace.measured())
        self.line.send(Stopped())

    def _finish(self, ended_by: str) -> None:
        if self.state.counters.images and not self.state.counters.reports:  # too short for one: else it tells nothing
            with suppress(Abandoned):
                self._report()
        self._preview()
        if self.saved_at != self.state.counters.seen:
            self._checkpoint()
        self._progress()
        self.line.send(self.pace.measured())
        self.line.send(Done(ended_by=ended_by))

    def _say_what_to_expect(self) -> None:
        """At a job's first start: which estimates will be missing, and what its loss is known for."""
        if self.state.counters.images:
            return
        if self.spec.loss in KNOWN_WEAKNESSES:
            self.line.send(Note(type="advice", data=KNOWN_WEAKNESSES[self.spec.loss]))
        held = len(self.data.held_rows)
        if held < FEWEST:
            reason = f"{held} rows are held out and an estimate needs {FEWEST}: held-out estimates stay empty"
            self.line.send(Note(type="estimates.missing", data={"reason": reason}))


def all_damaged() -> CheckpointCorrupt:
    """Why a job ends that has stored states and none to go on from."""
    return CheckpointCorrupt(
        "every stored training state is damaged, so the job cannot go on; look at the disk, and train anew "
        "under another model name (the model's checkpoints can still be drawn from where they are whole)"
    )


class Due:
    """When progress, previews and checkpoints are due: by images where the request says so, else by the clock."""

    def __init__(self, spec: TrainingSpec, state: TrainingState) -> None:
        self.spec, self.counters = spec, state.counters
        self._start = (time.monotonic(), state.counters.images)
        self._last_progress = 0.0
        self._images = dict.fromkeys(("preview", "checkpoint"), state.counters.images)
        self._next_checkpoint = time.monotonic() + FIRST_CHECKPOINT
        self._previews, self._next_preview = self._preview_number(), 0.0

    def progress(self) -> bool:
        """Twice a second."""
        now = time.monotonic()
        if now - self._last_progress < PROGRESS_SECONDS:
            return False
        self._last_progress = now
        return True

    def preview(self) -> bool:
        """Every `preview_every` images; else `PREVIEWS` times over the budget, but no two within `PREVIEW_SECONDS`."""
        if self.spec.preview_every is not None:
            return self._crossed("preview", self.spec.preview_every)
        number, now = self._preview_number(), time.monotonic()
        if number <= self._previews or now < self._next_preview:
            return False
        self._previews, self._next_preview = number, now + PREVIEW_SECONDS
        return True

    def checkpoint(self) -> bool:
        """Every `checkpoint_every` images, or by the clock."""
        if self.spec.checkpoint_every is not None:
            return self._crossed("checkpoint", self.spec.checkpoint_every)
        now = time.monotonic()
        if now < self._next_checkpoint:
            return False
        self._next_checkpoint = now + CHECKPOINT_SECONDS
        return True

    def throughput(self) -> dict[str, float | None]:
        """Images per second of wall clock since this process began to train."""
        seconds = time.monotonic() - self._start[0]
        return {"images_per_second": (self.counters.images - self._start[1]) / seconds if seconds > 0 else None}

    def _preview_number(self) -> int:
        return int(PREVIEWS * spent(self.spec, self.counters.images, self.counters.seconds))

    def _crossed(self, what: str, every: int) -> bool:
        before, self._images[what] = self._images[what], self.counters.images
        return before // every < self.counters.images // every


def earlier_changes(assignment: Assignment) -> list[Change]:
    """What earlier holders of the job changed, whether or not a checkpoint was saved since."""
    return [Change.model_validate(change) for change in assignment.changes]


def device_name(device: torch.device) -> str:
    """`cpu`, or `cuda:0 NVIDIA …`."""
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)
