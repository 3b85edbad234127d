"""Preparation: an upload or a folder becomes a packed dataset, once, addressed by its content.

The last report is `Prepared`. Imports no torch; memory is bounded by one source image or a few thousand rows.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gan.errors import DatasetMissing, DatasetUnusable
from gan.spec import ImageShape
from ledger.storage import Storage
from worker.jobs.archive import Archive, Folder, Source, is_archive
from worker.jobs.image_set import pack_images
from worker.jobs.limits import Preparation
from worker.jobs.packing import Contents, digest, folder_bytes, write_facts
from worker.jobs.pair_set import folders_of_pairs, pack_pairs
from worker.jobs.point_set import pack_points
from worker.jobs.reporting import Halted, Watch
from worker.jobs.tables import is_npy, read_csv, read_npy
from worker.line import ControlLine
from worker.protocol import Assignment, Prepared, Progress, Started, Stopped

Reader = Callable[[Path, Preparation, Path, Watch], Contents]


def run(assignment: Assignment, line: ControlLine) -> None:
    """Pack the assignment's source and report it. Raises DatasetMissing, DatasetUnusable, StorageFull."""
    line.send(Started(device="cpu"))
    asked = Preparation.model_validate(assignment.dataset)
    storage = Storage(Path(assignment.storage))
    folder = storage.scratch()
    try:
        with _named(Path(asked.source)):
            contents = _read(asked, folder, Watch(line))
        _check_size(asked, contents)
        prepared = _publish(storage, folder, contents)
        line.send(Progress(images=prepared.count, total_images=prepared.count, percent=100.0))
        line.send(prepared)
    except Halted:
        line.send(Stopped())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _named(source: Path) -> Iterator[None]:
    """What makes data unusable names the field of the request that they came by."""
    try:
        yield
    except DatasetUnusable as error:
        raise DatasetUnusable(error.message, param="source" if source.is_dir() else "file") from error


def _read(asked: Preparation, folder: Path, watch: Watch) -> Contents:
    path = Path(asked.source)
    for applies, read in READERS:
        if applies(path):
            contents = read(path, asked, folder, watch)
            asked.limits.check("max_dataset_bytes", folder_bytes(folder), "bytes of the packed dataset")
            return contents
    if not path.exists():
        raise DatasetMissing("the upload is gone from storage: upload it again")
    raise DatasetUnusable("the upload is neither a zip archive nor a .npy nor a .csv file", param="file")


def _check_size(asked: Preparation, contents: Contents) -> None:
    """Raises DatasetUnusable, which names the field, where a resolution is asked of what turned out to be points."""
    for name in ("width", "height"):
        if not isinstance(contents.facts.shape, ImageShape) and getattr(asked, name) is not None:
            raise DatasetUnusable(f"points have no {name}: leave it out", param=name)


def _read_folder(path: Path, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    return _pack(Folder(path, asked.limits), asked, folder, watch)


def _read_archive(path: Path, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    with closing(Archive(path, asked.limits)) as archive:
        return _pack(archive, asked, folder, watch)


def _pack(source: Source, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    """Pairs where there are folders for them, else images."""
    pack = pack_images if folders_of_pairs(source) is None else pack_pairs
    return pack(source, asked, folder, watch)


def _read_npy(path: Path, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    return pack_points(read_npy(path, asked.limits), folder, watch)


def _read_csv(path: Path, asked: Preparation, folder: Path, watch: Watch) -> Contents:
    return pack_points(read_csv(path, asked.limits), folder, watch)


READERS: tuple[tuple[Callable[[Path], bool], Reader], ...] = (
    (Path.is_dir, _read_folder),
    (lambda path: path.is_file() and is_archive(path), _read_archive),
    (lambda path: path.is_file() and is_npy(path), _read_npy),
    (lambda path: path.is_file() and path.suffix.lower() == ".csv", _read_csv),
)
"""What a source is, by its first bytes, and how it is read; only CSV, which has no such bytes, goes by its name."""


def _publish(storage: Storage, folder: Path, contents: Contents) -> Prepared:
    """Move the files under the content's address, all at once; what lies there already is the same and stays."""
    write_facts(folder, contents)
    address = digest(contents)
    path, size = f"datasets/{address}", folder_bytes(folder)
    with storage.building(path) as final:
        for file in folder.iterdir():
            file.rename(final / file.name)
    return _prepared(contents, address, path, size)


def _prepared(contents: Contents, address: str, path: str, size: int) -> Prepared:
    shape = contents.facts.shape
    image = shape if isinstance(shape, ImageShape) else None
    return Prepared(
        kind=shape.kind,
        digest=address,
        path=path,
        bytes=size,
        count=contents.facts.count,
        width=image.width if image else None,
        height=image.height if image else None,
        channels=image.channels if image else None,
        dims=None if isinstance(shape, ImageShape) else shape.dims,
        condition_dims=contents.facts.condition_dims,
        input_channels=contents.facts.input_channels,
        classes=list(contents.facts.classes),
        report=contents.report,
    )
