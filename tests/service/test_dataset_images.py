"""The images of a dataset: pages of them, a page on one sheet, and each by its address."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from service_kit import Running

from gan.spec import DatasetFacts, ImageShape
from ganymede import Client


@pytest.fixture
def digits(service: Running) -> Running:
    """The service, with `wall`: 120 images of 8 × 8, every other one a dog."""
    if not service.datasets.exists("wall"):
        service.images("wall")
    return service


def packed(service: Running, name: str) -> np.ndarray[Any, Any]:
    path = service.datasets.get(name).path
    assert path is not None
    return np.asarray(np.load(service.storage.path(path) / "data.npy"))


def pixels(answer: Any) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    return picture if picture.ndim == 3 else picture[:, :, None]


def walked(service: Running, **asked: Any) -> list[int]:
    """The indices of all pages."""
    found: list[int] = []
    while True:
        page = service.http.get("/v1/datasets/wall/images", params=asked).json()
        found += [one["index"] for one in page["data"]]
        if not page["has_more"]:
            return found
        asked["after"] = page["last_id"]


def test_pages_lead_through_all_images_in_the_order_in_which_they_are_packed(digits: Running) -> None:
    page = digits.http.get("/v1/datasets/wall/images", params={"limit": 3}).json()
    id = digits.datasets.get("wall").id
    assert page["data"][1] == {
        "index": 1,
        "label": "dog",
        "condition": None,
        "url": f"/v1/datasets/{id}/images/1.png",
    }
    assert (page["object"], page["first_id"], page["last_id"], page["total"]) == ("list", 0, 2, 120)
    assert walked(digits, limit=50) == list(range(120))


def test_a_page_is_spread_evenly_where_that_is_asked_for_and_none_is_left_out(digits: Running) -> None:
    found = walked(digits, limit=32, order="spread")
    assert sorted(found) == list(range(120))
    quarters = np.bincount(np.array(found[:32]) // 30, minlength=4)
    assert quarters.min() >= 6


@pytest.mark.parametrize("label", ["dog", "1"])
@pytest.mark.parametrize("order", ["stored", "spread"])
def test_one_class_is_shown_alone_by_name_or_by_index(digits: Running, label: str, order: str) -> None:
    page = digits.http.get("/v1/datasets/wall/images", params={"label": label, "order": order, "limit": 10}).json()
    assert page["total"] == 60
    assert {one["label"] for one in page["data"]} == {"dog"}
    assert sorted(walked(digits, label=label, order=order)) == list(range(1, 120, 2))


def test_a_sheet_has_the_images_of_its_page_in_their_cells(digits: Running) -> None:
    page = digits.http.get("/v1/datasets/wall/images", params={"limit": 7, "order": "spread", "label": "cat"}).json()
    sheet = page["sheet"]
    assert (sheet["columns"], sheet["rows"], sheet["width"], sheet["height"]) == (3, 3, 8, 8)
    shown = pixels(digits.http.get(sheet["url"]))
    assert shown.shape == (24, 24, 1)
    data = packed(digits, "wall")
    for number, one in enumerate(page["data"]):
        y, x = number // 3 * 8, number % 3 * 8
        assert np.array_equal(shown[y : y + 8, x : x + 8], data[one["index"]])
    assert (shown[16:, 8:] == 255).all()


def test_a_page_behind_the_last_image_is_empty_and_has_no_sheet(digits: Running, is_problem: Any) -> None:
    page = digits.http.get("/v1/datasets/wall/images", params={"after": 119}).json()
    assert (page["data"], page["has_more"], page["sheet"], page["last_id"]) == ([], False, None, None)
    is_problem(digits.http.get("/v1/datasets/wall/images.png", params={"after": 119}), 404, "not_found")


def test_an_image_is_what_is_trained_on_and_enlarged_where_that_is_asked_for(digits: Running) -> None:
    data = packed(digits, "wall")
    assert np.array_equal(pixels(digits.http.get("/v1/datasets/wall/images/5.png")), data[5])
    large = pixels(digits.http.get("/v1/datasets/wall/images/5.png?size=32"))
    assert np.array_equal(large, data[5].repeat(4, 0).repeat(4, 1))


def test_large_images_are_brought_down_on_a_sheet(service: Running) -> None:
    service.images("broad", count=2, shape=(40, 200, 3))
    sheet = service.http.get("/v1/datasets/broad/images").json()["sheet"]
    assert (sheet["width"], sheet["height"]) == (96, 19)
    assert pixels(service.http.get(sheet["url"])).shape == (19, 192, 3)
    assert pixels(service.http.get("/v1/datasets/broad/images.png?size=128")).shape == (26, 256, 3)


def test_pictures_are_kept_for_ever_by_id_and_asked_for_again_by_name(digits: Running) -> None:
    id = digits.datasets.get("wall").id
    for path in ("images/3.png", "images.png?limit=4"):
        by_id, by_name = (digits.http.get(f"/v1/datasets/{name}/{path}") for name in (id, "wall"))
        assert by_id.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert by_name.headers["cache-control"] == "public, no-cache"
        assert by_id.headers["x-content-type-options"] == "nosniff"
        again = digits.http.get(f"/v1/datasets/wall/{path}", headers={"If-None-Match": by_name.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    tags = {digits.http.get(f"/v1/datasets/wall/images.png?limit={n}").headers["etag"] for n in (4, 5)}
    assert len(tags) == 2


def test_of_a_pair_the_input_is_at_the_left_of_its_target(service: Running) -> None:
    inputs = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1).repeat(8, 1).repeat(8, 2)
    targets = (255 - inputs).repeat(3, axis=3)
    facts = DatasetFacts(count=6, shape=ImageShape(channels=3, height=8, width=8), input_channels=1)
    sizes: dict[str, Any] = {"width": 8, "height": 8, "channels": 3, "input_channels": 1}
    service._prepare("both", "images", targets, None, facts, sizes)
    path = service.datasets.get("both").path
    assert path is not None
    np.save(service.storage.path(path) / "inputs.npy", inputs)
    shown = pixels(service.http.get("/v1/datasets/both/images/2.png"))
    assert shown.shape == (8, 16, 3)
    assert (shown[0, 0].tolist(), shown[0, 8].tolist()) == ([2] * 3, [253] * 3)
    sheet = service.http.get("/v1/datasets/both/images").json()["sheet"]
    assert (sheet["width"], sheet["height"]) == (16, 8)


def test_numbers_that_images_are_conditioned_on_are_told(service: Running) -> None:
    data = np.zeros((3, 8, 8, 1), np.uint8)
    numbers = np.array([[0.5, 1], [0.25, 2], [0, 3]], np.float32)
    facts = DatasetFacts(count=3, shape=ImageShape(channels=1, height=8, width=8), condition_dims=2)
    sizes = {"width": 8, "height": 8, "channels": 1, "condition_dims": 2}
    service._prepare("tilted", "images", data, numbers, facts, sizes)
    page = service.http.get("/v1/datasets/tilted/images").json()
    assert [one["condition"] for one in page["data"]] == numbers.tolist()
    assert {one["label"] for one in page["data"]} == {None}


def test_what_cannot_be_shown_says_why(digits: Running, is_problem: Any) -> None:
    ask = digits.http.get
    is_problem(ask("/v1/datasets/wall/images?label=cow"), 422, "invalid_request", "label")
    is_problem(ask("/v1/datasets/wall/images?after=120"), 422, "invalid_request", "after")
    is_problem(ask("/v1/datasets/wall/images?label=cat&after=1"), 422, "invalid_request", "after")
    is_problem(ask("/v1/datasets/wall/images?limit=201"), 422, "invalid_request", "limit")
    is_problem(ask("/v1/datasets/wall/images?order=random"), 422, "invalid_request", "order")
    is_problem(ask("/v1/datasets/wall/images.png?size=4096"), 422, "invalid_request", "size")
    is_problem(ask("/v1/datasets/wall/images/120.png"), 404, "not_found")
    digits.points("dots", None)
    for path in ("images", "images.png", "images/0.png"):
        is_problem(ask(f"/v1/datasets/dots/{path}"), 422, "invalid_request", "dataset")
    digits.upload("soon")
    is_problem(ask("/v1/datasets/soon/images"), 409, "conflict")
    digits.quiet()
    digits.images("vanished", count=10)
    path = digits.datasets.get("vanished").path
    assert path is not None
    digits.storage.remove(path)
    for address in ("images", "images.png", "images/0.png"):
        is_problem(ask(f"/v1/datasets/vanished/{address}"), 409, "dataset_missing")


def test_the_client_looks_at_images_and_saves_one(digits: Running, tmp_path: Any) -> None:
    with Client(digits.url) as client:
        page = client.datasets.images("wall", label="cat", limit=2)
        saved = client.datasets.image("wall", page.data[1].index, tmp_path / "cat.png", size=16)
        plain = client.datasets.image("wall", 0, tmp_path / "plain.png")
    assert ([one.index for one in page.data], page.has_more) == ([0, 2], True)
    sizes = [Image.open(io.BytesIO(path.read_bytes())).size for path in (saved, plain)]
    assert sizes == [(16, 16), (8, 8)]
