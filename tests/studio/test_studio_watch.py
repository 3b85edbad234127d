"""The Watch room: trainings seen as they happen, steered, gone back through, and laid over one another."""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from browsing import Look, Shown
from PIL import Image
from playwright.sync_api import Locator, expect

from ganymede import Client
from ganymede.records import Job

PATIENCE = 120_000
"""Milliseconds: a training has to begin, on a machine that is busy with others."""
SHORT: dict[str, Any] = {"images": 640, "batch_size": 16, "preview_every": 80}
BY_HEART: dict[str, Any] = {"images": 1500, "batch_size": 12, "preview_every": 250, "augment": "none", "holdout": 0}
LONG: dict[str, Any] = {"max_seconds": 600, "batch_size": 4, "preview_every": 400}
"""Goes on until it is cancelled."""


@pytest.fixture(scope="module")
def ring(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Points on a circle."""
    path = tmp_path_factory.mktemp("watched") / "watched-ring.npy"
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 800)
    np.save(path, np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    return client.datasets.wait(client.datasets.upload(path).id).name


@pytest.fixture(scope="module")
def few(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """So few images that a discriminator knows them by heart, of which a training warns."""
    path = tmp_path_factory.mktemp("watched") / "watched-few.zip"
    random = np.random.default_rng(0)
    with ZipFile(path, "w") as archive:
        for number in range(12):
            buffer = BytesIO()
            Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(buffer, "PNG")
            archive.writestr(f"{number}.png", buffer.getvalue())
    return client.datasets.wait(client.datasets.upload(path).id).name


def begun(client: Client, dataset: str, model: str, recipe: str, **more: Any) -> Job:
    return client.jobs.create({"type": "train", "dataset": dataset, "model": model, "recipe": recipe, **more})


@pytest.fixture(scope="module")
def ended(client: Client, ring: str, few: str) -> dict[str, Job]:
    """Three short trainings, by model: one of images, which warned, and two of the same points."""
    jobs = [
        begun(client, few, "by-heart", "dcgan", **BY_HEART),
        begun(client, ring, "ring-dcgan", "dcgan", **SHORT),
        begun(client, ring, "ring-minimax", "minimax", **SHORT),
    ]
    return {str(job.model): client.jobs.wait(job.id) for job in jobs}


@pytest.fixture
def going(client: Client, ring: str) -> Iterator[Job]:
    """A training that goes on for as long as a test needs."""
    job = begun(client, ring, "ring-going", "dcgan", **LONG)
    yield job
    if not client.jobs.get(job.id).ended:
        client.jobs.cancel(job.id)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5000)


def opened(look: Look, address: str, width: str = "desktop") -> Shown:
    """A page that waits for trainings."""
    shown = look(address, width)
    shown.page.set_default_timeout(PATIENCE)
    return shown


def status(shown: Shown) -> Locator:
    return shown.page.get_by_role("status").filter(has=shown.page.locator(".badge"))


def pictures(shown: Shown) -> Locator:
    return shown.page.get_by_role("img", name=re.compile("draws after"))


def slider(shown: Shown) -> Locator:
    return shown.page.get_by_role("slider", name=re.compile("Images seen"))


def reports(shown: Shown) -> int:
    """How many rows the series has, by the table for those who do not see curves."""
    return int(shown.page.get_by_role("row", name=re.compile("^reports ")).get_by_role("cell").inner_text())


def test_a_training_is_seen_as_it_learns_and_steered(look: Look, going: Job) -> None:
    shown = opened(look, f"#/watch/{going.id}")
    asked: list[str] = []
    shown.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))

    first = pictures(shown)
    first.wait_for()
    seen = first.get_attribute("alt")
    expect(first).not_to_have_attribute("alt", str(seen))
    expect(status(shown)).to_have_text("running")

    shown.page.get_by_text("Numbers", exact=True).click()
    row = shown.page.get_by_role("row", name=re.compile("^reports "))
    row.wait_for()
    known = reports(shown)
    expect(row).not_to_have_text(f"reports{known}")
    assert reports(shown) > known
    assert shown.page.get_by_role("figure", name=re.compile("Losses: generator, discriminator")).is_visible()

    shown.page.get_by_role("button", name="Pause").click()
    expect(status(shown)).to_have_text("paused")
    shown.page.get_by_role("button", name="Resume").click()
    expect(status(shown)).to_have_text("running")

    shown.page.get_by_role("button", name="Cancel…").click()
    shown.page.get_by_role("button", name="Let it go on").click()
    shown.page.get_by_role("button", name="Cancel…").click()
    shown.page.get_by_role("button", name="Cancel the job").click()
    expect(status(shown)).to_have_text("cancelled")
    expect(shown.page.get_by_role("button", name="Retry")).to_be_visible()
    expect(shown.page.get_by_role("link", name="Explore this model")).to_have_attribute(
        "href", f"#/explore/{going.model}"
    )
    assert len([one for one in asked if re.fullmatch(rf"GET .*/v1/jobs/{going.id}", one)]) <= 1, "it polls"


def test_one_goes_back_through_a_training_to_where_it_warned(look: Look, ended: dict[str, Job], width: str) -> None:
    shown = opened(look, f"#/watch/{ended['by-heart'].id}", width)
    expect(pictures(shown)).to_have_attribute("alt", re.compile("after 1,500 images"))
    shown.page.get_by_text("overfitting").wait_for()
    expect(shown.page.get_by_text("What helps: augment diffaugment")).to_be_visible()
    expect(shown.page.get_by_text("Grey: the data.")).to_have_count(0)  # these are images
    shown.accessible()
    shown.keep("watch-one")

    slider(shown).press("Home")
    expect(pictures(shown)).not_to_have_attribute("alt", re.compile("after 1,500 images"))
    start = int(slider(shown).input_value())
    shown.page.get_by_role("button", name=re.compile("^at .* images$")).first.click()
    expect(slider(shown)).not_to_have_value(str(start))
    expect(shown.page).to_have_url(re.compile(r"\?at=\d+"))
    shown.page.get_by_role("button", name="Newest").click()
    expect(pictures(shown)).to_have_attribute("alt", re.compile("after 1,500 images"))
    shown.page.get_by_role("button", name="Play").click()
    expect(pictures(shown)).not_to_have_attribute("alt", re.compile("after 1,500 images"))
    expect(pictures(shown)).to_have_attribute("alt", re.compile("after 1,500 images"))

    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="as GIF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"GIF89a")
    expect(shown.page.get_by_role("link", name="Explore by-heart at 1,500 images")).to_be_visible()


def frame(type: str, data: Any, number: int | None = None) -> str:
    """A message of an event stream."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {type}\ndata: {json.dumps(data)}\n\n"


def told(job: dict[str, Any], *happened: tuple[str, dict[str, Any]]) -> str:
    """A stream that tells a job, a row of its series that nobody has any more, and these events."""
    given_up = {"object": "metrics", "job": job["id"], "data": [{"images": 10**6, "loss_generator": 1.0}]}
    same = {"object": "event", "job": job["id"], "created_at": job["created_at"]}
    events = [
        frame(type, {"id": n, "type": type, "data": data} | same, n) for n, (type, data) in enumerate(happened, 1)
    ]
    return "".join([frame("job", job), frame("metrics", given_up), *events])


def test_what_a_training_gave_up_when_it_recovered_is_not_shown(
    look: Look, client: Client, ended: dict[str, Job]
) -> None:
    """It had previews at 0, 80 and 160 images, went back to 80, and had another at 240."""
    job = client.jobs.http.get(f"/v1/jobs/{ended['ring-dcgan'].id}").json()
    saved = [("preview.saved", {"images": images}) for images in (0, 80, 160, 240)]
    recovered = ("job.recovered", {"message": "NaN", "field": "learning_rate", "from": 1, "to": 0.25, "to_images": 80})
    story = told(job, *saved[:3], recovered, saved[3], ("job.succeeded", {}))
    shown = opened(look, "#/watch")
    shown.page.route(
        re.compile(r"/v1/events\?job="), lambda route: route.fulfill(body=story, content_type="text/event-stream")
    )
    shown.page.evaluate("job => { location.hash = `#/watch/${job}`; }", job["id"])
    expect(shown.page.get_by_text("preview 3 of 3")).to_be_visible()
    shown.page.get_by_text("Numbers", exact=True).click()
    series = client.jobs.metrics(job["id"])
    expect(shown.page.get_by_role("row", name=re.compile("^reports "))).to_have_text(f"reports{len(series)}")


def test_trainings_ticked_in_the_list_are_laid_over_one_another(look: Look, ended: dict[str, Job], width: str) -> None:
    shown = opened(look, "#/watch", width)
    for model in ("ring-dcgan", "ring-minimax"):
        shown.page.get_by_role("checkbox", name=re.compile(f"Compare {model} ")).check()
    shown.accessible()
    shown.keep("watch-list")
    shown.page.get_by_role("link", name="Compare 2 trainings").click()

    names = ("ring-dcgan · dcgan", "ring-minimax · minimax")
    for name in names:
        expect(shown.page.get_by_role("img", name=f"What {name} draws after 640 images")).to_be_visible()
    expect(shown.page.get_by_text("Grey: the data.")).to_be_visible()
    losses = shown.page.get_by_role("figure", name=re.compile("^Losses: "))
    expect(losses).to_have_accessible_name(re.compile(f"{names[0]}: generator.*{names[1]}: generator"))
    expect(shown.page.get_by_text("Good to know: saturating loss")).to_be_visible()
    shown.accessible()
    shown.keep("watch-several")
    slider(shown).press("Home")
    for name in names:
        picture = shown.page.get_by_role("img", name=re.compile(f"What {name} draws"))
        expect(picture).not_to_have_attribute("alt", re.compile("after 640 images"))


def test_other_jobs_show_what_they_came_to(look: Look, client: Client, few: str, ended: dict[str, Job]) -> None:
    [preparation] = [job for job in client.jobs.list(type="prepare").data if job.dataset == few]
    shown = opened(look, f"#/watch/{preparation.id}")
    expect(status(shown)).to_have_text("succeeded")
    expect(shown.page.get_by_role("link", name="See the data")).to_have_attribute("href", f"#/data/{few}")
    assert ended


def test_a_job_that_is_not_there_is_told_and_the_others_are_shown(look: Look, ended: dict[str, Job]) -> None:
    unknown, known = f"job_{'0' * 24}", ended["ring-dcgan"]
    shown = opened(look, f"#/watch/{unknown},{known.id}")
    shown.expected = True  # the console names what was answered with 404
    expect(shown.page.get_by_role("alert")).to_contain_text(unknown)
    expect(shown.page.get_by_role("heading", name="ring-dcgan")).to_be_visible()
    expect(pictures(shown)).to_have_count(1)
