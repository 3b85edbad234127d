"""What a preparation is asked to do, and what it may use: the `dataset` of its assignment."""

from pydantic import BaseModel, ConfigDict

from gan.errors import DatasetUnusable


class Limits(BaseModel):
    """The settings of the same names: counts, bytes, and pixels of one source image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_archive_entries: int
    max_expanded_bytes: int
    max_expansion_ratio: int
    max_pixels: int
    max_points: int
    max_dataset_bytes: int

    def check(self, name: str, value: int, what: str) -> None:
        """Raises DatasetUnusable, naming the limit and its setting, where `value` of `what` goes beyond it."""
        limit = getattr(self, name)
        if value > limit:
            raise DatasetUnusable(f"{what}: {value:,}, the limit is {limit:,} (GANYMEDE_{name.upper()})", param="file")


class Preparation(BaseModel):
    """`source` is an absolute path: a folder, or a file that is a zip archive, a `.npy` or a `.csv`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    source: str
    width: int | None = None
    height: int | None = None
    limits: Limits
