"""The studio's Train room: what a person chooses, what is chosen for them and why, what it takes, and how it starts."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from browsing import Look, Shown
from playwright.sync_api import Locator, Page, Route, expect
from running import Stack

from ganymede import Client
from ganymede.demo import digits, pack_digits
from ganymede.records import Job

DATA = "train-room"
COUNT = 240
PATIENCE = 60_000
"""Milliseconds for what waits for the server."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def data(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small set of digits, prepared."""
    pixels, labels = digits()
    packed = pack_digits(tmp_path_factory.mktemp("train") / f"{DATA}.zip", pixels[:COUNT], labels[:COUNT])
    client.datasets.upload(packed, name=DATA)
    return client.datasets.wait(DATA, timeout=120).name


@pytest.fixture(scope="module")
def model(client: Client, data: str) -> str:
    """A model that has learned for two seconds."""
    name = "train-room-first"
    request = {"type": "train", "dataset": data, "model": name, "recipe": "dcgan", "max_seconds": 2}
    client.jobs.wait(client.jobs.create(request).id, timeout=240)
    return name


@pytest.fixture(autouse=True)
def tidy(client: Client) -> Iterator[None]:
    """What a test started ends with it."""
    yield
    for status in ("queued", "running"):
        for job in client.jobs.list(status=status, type="train").data:
            client.jobs.cancel(job.id)


def opened(look: Look, width: str, **query: str) -> Shown:
    """The room, once it has an estimate."""
    shown = look("#/train?" + "&".join(f"{name}={value}" for name, value in query.items()), width)
    answered(shown.page)
    return shown


def answered(page: Page) -> None:
    """The estimate is there, and is of what is chosen now."""
    takes(page).get_by_text("asking …").wait_for(state="detached", timeout=PATIENCE)
    expect(takes(page)).to_contain_text(re.compile("Time"))


def takes(page: Page) -> Locator:
    return page.get_by_role("complementary", name="What it takes")


def request(page: Page) -> dict[str, Any]:
    """The body of the job, as the page shows it."""
    if not takes(page).locator("details[open]").count():
        takes(page).get_by_text("The same as a request").click()
    told = takes(page).locator("pre").inner_text()
    return dict(json.loads(told[told.index("{") : told.rindex("}") + 1]))


def jobs_watched(shown: Shown, client: Client, model: str) -> list[Job]:
    """The jobs of the address that the page went to."""
    shown.page.wait_for_url(re.compile("#/watch/job_"), timeout=PATIENCE)
    [ids] = re.findall(r"#/watch/([^?]+)", unquote(shown.page.url))
    jobs = [client.jobs.get(id) for id in ids.split(",")]
    assert all(job.model and job.model.startswith(model) for job in jobs)
    return jobs


def test_a_person_picks_data_and_reads_what_each_recipe_does(look: Look, width: str, client: Client, data: str) -> None:
    shown = opened(look, width)
    page = shown.page
    page.get_by_role("radio", name=data).check()
    expect(page.get_by_role("radio", name=data)).to_be_checked()
    for recipe in client.recipes().data:
        page.get_by_role("radio", name=recipe.summary).check()
        about = page.get_by_role("region", name=f"About {recipe.name}")
        expect(about).to_contain_text(recipe.about)
        expect(about.get_by_role("link", name=recipe.source["title"])).to_have_attribute("href", recipe.source["url"])
        signs = about.locator("math").all_text_contents()
        kept = recipe.formula["kept_lipschitz_by"]
        assert len(signs) == (2 if kept is None or re.fullmatch("[a-z ]+", kept) else 3), "mere words are text"
        assert {"r", "f"} <= set("".join(signs[:2])), signs
    page.get_by_role("radio", name=client.recipes().data[0].summary).check()
    answered(page)
    assert request(page)["dataset"] == data
    shown.accessible()
    shown.keep("train")


def test_a_figure_that_is_changed_changes_the_estimate_and_the_request(look: Look, width: str, data: str) -> None:
    shown = opened(look, width, dataset=data, recipe="wgan-gp")
    page = shown.page
    page.get_by_role("radio", name="A minute").check()
    page.get_by_text("Everything else").click()
    field = page.get_by_label("Width", exact=True)
    expect(field).to_have_value("16")
    expect(page.get_by_text("Chosen: a quarter of the published width, for a CPU")).to_be_visible()
    checkpoint = takes(page).locator("dd").nth(2)
    before = checkpoint.inner_text()
    field.fill("48")
    expect(checkpoint).not_to_have_text(before)
    said = request(page)
    assert (said["network"], said["max_seconds"], said["recipe"]) == ({"width": 48}, 60, "wgan-gp")
    page.get_by_label("Loss", exact=True).select_option("hinge")
    expect(page.get_by_role("region", name="About wgan-gp")).to_contain_text("As you changed it")
    answered(page)
    shown.accessible()
    shown.keep("train-everything")
    page.get_by_role("button", name="Reset Width").click()
    expect(checkpoint).to_have_text(before)
    page.get_by_role("button", name="Reset all").click()
    assert request(page).keys() == {"type", "dataset", "model", "recipe", "max_seconds"}


def test_a_wrong_figure_and_a_name_that_is_taken_are_explained_where_they_stand(
    look: Look, width: str, data: str, model: str
) -> None:
    shown = opened(look, width, dataset=data)
    shown.expected = True  # the browser writes each refusal to the console
    page = shown.page
    page.get_by_text("Everything else").click()
    for field, wrong, why in (
        ("Batch size", "100000", f"the dataset has {COUNT} rows|less than or equal"),
        ("Betas", "0.5, 2", "less than 1"),
        ("Model name", model, "exists already"),
    ):
        box = page.get_by_label(field, exact=True)
        box.fill(wrong)
        expect(box).to_have_attribute("aria-invalid", "true")
        expect(box).to_have_accessible_description(re.compile(why))
        expect(takes(page).get_by_role("alert")).to_contain_text(field)
        expect(page.get_by_role("button", name="Start training")).to_be_disabled()
        shown.accessible()
        if field != "Model name":
            page.get_by_role("button", name=f"Reset {field}").click()
    shown.keep("train-refused")
    page.get_by_label("Model name").fill("another-name")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


def test_a_short_training_is_started_and_watched(look: Look, width: str, client: Client, data: str) -> None:
    shown = opened(look, width, dataset=data, recipe="lsgan")
    page = shown.page
    page.get_by_role("radio", name="Another budget").check()
    page.get_by_label("How much").fill("2")
    page.get_by_label("Of what").select_option("seconds")
    page.get_by_label("Model name").fill(f"train-room-{width}")
    answered(page)
    page.get_by_role("button", name="Start training").click()
    [job] = jobs_watched(shown, client, f"train-room-{width}")
    assert job.spec is not None
    assert (job.spec["max_seconds"], job.spec["recipe"], job.dataset) == (2, "lsgan", data)


def test_several_recipes_are_compared_on_the_same_data_and_budget(
    look: Look, width: str, client: Client, data: str
) -> None:
    shown = opened(look, width, dataset=data)
    page = shown.page
    page.get_by_label("Compare several").check()
    for summary in (one.summary for one in client.recipes().data if one.name in {"wgan", "minimax"}):
        page.get_by_role("checkbox", name=summary).check()
    page.get_by_label("Model name").fill(f"versus-{width}")
    page.get_by_role("radio", name="A minute").check()
    answered(page)
    expect(takes(page).locator("tbody tr")).to_have_count(3)
    shown.accessible()
    shown.keep("train-compare")
    page.get_by_role("button", name="Start 3 trainings").click()
    jobs = jobs_watched(shown, client, f"versus-{width}-")
    told = {job.model: job.spec or {} for job in jobs}
    assert set(told) == {f"versus-{width}-{recipe}" for recipe in ("r3gan", "wgan", "minimax")}
    assert all(name == f"versus-{width}-{spec['recipe']}" for name, spec in told.items())
    assert {(job.dataset, (job.spec or {})["max_seconds"]) for job in jobs} == {(data, 60)}


def test_training_goes_on_in_a_model_or_in_a_new_one_from_any_of_its_checkpoints(
    look: Look, width: str, client: Client, model: str
) -> None:
    shown = opened(look, width, resume_from=model)
    page = shown.page
    name = page.get_by_label("Model name")
    expect(name).to_be_disabled()
    expect(name).to_have_value(model)
    said = request(page)
    assert (said["resume_from"], said["model"]) == (model, model)
    assert "recipe" not in said, "the model's own"
    page.get_by_label("Trains").select_option("new")
    page.get_by_label("From its checkpoint").select_option(label="the best, by fid")
    name.fill(f"branch-{width}")
    page.get_by_role("radio", name="A minute").check()
    answered(page)
    shown.accessible()
    page.get_by_role("button", name="Start training").click()
    [job] = jobs_watched(shown, client, f"branch-{width}")
    assert job.spec is not None
    assert job.spec["resume_from"]["model"] == model


def answering(look: Look, width: str, path: str, body: dict[str, Any]) -> Shown:
    """The room where the server answers one call so."""
    shown = look("#/data", width)
    shown.page.route(re.compile(path), lambda route: answer(route, body))
    shown.page.goto(f"{shown.url}/#/train")
    shown.page.reload()
    return shown


def answer(route: Route, body: dict[str, Any]) -> None:
    route.fulfill(json=body)


def test_without_data_the_room_says_where_to_bring_them(look: Look, width: str) -> None:
    nothing = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    shown = answering(look, width, r"/v1/datasets(\?.*)?$", nothing)
    expect(shown.page.get_by_role("heading", name="Nothing to learn from yet")).to_be_visible()
    shown.accessible()
    shown.page.get_by_role("link", name="Bring data").click()
    assert shown.page.url.endswith("#/data")


def test_a_key_that_may_not_train_is_told_so_and_may_read_about_the_games(
    look: Look, width: str, stack: Stack, client: Client
) -> None:
    session = {"object": "session", "keys_required": False, "key": "looker", "scopes": ["read"], "expires_at": None}
    shown = answering(look, width, "/v1/session$", session)
    expect(shown.page.get_by_text("Your key may look, but not train")).to_be_visible()
    assert not shown.page.get_by_role("button", name="Start training").count()
    [recipe] = [one for one in client.recipes().data if one.name == "wgan"]
    shown.page.get_by_role("radio", name=recipe.summary).check()
    expect(shown.page.get_by_role("region", name="About wgan")).to_contain_text(recipe.about)
    shown.accessible()
