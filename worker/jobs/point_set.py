"""A packed dataset of points, with classes or conditions where the table has them."""

from pathlib import Path

from gan.errors import DatasetUnusable
from gan.spec import DatasetFacts, PointShape
from worker.jobs.packing import Contents, Identity, Labels, RowWriter
from worker.jobs.reporting import Report, Watch
from worker.jobs.tables import Table


def pack_points(table: Table, folder: Path, watch: Watch) -> Contents:
    """Write data.npy and labels.npy. Raises DatasetUnusable, reporting.Halted."""
    points = RowWriter(folder / "data.npy", "<f4", (table.dims,))
    conditions = RowWriter(folder / "labels.npy", "<f4", (table.condition_dims,)) if table.condition_dims else None
    labels = Labels()
    for rows in table.rows:
        watch.tick(points.rows, None, 0.0)
        points.append(rows.points)
        for label in rows.labels:
            labels.append(label)
        if conditions is not None:
            conditions.append(rows.conditions)
    if points.rows == 0:
        raise DatasetUnusable("the upload holds no points: below the header there are no rows", param="file")
    files = {"data": points.close()}
    if conditions is not None:
        files["labels"] = conditions.close()
    return _contents(table, points.rows, files, *_finish_labels(table, labels, folder, files))


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
    return Contents(facts, files, Report().as_json(count, per_class))
