"""A packed dataset of points, with classes or conditions where the table has them."""

from contextlib import ExitStack
from pathlib import Path

from gan.errors import DatasetUnusable
from gan.spec import DatasetFacts, PointShape
from worker.jobs.packing import Contents, Identity, Labels, RowWriter
from worker.jobs.reporting import Report, Watch
from worker.jobs.tables import Table


def pack_points(table: Table, folder: Path, watch: Watch) -> Contents:
    """Write data.npy and labels.npy. Raises DatasetUnusable, reporting.Halted."""
    with ExitStack() as files:
        points = files.enter_context(RowWriter(folder / "data.npy", "<f4", (table.dims,)))
        conditions = None
        if table.condition_dims:
            conditions = files.enter_context(RowWriter(folder / "labels.npy", "<f4", (table.condition_dims,)))
        labels = _copy(table, points, conditions, watch)
        if points.rows == 0:
            raise DatasetUnusable("the upload holds no points: below the header there are no rows", param="file")
        found = {"data": points.finish()} | ({"labels": conditions.finish()} if conditions is not None else {})
        return _contents(table, points.rows, found, *_finish_labels(table, labels, folder, found))


def _copy(table: Table, points: RowWriter, conditions: RowWriter | None, watch: Watch) -> Labels:
    labels = Labels()
    for rows in table.rows:
        watch.tick(points.rows, None, 0.0)
        points.append(rows.points)
        for label in rows.labels:
            labels.append(label)
        if conditions is not None:
            conditions.append(rows.conditions)
    return labels


def _finish_labels(
    table: Table, labels: Labels, folder: Path, files: dict[str, Identity]
) -> tuple[tuple[str, ...], dict[str, int]]:
    if not table.labelled:
        return (), {}
    classes, per_class, files["labels"] = labels.write(folder / "labels.npy")
    return classes, per_class


def _contents(
    table: Table, count: int, files: dict[str, Identity], classes: tuple[str, ...], per_class: dict[str, int]
) -> Contents:
    facts = DatasetFacts(
        count=count, shape=PointShape(dims=table.dims), classes=classes, condition_dims=table.condition_dims
    )
    return Contents(facts, files, Report().as_json(count, per_class, table.conditions))
