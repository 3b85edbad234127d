"""The Data room: what somebody with a folder of images sees, from the drop to the wall, and where it goes wrong."""

import json
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from browsing import PATIENCE, Look, Shown
from playwright.sync_api import Page, Route, expect

from ganymede import Client

expect.set_options(timeout=PATIENCE)
LONG = 3 * PATIENCE
"""Milliseconds for what a worker does."""

CLASSES = ("0", "1", "2")
EACH = 80
BROKEN = b"\x89PNG\r\n\x1a\nand then nothing"


@pytest.fixture(scope="module")
def folder(digits_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `digits` of 240 digits in three classes, with a broken image, a text and a hidden file among them."""
    root = tmp_path_factory.mktemp("chosen") / "digits"
    with zipfile.ZipFile(digits_zip) as archive:
        for label in CLASSES:
            (root / label).mkdir(parents=True)
            for name in [name for name in archive.namelist() if name.startswith(f"{label}/")][:EACH]:
                (root / name).write_bytes(archive.read(name))
    (root / "1" / "broken.png").write_bytes(BROKEN)
    (root / "notes.txt").write_text("taken on a Sunday")
    (root / ".hidden.png").write_bytes(BROKEN)
    return root


@pytest.fixture(scope="module")
def packed(folder: Path) -> Path:
    """The same as a zip."""
    path = folder.with_name("scans.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture(scope="module")
def shelved(client: Client, packed: Path) -> str:
    """A dataset that is there already."""
    name = fresh("shelved")
    client.datasets.wait(client.datasets.upload(packed, name).id, timeout=120)
    return name


def fresh(word: str) -> str:
    return f"{word}-{uuid4().hex[:6]}"


def drop(page: Page, *paths: Path) -> None:
    """Files or folders, let go over the page as from a file manager."""
    page.get_by_role("heading", name="Data", exact=True).wait_for()
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})


def upload_as(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Upload", exact=True).click()


def told(page: Page, label: str) -> Any:
    """A region of the page by its name."""
    return page.get_by_role("region", name=label)


def refusal(route: Route, status: int, **problem: Any) -> None:
    body = {"type": "about:blank", "title": "Refused", "status": status, "code": "x", **problem}
    route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(body))


def on_post(shown: Shown, answer: Any) -> None:
    shown.page.route(
        "**/v1/datasets", lambda route: answer(route) if route.request.method == "POST" else route.continue_()
    )


# ---- in ----


def test_a_dropped_zip_is_uploaded_prepared_reported_on_and_shown(look: Look, width: str, packed: Path) -> None:
    shown, name = look("#/data", width), fresh("scans")
    page = shown.page
    drop(page, packed)
    expect(page.get_by_label("Name")).to_have_value("scans")
    shown.accessible()
    shown.keep("data-form")
    upload_as(page, name)
    report = told(page, "Report")
    report.wait_for(timeout=LONG)
    assert name in page.url
    expect(report).to_contain_text(f"Accepted{len(CLASSES) * EACH}")
    expect(report).to_contain_text("1/broken.pngbroken: ")
    expect(report).to_contain_text("notes.txtnot a PNG, JPEG or WebP image")
    expect(told(page, "Classes").get_by_role("button")).to_have_count(len(CLASSES))
    expect(told(page, "Images").get_by_role("heading")).to_have_text("All 240 images")
    page.locator(".data-tile").nth(99).scroll_into_view_if_needed()
    expect(page.locator(".data-tile").nth(150)).to_be_attached()
    shown.accessible()
    shown.keep("data-dataset")


def test_a_dropped_folder_is_packed_in_the_page_and_keeps_its_classes(look: Look, client: Client, folder: Path) -> None:
    page, name = look("#/data").page, fresh("dropped")
    drop(page, folder)
    expect(page.get_by_label("Name")).to_have_value("digits")
    expect(page.get_by_role("form", name="Upload")).to_contain_text("241 images")
    expect(page.get_by_text("1 file left out")).to_be_visible()
    upload_as(page, name)
    told(page, "Report").wait_for(timeout=LONG)
    dataset = client.datasets.get(name)
    assert (dataset.count, dataset.classes) == (len(CLASSES) * EACH, list(CLASSES))
    assert dataset.report is not None
    assert [one["file"] for one in dataset.report["skipped"]] == ["1/broken.png"]


def test_a_folder_chosen_by_its_button_is_brought_to_the_size_asked_for(
    look: Look, client: Client, folder: Path
) -> None:
    page, name = look("#/data").page, fresh("sized")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").press("Enter")
    chooser.value.set_files(folder)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Width in pixels").fill("16")
    upload_as(page, name)
    told(page, "Report").wait_for(timeout=LONG)
    assert (client.datasets.get(name).width, client.datasets.get(name).height) == (16, 16)


def test_a_name_that_is_taken_is_said_beside_it_and_another_is_proposed(
    look: Look, shelved: str, packed: Path, tmp_path: Path
) -> None:
    shown = look("#/data")
    page = shown.page
    page.get_by_role("link", name=shelved, exact=True).wait_for()
    same = tmp_path / f"{shelved}.zip"
    same.write_bytes(packed.read_bytes())
    drop(page, same)
    name = page.get_by_label("Name")
    expect(name).to_have_value(f"{shelved}-2")
    name.fill(shelved)
    expect(page.get_by_text(f"There is a dataset called {shelved} already")).to_be_visible()
    expect(name).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(name).to_be_visible()
    shown.expected = True
    on_post(shown, lambda route: refusal(route, 409, param="name", detail="somebody was quicker"))
    name.fill("quick")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("somebody was quicker")).to_be_visible()
    shown.accessible()


@pytest.mark.parametrize("status", [413, 507])
def test_an_upload_that_the_server_has_no_room_for_says_so_and_may_be_changed(
    look: Look, packed: Path, status: int
) -> None:
    shown = look("#/data")
    shown.expected = True
    on_post(shown, lambda route: refusal(route, status, detail="at most 5 bytes (GANYMEDE_MAX_UPLOAD_BYTES)"))
    drop(shown.page, packed)
    upload_as(shown.page, fresh("large"))
    expect(shown.page.get_by_role("alert")).to_contain_text("GANYMEDE_MAX_UPLOAD_BYTES")
    shown.page.get_by_role("button", name="Choose something else").click()
    expect(shown.page.get_by_role("button", name="Choose a folder")).to_be_visible()


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(look: Look, client: Client, tmp_path: Path) -> None:
    page, name = look("#/data").page, fresh("slow")
    (tmp_path / "points.csv").write_text("x,y\n" + "0.123,4.567\n" * 200_000)
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    pace = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    slow.send("Network.emulateNetworkConditions", pace)
    drop(page, tmp_path / "points.csv")
    upload_as(page, name)
    bar = page.get_by_role("progressbar", name=f"Uploading {name}")
    bar.wait_for()
    page.wait_for_function("() => document.querySelector('progress')?.value > 0")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Upload", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert name not in [dataset.name for dataset in client.datasets.list().data]


def test_what_cannot_be_read_is_said_before_anything_is_sent(look: Look, tmp_path: Path) -> None:
    page = look("#/data").page
    (tmp_path / "letter.docx").write_text("Dear Sirs")
    drop(page, tmp_path / "letter.docx")
    expect(page.get_by_role("alert")).to_contain_text("Nothing of this can be read: letter.docx")


# ---- what there is ----


def test_the_list_says_what_each_dataset_is_and_leads_to_it(look: Look, width: str, shelved: str) -> None:
    shown = look("#/data", width)
    row = shown.page.get_by_role("row").filter(has_text=shelved)
    for words in ("240", "images", "8 × 8", "ready"):
        expect(row).to_contain_text(words)
    shown.accessible()
    shown.keep("data-list")
    row.get_by_role("link").click()
    told(shown.page, "Report").wait_for()


def test_a_class_is_seen_alone_and_images_are_looked_at_by_keyboard(look: Look, width: str, shelved: str) -> None:
    shown = look(f"#/data/{shelved}", width)
    page = shown.page
    page.get_by_role("button", name="2 80").click()
    expect(told(page, "Images").get_by_role("heading")).to_have_text("Class 2: 80 images")
    expect(page.locator(".data-tile")).to_have_count(80)
    assert "label=2" in page.url
    tiles = page.locator(".data-tile")
    tiles.first.focus()
    tiles.first.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    second = tiles.nth(1).get_attribute("aria-label")
    dialog = page.get_by_role("dialog", name=second)
    expect(dialog.get_by_role("img")).to_be_visible()
    page.wait_for_function("() => document.querySelector('.data-close')?.naturalWidth === 8")
    shown.accessible()
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog", name=tiles.nth(2).get_attribute("aria-label")).wait_for()
    page.keyboard.press("Escape")
    expect(tiles.nth(2)).to_be_focused()
    page.get_by_role("button", name="Show all classes").click()
    expect(told(page, "Images").get_by_role("heading")).to_have_text("All 240 images")


def test_a_tile_shows_its_own_image(look: Look, shelved: str) -> None:
    """What is cut out of a sheet is what the image's own address gives."""
    page = look(f"#/data/{shelved}").page
    page.locator(".data-tile").nth(17).wait_for()
    same = page.evaluate(
        """async (at) => {
          const load = async (url) => createImageBitmap(await (await fetch(url)).blob());
          const pixels = (picture, x, y, w, h) => {
            const canvas = new OffscreenCanvas(w, h), pen = canvas.getContext("2d");
            pen.drawImage(picture, x, y, w, h, 0, 0, w, h);
            return pen.getImageData(0, 0, w, h).data.join();
          };
          const style = document.querySelectorAll(".data-tile")[at].style;
          const [columns, rows] = style.backgroundSize.split(" ").map((word) => parseFloat(word) / 100);
          const [right, down] = style.backgroundPosition.split(" ").map((word) => parseFloat(word) / 100);
          const sheet = await load(style.backgroundImage.slice(5, -2));
          const w = sheet.width / columns, h = sheet.height / rows;
          const index = document.querySelectorAll(".data-tile")[at].ariaLabel.match(/Image ([0-9]+)/)[1];
          const own = await load(style.backgroundImage.slice(5).replace(/images.png.*/, `images/${index}.png`));
          const x = Math.round(right * (sheet.width - w)), y = Math.round(down * (sheet.height - h));
          return pixels(sheet, x, y, w, h) === pixels(own, 0, 0, w, h);
        }""",
        17,
    )
    assert same


def test_a_preparation_that_failed_says_why_and_what_to_do(look: Look, client: Client, tmp_path: Path) -> None:
    name = fresh("hopeless")
    with zipfile.ZipFile(tmp_path / "hopeless.zip", "w") as archive:
        archive.writestr("a.png", BROKEN)
    client.datasets.settled(client.datasets.upload(tmp_path / "hopeless.zip", name).id, timeout=120)
    shown = look(f"#/data/{name}")
    wrong = told(shown.page, "What went wrong")
    expect(wrong).to_contain_text("a.png: broken: ")
    expect(wrong).to_contain_text("delete this entry")
    shown.accessible()
    shown.page.get_by_role("button", name="Delete", exact=True).click()
    shown.page.get_by_role("button", name="Delete for good").click()
    shown.page.get_by_role("region", name="Datasets").wait_for()
    assert name not in [dataset.name for dataset in client.datasets.list().data]


def test_what_a_job_needs_is_not_deleted_and_the_page_says_what_to_do(look: Look, client: Client, shelved: str) -> None:
    shown = look(f"#/data/{shelved}")
    shown.expected = True
    expect(shown.page.get_by_role("link", name="Train on this")).to_have_attribute("href", f"#/train?dataset={shelved}")
    job = client.jobs.create({"type": "train", "dataset": shelved, "model": fresh("busy"), "max_seconds": 120})
    try:
        shown.page.get_by_role("button", name="Delete", exact=True).click()
        shown.page.get_by_role("button", name="Delete for good").click()
        dialog = shown.page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"in use by job {job.id}")
        expect(dialog.get_by_role("link", name="what is running")).to_be_visible()
    finally:
        client.jobs.cancel(job.id)


def emptied(shown: Shown) -> Page:
    """The room as it is where no dataset is."""
    nothing = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    shown.page.route("**/v1/datasets?*", lambda route: route.fulfill(json=nothing))
    shown.page.reload()
    return shown.page


def test_an_empty_server_says_what_to_upload(look: Look, width: str) -> None:
    shown = look("#/data", width)
    page = emptied(shown)
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    expect(page.get_by_text("Drop a folder of images here")).to_be_visible()
    shown.accessible()
    shown.keep("data-empty")


def test_who_has_no_data_begins_with_a_ring_of_points(look: Look, client: Client) -> None:
    shown = look("#/data")
    page = emptied(shown)
    page.get_by_role("button", name="Try it with a ring of points").click()
    page.get_by_role("img", name="A scatter plot of 4,000 points, 2 numbers each").wait_for(timeout=LONG)
    page.wait_for_function("() => document.querySelector('.data-points img')?.naturalWidth > 100")
    assert (client.datasets.get("ring-of-points").count, client.datasets.get("ring-of-points").dims) == (4000, 2)
    shown.accessible()
    shown.keep("data-points")
