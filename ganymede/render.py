"""What a person sees: progress bars on standard error, tables on standard output.

Text from the server is shown as plain text: no markup of it is obeyed and no control character of it is passed on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from ganymede.records import Checkpoint, Dataset, Event, Job, Model, Neighbours, Record, Scores
from ganymede.terminal import tell
from ganymede.upload import Report

LINE_SECONDS: Final = 10.0
"""How often progress is told where standard error is no terminal."""

PIPE_WIDTH: Final = 240
"""Columns of a table that is piped elsewhere."""

Watcher = Callable[[Job], None]
"""Told a job each time something is known of it."""


def plain(value: object) -> str:
    """A value as text without control characters; None is a dash, numbers in lists are joined."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "–"
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in str(value))


def clock(seconds: float | None) -> str:
    """Seconds as `1:02:03` or `2:03`; empty where unknown."""
    if seconds is None:
        return ""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: int | None) -> str:
    """Bytes with a decimal unit."""
    if count is None:
        return "–"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


# ---- progress ---------------------------------------------------------------------------------------------------


@contextmanager
def upload_bar(label: str) -> Iterator[Report]:
    """A bar for an upload, on standard error where that is a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(plain(label), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def job_bar(label: str) -> Iterator[Watcher]:
    """A bar for a job, with images, images/s and time left; where standard error is no terminal, lines now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lines(label)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[facts]}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(plain(label), total=100, facts="")

        def show(job: Job) -> None:
            percent = 100.0 if job.status == "succeeded" else (job.progress and job.progress.percent) or 0.0
            progress.update(task, description=f"{plain(label)} {job.status}", completed=percent, facts=facts(job))

        yield show


def lines(label: str) -> Watcher:
    """A watcher that prints a line at each change of state and every `LINE_SECONDS`."""
    said: dict[str, Any] = {"status": "", "at": 0.0}

    def show(job: Job) -> None:
        if job.status == said["status"] and time.monotonic() - said["at"] < LINE_SECONDS:
            return
        said.update(status=job.status, at=time.monotonic())
        tell(" ".join(filter(None, [plain(label), job.status, facts(job)])))

    return show


COUNTED = ("train", "prepare")
"""Types of jobs that count images; of the others only the share that is done is known."""


def facts(job: Job) -> str:
    """How far a job is, in words: `12,800 images, 3,100 images/s, 0:42 left`."""
    if job.status == "queued":
        return f"number {job.queue_position} in the queue" if job.queue_position else ""
    progress = job.progress
    if progress is None:
        return ""
    if job.type not in COUNTED:
        return how_far(job)
    rate = f"{progress.images_per_second:,.0f} images/s" if progress.images_per_second else ""
    left = f"{clock(progress.eta_seconds)} left" if progress.eta_seconds is not None and not job.ended else ""
    return ", ".join(filter(None, [f"{progress.images:,} images", rate, left]))


def expected(job: Job) -> str:
    """What a job will take: `about 1:01 and 549.0 MB of memory`; empty where nothing was estimated."""
    known = job.estimate or {}
    took = [
        clock(known.get("seconds")),
        f"{size(known['memory_bytes'])} of memory" if known.get("memory_bytes") else "",
    ]
    said = " and ".join(filter(None, took))
    return f"about {said}" if said else ""


def warning(event: Event) -> str:
    """A warning or a recovery in a line: what is wrong, and what helps."""
    data = event.data
    told = f"{plain(data.get('code') or data.get('reason'))}: {plain(data.get('message'))}"
    if event.type == "job.recovered":
        return f"recovered from {told}; {plain(data.get('field'))} {plain(data.get('from'))} → {plain(data.get('to'))}"
    return f"warning {told}; remedy: {plain(data.get('remedy'))}"


def event_line(event: Event) -> str:
    """An event in a line: its id, when, what, and its data."""
    return "  ".join(filter(None, (plain(cell(event)) for cell in EVENTS.values())))


# ---- tables -----------------------------------------------------------------------------------------------------


def moment(record: Record) -> str:
    """When a record was made, in local time."""
    created = getattr(record, "created_at", None)
    return created.astimezone().strftime("%Y-%m-%d %H:%M:%S") if created else "–"


def shape(dataset: Dataset) -> str:
    """`8×8×1` for images, `2 numbers` for points."""
    if dataset.kind == "points":
        return f"{dataset.dims} numbers"
    return f"{dataset.width}×{dataset.height}×{dataset.channels}" if dataset.kind else "–"


def newest(model: Model) -> str:
    """How many images the newest checkpoint has seen."""
    return f"{max(checkpoint.images for checkpoint in model.checkpoints):,}" if model.checkpoints else "–"


def how_far(job: Job) -> str:
    """`42 %` of a job."""
    percent = job.progress.percent if job.progress else None
    return "–" if percent is None else f"{percent:.0f} %"


def averages(checkpoint: Checkpoint) -> str:
    """What `--ema` takes, the default first."""
    others = [halflife for halflife in checkpoint.ema_halflives or () if halflife != checkpoint.ema_halflife]
    known = [] if checkpoint.ema_halflife is None else [checkpoint.ema_halflife]
    return ", ".join("raw" if halflife == 0 else f"{halflife:.10g}" for halflife in [*known, *others]) or "–"


Cell = Callable[[Any], object]

DATASETS: Final[dict[str, Cell]] = {
    "name": lambda dataset: dataset.name,
    "id": lambda dataset: dataset.id,
    "status": lambda dataset: dataset.status,
    "count": lambda dataset: dataset.count,
    "shape": shape,
    "classes": lambda dataset: len(dataset.classes or []) or None,
    "created": moment,
}

JOBS: Final[dict[str, Cell]] = {
    "id": lambda job: job.id,
    "type": lambda job: job.type,
    "status": lambda job: job.status,
    "model": lambda job: job.model,
    "dataset": lambda job: job.dataset,
    "progress": how_far,
    "created": moment,
}

MODELS: Final[dict[str, Cell]] = {
    "name": lambda model: model.name,
    "id": lambda model: model.id,
    "recipe": lambda model: model.recipe,
    "dataset": lambda model: model.dataset,
    "checkpoints": lambda model: len(model.checkpoints),
    "images": newest,
    "created": moment,
}

CHECKPOINTS: Final[dict[str, Cell]] = {
    "id": lambda checkpoint: checkpoint.id,
    "images": lambda checkpoint: f"{checkpoint.images:,}",
    "size": lambda checkpoint: size(checkpoint.bytes),
    "sha256": lambda checkpoint: (checkpoint.sha256 or "–")[:12],
    "ema": averages,
    "pinned": lambda checkpoint: "yes" if checkpoint.pinned else None,
    "created": moment,
}

EVENTS: Final[dict[str, Cell]] = {
    "id": lambda event: event.id,
    "when": moment,
    "type": lambda event: event.type,
    "data": lambda event: " ".join(f"{key}={value}" for key, value in event.data.items()),
}

COLUMNS: Final[dict[type[Record], dict[str, Cell]]] = {
    Dataset: DATASETS,
    Job: JOBS,
    Model: MODELS,
    Checkpoint: CHECKPOINTS,
    Event: EVENTS,
}
"""Record → its columns: heading → what stands in the cell."""


def table(kind: type[Record], rows: Iterable[Record]) -> None:
    """Print records as a table."""
    columns = COLUMNS[kind]
    _print(columns, [[cell(row) for cell in columns.values()] for row in rows])


def checkpoints(model: Model) -> None:
    """Print a model's checkpoints as a table, with the metric that `@best` follows."""
    columns = dict(CHECKPOINTS)
    if model.metric is not None:
        followed = {model.metric: lambda checkpoint: (checkpoint.metrics or {}).get(model.metric)}
        columns = {"id": columns.pop("id"), "images": columns.pop("images"), **followed, **columns}
    _print(columns, [[cell(row) for cell in columns.values()] for row in model.checkpoints])


def neighbours(found: Neighbours) -> None:
    """Print the data nearest to a sample: their numbers, how far they are, and their classes."""
    _print(("row", "distance", "label"), [(one.index, one.distance, one.label) for one in found.data])


def scores(files: Iterable[Path], found: Scores) -> None:
    """Print what a discriminator thinks of files."""
    rows = [(file.name, one.probability, one.logit, one.label) for file, one in zip(files, found.data, strict=True)]
    _print(("file", "real", "logit", "label"), rows)


CHIEF: Final = ("images", "loss_discriminator", "loss_generator", "value", "js_estimate", "wasserstein_estimate")
"""What of a time series a terminal has room for; `--json` prints all of it."""


def series(rows: list[dict[str, Any]]) -> None:
    """Print the chief columns of a time series as a table; a value that was not estimable is a dash.

    A series of none of these names is printed whole.
    """
    there = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in CHIEF if name in there] or there
    _print(names, [[_figure(row.get(name)) for name in names] for row in rows])


def evaluation(result: Mapping[str, Any]) -> None:
    """Print what an evaluation found: its measures as a table, then of what, and what to mind."""
    better, missing = result.get("better", {}), result.get("missing", {})
    rows = [[name, value, better.get(name), missing.get(name, "")] for name, value in result["metrics"].items()]
    _print(["metric", "value", "better", ""], rows)
    fields({name: result[name] for name in ("sample", "reference", "baseline", "extractor") if result.get(name)})


def fields(values: Mapping[str, object]) -> None:
    """Print names and values, one a line; nested mappings are indented by their dotted names."""
    grid = Table.grid(padding=(0, 2))
    for name, value in flat(values):
        grid.add_row(Text(name, style="bold"), Text(plain(value)))
    _console().print(grid)


def flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Pairs of dotted name and value; what is None or empty is left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value not in (None, [], ()):
            yield prefix + name, value


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"


def _print(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(plain(value)) for value in row))
    _console().print(grid)


def _console() -> Console:
    """Standard output; as wide as the table where it is no terminal, so that `grep` finds whole lines."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)
