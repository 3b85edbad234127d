"""Pairs of images, as `input/` and `target/`, into the packed form."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_prepare_images import Packed, pack
from worker_kit import encoded, picture, zipped

from gan.errors import DatasetUnusable
from worker.jobs.pair_set import REMEDY


def inputs(packed: Packed) -> np.ndarray:
    return np.load(packed.folder / "inputs.npy")


def halves(count: int, mode: str = "L", size: tuple[int, int] = (8, 8)) -> dict[str, bytes]:
    """Pairs `input/0.png` … `target/0.png` … of noise, each half its own."""
    return {
        f"{half}/{i}.png": encoded(picture(100 * seed + i, size, mode))
        for seed, half in enumerate(("input", "target"))
        for i in range(count)
    }


def test_equal_names_are_a_pair_and_both_halves_lie_in_the_same_row(tmp_path: Path) -> None:
    packed = pack(tmp_path, halves(3))
    said = packed.said
    assert (said.kind, said.count, said.channels, said.input_channels, said.classes) == ("images", 3, 1, 1, [])
    for row in range(3):
        assert np.array_equal(inputs(packed)[row, ..., 0], np.asarray(picture(row)))
        assert np.array_equal(packed.data[row, ..., 0], np.asarray(picture(100 + row)))
    assert packed.report["accepted"] == 3
    assert packed.report["notes"] == ["3 pairs: the images of target/, each with its input"]
    assert json.loads((packed.folder / "facts.json").read_text())["input_channels"] == 1


def test_names_count_without_their_endings_and_with_the_folders_below(tmp_path: Path) -> None:
    accented = unicodedata.normalize("NFD", "é")
    files = {
        "input/a/7.jpg": encoded(picture(1), "JPEG"),
        "target/a/7.png": encoded(picture(2)),
        "input/7.webp": encoded(picture(3), "WEBP", lossless=True),
        "target/7.png": encoded(picture(4)),
        f"input/{accented}.png": encoded(picture(5)),
        "target/é.png": encoded(picture(6)),
    }
    packed = pack(tmp_path, files)
    assert packed.said.count == 3
    first = [np.asarray(picture(seed)) for seed in (4, 2, 6)]
    assert np.array_equal(packed.data[..., 0], np.stack(first))


def test_a_folder_around_everything_is_looked_through(tmp_path: Path) -> None:
    packed = pack(tmp_path, {f"facades/train/{name}": data for name, data in halves(2).items()})
    assert (packed.said.count, packed.said.input_channels) == (2, 1)


def test_a_folder_of_the_import_directory_is_read_as_an_archive_is(tmp_path: Path) -> None:
    for name, data in halves(2).items():
        path = tmp_path / "frames" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert Packed(tmp_path / "frames").said.digest == pack(tmp_path, halves(2)).said.digest


def test_what_is_no_pair_is_skipped_with_its_reason_and_the_rest_stays(tmp_path: Path) -> None:
    good = encoded(picture(1))
    files = halves(2) | {
        "input/alone.png": good,
        "target/lonely.png": good,
        "input/broken.png": good[:60],
        "target/broken.png": good,
        "input/wide.png": encoded(picture(1, (16, 8))),
        "target/wide.png": good,
        "input/0.jpg": good,
        "labels.csv": b"file,label\ninput/0.png,cat\n",
        "other/0.png": good,
    }
    packed = pack(tmp_path, files)
    assert packed.said.count == 2
    reasons = packed.reasons
    assert reasons["input/alone.png"] == "has no partner of that name in target/"
    assert reasons["target/lonely.png"] == "has no partner of that name in input/"
    assert reasons["target/broken.png"].startswith("input/broken.png: broken")
    assert reasons["target/wide.png"] == ("its input has 16×8 pixels and itself 8×8: the two need the same proportions")
    assert reasons["input/0.png"] == "has the name of input/0.jpg but for the ending"
    outside = "lies outside input/ and target/; no labels are read beside pairs"
    assert reasons["labels.csv"] == reasons["other/0.png"] == outside
    assert packed.report["skipped_total"] == 7


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"input/a.png": picture(1), "target/b.png": picture(2)}, "input/a.png: has no partner"),
        ({"input/a.png": picture(1, (16, 8)), "target/a.png": picture(2, (8, 16))}, "the same proportions"),
    ],
)
def test_no_pair_at_all_is_a_failure_that_names_the_remedy(
    tmp_path: Path, files: dict[str, Image.Image], why: str
) -> None:
    with pytest.raises(DatasetUnusable, match=why) as caught:
        pack(tmp_path, {name: encoded(image) for name, image in files.items()})
    assert caught.value.message.endswith(REMEDY)
    assert caught.value.param == "file"


def test_each_half_has_its_own_channels_and_both_the_size_asked_for(tmp_path: Path) -> None:
    files = {
        f"{half}/{i}.png": encoded(picture(i + seed, (32, 24), mode))
        for seed, (half, mode) in enumerate((("input", "L"), ("target", "RGB")))
        for i in range(3)
    }
    packed = pack(tmp_path, files, width=16, height=12)
    assert packed.data.shape == (3, 12, 16, 3)
    assert inputs(packed).shape == (3, 12, 16, 1)
    assert (packed.said.channels, packed.said.input_channels) == (3, 1)


def test_halves_of_other_sizes_but_equal_proportions_become_one_size(tmp_path: Path) -> None:
    files = {f"input/{i}.png": encoded(picture(i, (16, 16))) for i in range(2)}
    files |= {f"target/{i}.png": encoded(picture(i, (32, 32))) for i in range(2)}
    packed = pack(tmp_path, files)
    assert packed.data.shape == inputs(packed).shape == (2, 32, 32, 1)


def test_channels_that_say_nothing_are_left_out_of_either_half(tmp_path: Path) -> None:
    files = halves(2, "RGB")
    files |= {f"input/{i}.png": encoded(picture(i).convert("RGBA")) for i in range(2)}
    packed = pack(tmp_path, files)
    assert (packed.said.channels, packed.said.input_channels) == (3, 1)
    assert np.array_equal(inputs(packed)[1, ..., 0], np.asarray(picture(1)))


def test_an_equal_pair_is_counted_and_kept_and_one_input_may_have_several_targets(tmp_path: Path) -> None:
    one, two, three = (encoded(picture(seed)) for seed in (1, 2, 3))
    files = {"input/a.png": one, "target/a.png": two, "input/b.png": one, "target/b.png": three}
    packed = pack(tmp_path, files)
    assert (packed.said.count, packed.report["duplicates"]) == (2, 0)
    again = files | {"input/c.png": one, "target/c.png": two}
    packed = pack(tmp_path, again)
    assert (packed.said.count, packed.report["duplicates"]) == (3, 1)
    assert packed.report["skipped"] == []
    assert packed.report["notes"][1].startswith("1 pairs are equal to another and are kept: how often")


def test_the_digest_covers_both_halves(tmp_path: Path) -> None:
    swapped = {f"{'target' if name.startswith('input') else 'input'}/{name[-5:]}": d for name, d in halves(2).items()}
    other = halves(2) | {"input/1.png": encoded(picture(77))}
    alone = {name: data for name, data in halves(2).items() if name.startswith("target")}
    digests = [pack(tmp_path, files).said.digest for files in (halves(2), swapped, other, alone)]
    assert len(set(digests)) == 4
    assert pack(tmp_path, halves(2)).said.digest == digests[0]


def test_an_input_folder_without_targets_is_a_folder_like_any_other(tmp_path: Path) -> None:
    packed = pack(tmp_path, {name: d for name, d in halves(3).items() if name.startswith("input")})
    assert (packed.said.count, packed.said.input_channels, packed.said.classes) == (3, None, [])


def test_a_limit_on_the_packed_form_counts_both_halves(tmp_path: Path) -> None:
    from worker_kit import LIMITS

    limits = LIMITS.model_copy(update={"max_dataset_bytes": 3 * 64 * 2 - 1})
    with pytest.raises(DatasetUnusable, match="GANYMEDE_MAX_DATASET_BYTES"):
        pack(tmp_path, halves(3), limits)


def test_zipped_is_what_the_tests_upload() -> None:
    assert zipped(halves(1))[:2] == b"PK"
