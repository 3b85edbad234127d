"""The explore room: a wall of seeds, a picked picture in full, a walk between two pictures, all of it to take away."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import numpy as np
import pytest
from browsing import LONG_TASK, PATIENCE, Look, Shown, longest_tasks
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, expect
from running import Stack
from waiting import eventually

from ganymede import Client

MODEL: Final = "explored"
ROOM: Final = f"#/explore/{MODEL}"
FRAMES: Final = 65
FRAME_BUDGET: Final = 8.0
"""Milliseconds of script that a frame of the walk may take."""

Pixels = NDArray[np.int16]

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def model(client: Client, digits_zip: Path) -> str:
    """A conditional model of digits, trained for seconds."""
    client.datasets.upload(digits_zip, name=MODEL)
    client.datasets.wait(MODEL)
    body = {"type": "train", "dataset": MODEL, "model": MODEL, "recipe": "r3gan", "network": {"width": 8}}
    client.jobs.wait(client.jobs.create({**body, "max_seconds": 4}).id, timeout=240)
    return MODEL


@pytest.fixture(scope="module")
def points(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of points."""
    turn = np.random.default_rng(0).integers(0, 8, 512) * np.pi / 4
    path = tmp_path_factory.mktemp("points") / "ring.npy"
    np.save(path, np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32))
    client.datasets.upload(path, name="explored-ring")
    client.datasets.wait("explored-ring")
    body = {"type": "train", "dataset": "explored-ring", "model": "explored-ring", "images": 2_000}
    client.jobs.wait(client.jobs.create(body).id, timeout=240)
    return "explored-ring"


# ---- what is seen, as numbers ----------------------------------------------------------------------------------------

LOOKED_AT: Final = """async element => {
  await element.decode?.();
  const width = element.naturalWidth ?? element.width, height = element.naturalHeight ?? element.height;
  const canvas = new OffscreenCanvas(width, height), ctx = canvas.getContext("2d");
  ctx.drawImage(element, 0, 0);
  return {width, height, levels: [...ctx.getImageData(0, 0, width, height).data]};
}"""

AS_TEXT: Final = """async image => {
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL();
}"""
"""What a large image shows, to be compared: its levels, one by one, are long on their way."""


def pixels(shown: Locator) -> Pixels:
    """What an image or canvas of the page shows, (H, W), of a grey picture."""
    seen = shown.evaluate(LOOKED_AT)
    return np.array(seen["levels"], dtype=np.int16).reshape(seen["height"], seen["width"], 4)[..., 0]


def opened(content: bytes) -> Pixels:
    """The picture of a file."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=np.int16)


def drawn(client: Client, **asked: Any) -> Pixels:
    """What the server makes of a request for one sample."""
    return opened(client.samples.create({"model": MODEL, **asked}, "image/png").content)


def same(one: Pixels, other: Pixels) -> bool:
    """To the one level that a batch may make."""
    return one.shape == other.shape and bool(np.abs(one - other).max() <= 1)


def tile(shown: Shown, seed: int) -> Locator:
    """A seed's picture on the wall, once it is there."""
    image = shown.page.locator(f".tile[data-seed='{seed}'] img")
    shown.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    return image


def saved(shown: Shown, button: Locator) -> tuple[str, bytes]:
    """The file that a button gives: its name and bytes."""
    with shown.page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def button(shown: Shown | Locator, name: str) -> Locator:
    place = shown.page if isinstance(shown, Shown) else shown
    return place.get_by_role("button", name=name, exact=True)


def picked(look: Look, seed: int, width: str = "desktop", query: str = "") -> Shown:
    """The room with a picture picked and looked at."""
    shown = look(f"{ROOM}?pick={seed}{query}", width)
    shown.page.get_by_role("heading", name=re.compile(f"Seed {seed}, ")).wait_for()
    return shown


def walking(look: Look, width: str = "desktop", query: str = "") -> Shown:
    """The room with a walk from seed 1 to seed 2, its frames fetched."""
    shown = look(f"{ROOM}?a=1&b=2{query}", width)
    shown.page.get_by_role("slider", name="Between A and B").wait_for()
    return shown


def step_to(shown: Shown, frame: int) -> None:
    shown.page.get_by_role("slider", name="Between A and B").fill(str(frame))


def tell(figures: str) -> None:
    """Figures, for who runs with `-s`."""
    sys.stdout.write(f"\n{figures}\n")


# ---- the list and the wall -------------------------------------------------------------------------------------------


def test_every_model_stands_in_the_list_with_a_picture_of_its_own(look: Look, width: str) -> None:
    shown = look("#/explore", width)
    card = shown.page.get_by_role("listitem").filter(has=shown.page.get_by_text(MODEL, exact=True))
    assert pixels(card.locator("img")).std() > 0
    expect(card).to_contain_text(re.compile(f"recipe r3gan, dataset {MODEL}.* images seen, 10 classes"))
    shown.accessible()
    shown.keep("explore-models")
    card.get_by_role("link").click()
    shown.page.get_by_role("heading", name=MODEL, exact=True).wait_for()


def test_a_server_without_models_says_where_they_come_from(look: Look) -> None:
    shown = look("")
    shown.page.route(
        "**/v1/models?*", lambda route: route.fulfill(json={"data": [], "has_more": False, "last_id": None})
    )
    shown.go("#/explore")
    shown.page.get_by_text("There is no model yet").wait_for()
    assert shown.page.get_by_role("link", name="Train one").get_attribute("href") == "#/train"


def test_the_wall_goes_on_for_hundreds_of_seeds_without_a_stall(look: Look) -> None:
    shown = look(f"{ROOM}?tile=small")
    tile(shown, 0)
    used = Used(shown)
    seen = scrolled(shown, 400, used)
    kept = shown.page.locator(".tile").count()
    tell(f"{len(seen)} seeds seen, {kept} in the page; {used}")
    assert len(seen) >= 400
    assert kept < 500, "the wall keeps what is out of sight"
    assert max(used.scripts) <= LONG_TASK


class Used:
    """What the page's main thread did, step by step, in milliseconds of its own processor time.

    The machine is shared: by the clock a task may be long in which the thread waited for its turn.
    """

    def __init__(self, shown: Shown) -> None:
        self.devtools = shown.context.new_cdp_session(shown.page)
        self.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.scripts: list[float] = []
        self.tasks: list[float] = []
        self.begin()

    def metrics(self) -> dict[str, float]:
        found = self.devtools.send("Performance.getMetrics")["metrics"]
        return {one["name"]: 1000 * one["value"] for one in found if one["name"].endswith("Duration")}

    def begin(self) -> None:
        """What was done before does not count."""
        self.last = self.metrics()

    def step(self) -> None:
        """A step has ended: what it took, in script and in tasks altogether."""
        now = self.metrics()
        self.scripts.append(now["ScriptDuration"] - self.last["ScriptDuration"])
        self.tasks.append(now["TaskDuration"] - self.last["TaskDuration"])
        self.last = now

    @property
    def longest_task(self) -> float:
        """No task was longer than the step that it was in."""
        return max(self.tasks)

    @property
    def script_p95(self) -> float:
        return quantiles(self.scripts, n=20)[-1]

    def __str__(self) -> str:
        return (
            f"{len(self.tasks)} steps: script median {median(self.scripts):.2f} ms, p95 {self.script_p95:.2f} ms; "
            f"tasks median {median(self.tasks):.2f} ms, longest step {self.longest_task:.2f} ms"
        )


THERE: Final = """() => [...document.querySelectorAll(".tile")]
  .filter(tile => tile.firstElementChild.complete && tile.firstElementChild.naturalWidth > 0)
  .map(tile => Number(tile.dataset.seed))"""


def scrolled(shown: Shown, count: int, used: Used) -> set[int]:
    """The seeds whose pictures were there as the wall was scrolled through, until they are so many."""
    seen: set[int] = set(shown.page.evaluate(THERE))
    shown.page.locator(".explore-wall").hover()
    for _ in range(200):
        if len(seen) >= count:
            break
        used.begin()
        shown.page.mouse.wheel(0, 120)
        shown.page.evaluate("new Promise(requestAnimationFrame)")
        used.step()
        shown.page.wait_for_function("() => [...document.querySelectorAll('.tile img')].every(one => one.complete)")
        seen |= set(shown.page.evaluate(THERE))
    return seen


@pytest.mark.alone
def test_no_task_is_felt_while_the_room_comes_the_wall_is_scrolled_and_the_slider_dragged(
    look: Look, browser: Browser
) -> None:
    def visit(shown: Shown) -> None:
        shown.go(f"{ROOM}?tile=small&a=1&b=2")
        tile(shown, 0)
        scrolled(shown, 200, Used(shown))
        slider = shown.page.get_by_role("slider", name="Between A and B")
        slider.scroll_into_view_if_needed()
        dragged(shown, slider)

    assert min(longest_tasks(browser, look, visit)) <= LONG_TASK


def test_a_tile_is_the_very_picture_of_its_address(look: Look, client: Client, stack: Stack) -> None:
    shown = look(f"{ROOM}?from=500")
    checkpoint = client.models.get(MODEL).checkpoints[0].id
    for seed in (500, 507):
        image = tile(shown, seed)
        assert image.get_attribute("src") == f"/v1/models/{checkpoint}/images/{seed}.png"
        assert same(pixels(image), drawn(client, seed=seed))


def test_label_and_truncation_change_every_picture(look: Look, client: Client) -> None:
    shown = look(ROOM)
    before = pixels(tile(shown, 0))
    shown.page.get_by_label("Label").first.select_option(label="3")
    shown.page.locator(".tile[data-seed='0'] img[src*='label=3']").wait_for()
    assert same(pixels(tile(shown, 0)), drawn(client, seed=0, labels=["3"]))
    shown.page.get_by_label(re.compile("Truncation")).fill("0")
    shown.page.locator(".tile[data-seed='0'] img[src*='truncation=0']").wait_for()
    one, other = pixels(tile(shown, 0)), pixels(tile(shown, 1))
    assert same(one, other), "at ψ = 0 all seeds of a class are one picture"
    assert not same(one, before)
    shown.page.reload()
    assert same(pixels(tile(shown, 0)), one), "the address keeps what was chosen"


KEYS_A_FRAME: Final = """async keys => {
  for (const key of keys) {
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await new Promise(requestAnimationFrame);
  }
}"""
"""A key a frame, to whatever has the focus then: faster than pictures come into the page."""


def test_the_keyboard_walks_over_the_wall_and_picks(look: Look) -> None:
    shown = look(ROOM)
    tile(shown, 0)
    shown.page.locator(".tile[data-seed='0']").focus()
    columns = shown.page.evaluate("getComputedStyle(document.querySelector('.explore-wall ul')).gridTemplateColumns")
    below = len(columns.split()) + 1
    for key in ("ArrowRight", "ArrowDown"):
        shown.page.keyboard.press(key)
    expect(shown.page.locator(f".tile[data-seed='{below}']")).to_be_focused()
    shown.page.keyboard.press("Enter")
    shown.page.get_by_role("heading", name=re.compile(f"Seed {below}, ")).wait_for()

    shown.page.keyboard.press("PageDown")
    shown.page.wait_for_function("below => document.activeElement.dataset.seed > below", arg=below)
    page = int(shown.page.evaluate("document.activeElement.dataset.seed")) - below
    shown.page.evaluate(KEYS_A_FRAME, [*["PageDown"] * 9, "a"])
    last = below + 10 * page
    shown.page.get_by_role("group", name="A", exact=True).get_by_text(f"Seed {last}").wait_for()
    expect(shown.page.locator(f".tile[data-seed='{last}']")).to_be_focused()


def test_a_checkpoint_of_the_past_has_its_own_wall(look: Look, client: Client) -> None:
    oldest = client.models.get(MODEL).checkpoints[-1]
    shown = look(f"{ROOM}@{oldest.images}")
    assert f"/{oldest.id}/" in (tile(shown, 0).get_attribute("src") or "")
    shown.page.get_by_label("Checkpoint").select_option("")
    newest = client.models.get(MODEL).checkpoints[0]
    shown.page.locator(f".tile[data-seed='0'] img[src*='{newest.id}']").wait_for()
    shown.go("#/explore/" + oldest.id)
    shown.page.locator(f".tile[data-seed='0'] img[src*='{oldest.id}']").wait_for()


def test_a_checkpoint_that_is_not_there_is_said_to_be_gone(look: Look) -> None:
    shown = look(f"{ROOM}@123456789")
    shown.page.get_by_role("heading", name="This model has no checkpoint 123456789").wait_for()
    shown.page.get_by_role("link", name="Its newest").click()
    tile(shown, 0)


# ---- a picked picture ------------------------------------------------------------------------------------------------


def test_a_picked_picture_is_shown_judged_and_compared(look: Look, client: Client, width: str) -> None:
    shown = picked(look, 5, width, "&psi=0.8")
    neighbours = client.models.neighbours(MODEL, 5, truncation=0.8, count=6)
    shown.page.get_by_role("heading", name=f"Seed 5, {neighbours.label}").wait_for()
    assert same(pixels(shown.page.locator("img.picked-picture")), drawn(client, seed=5, truncation=0.8))
    listed = shown.page.locator(".neighbours li")
    expect(listed).to_have_count(6)
    distance = float(listed.first.inner_text())
    assert distance == pytest.approx(neighbours.data[0].distance, rel=0.01)
    picture = client.samples.create({"model": MODEL, "seed": 5, "truncation": 0.8}, "image/png").content
    score = client.scores({"model": MODEL, "images": [picture], "labels": [neighbours.label]}).data[0]
    meter = shown.page.get_by_role("meter", name=re.compile("Probability"))
    assert score.probability is not None
    assert float(meter.get_attribute("value") or "") == pytest.approx(score.probability, abs=0.01)
    shown.page.get_by_text("Directions", exact=True).click()
    shown.page.get_by_label(re.compile("Direction 1")).wait_for()
    shown.accessible()
    shown.keep("explore-picked")


def test_directions_move_the_picture_and_reset_brings_it_back(look: Look, client: Client) -> None:
    shown = picked(look, 5)
    shown.page.get_by_text("Directions", exact=True).click()
    slider = shown.page.get_by_label(re.compile("Direction 1"))
    slider.fill("4")
    shown.page.get_by_role("heading", name="(moved)").wait_for()
    moved = drawn(client, seed=5, edits=[{"direction": 0, "amount": 4}])
    image = shown.page.locator("img.picked-picture")
    eventually(lambda: same(pixels(image), moved))
    assert shown.page.get_by_role("tab", name="<img>").count() == 0, "what is moved has no address"
    button(shown, "Back to the seed").click()
    eventually(lambda: same(pixels(image), drawn(client, seed=5)))


def test_picture_and_latent_are_taken_away(look: Look, client: Client) -> None:
    shown = picked(look, 5, query="&label=3")
    name, content = saved(shown, button(shown, "Picture"))
    assert name == f"{MODEL}-5.png"
    assert same(opened(content), drawn(client, seed=5, labels=["3"]))
    name, content = saved(shown, button(shown, "Latent .npy"))
    latent = np.load(io.BytesIO(content))
    again = opened(client.samples.create({"model": MODEL, "latents": latent.tolist(), "labels": ["3"]}).content)
    assert name == f"{MODEL}-5-latent.npy"
    assert same(again, drawn(client, seed=5, labels=["3"]))


def test_the_checkpoint_is_taken_away(look: Look, client: Client) -> None:
    shown = look(ROOM)
    link = shown.page.get_by_role("link", name=re.compile("Checkpoint"))
    _, content = saved(shown, link)
    assert len(content) == client.models.get(MODEL).checkpoints[0].bytes


def test_what_is_in_sight_is_taken_as_one_picture(look: Look, client: Client) -> None:
    shown = look(f"{ROOM}?from=40")
    tile(shown, 40)
    shown.page.get_by_text(re.compile("Take what is in sight")).click()
    name, content = saved(shown, button(shown, "Grid"))
    first, last = map(int, re.findall(r"-(\d+)-to-(\d+)", name)[0])
    columns = shown.page.evaluate("getComputedStyle(document.querySelector('.explore-wall ul')).gridTemplateColumns")
    asked = {"seed": first, "count": last - first + 1, "columns": len(columns.split())}
    assert first == 40
    assert same(opened(content), drawn(client, **asked))


# ---- the walk --------------------------------------------------------------------------------------------------------


def test_the_slider_goes_through_every_picture_between_two(look: Look, client: Client) -> None:
    shown = walking(look)
    asked = {"model": MODEL, "keyframes": [{"seed": 1}, {"seed": 2}], "frames": FRAMES, "return": ["image"]}
    frames = np.load(io.BytesIO(client.interpolations.create(asked, "application/x-npy").content))
    canvas = shown.page.get_by_role("img", name="A picture between A and B")
    for frame in range(FRAMES):
        step_to(shown, frame)
        assert same(pixels(canvas), frames[frame, ..., 0].astype(np.int16)), f"frame {frame}"
    assert same(pixels(canvas), drawn(client, seed=2))
    shown.page.get_by_role("slider", name="Between A and B").press("Home")
    assert same(pixels(canvas), drawn(client, seed=1))
    shown.page.keyboard.press("ArrowRight")
    shown.page.get_by_text(f"frame 2 of {FRAMES}").wait_for()


def test_another_address_of_the_room_has_other_ends(look: Look) -> None:
    shown = walking(look)
    shown.go(f"{ROOM}?a=3&b=4")
    for name, seed in (("A", 3), ("B", 4)):
        expect(shown.page.get_by_role("group", name=name, exact=True).get_by_text(f"Seed {seed}")).to_be_visible()
    shown.page.go_back()
    expect(shown.page.get_by_role("group", name="A", exact=True).get_by_text("Seed 1")).to_be_visible()
    shown.go(ROOM)
    expect(shown.page.get_by_role("button", name="A photograph as A…")).to_be_visible()


HANDLERS_TIMED: Final = """() => {
  window.spent = [];
  const listen = HTMLInputElement.prototype.addEventListener;
  HTMLInputElement.prototype.addEventListener = function (type, handler, ...rest) {
    const timed = type !== "input" ? handler : function (event) {
      const began = performance.now();
      handler.call(this, event);
      if (this.type === "range") window.spent.push(performance.now() - began);
    };
    return listen.call(this, type, timed, ...rest);
  };
}"""
"""Every input handler of the page says how long it took, in milliseconds."""


def test_dragging_the_slider_costs_little_script_and_asks_for_nothing(look: Look) -> None:
    shown = look("")
    shown.page.evaluate(HANDLERS_TIMED)
    shown.go(f"{ROOM}?a=1&b=2")
    slider = shown.page.get_by_role("slider", name="Between A and B")
    slider.scroll_into_view_if_needed()
    shown.page.wait_for_load_state("networkidle")
    asked: list[str] = []
    shown.page.on("request", lambda request: asked.append(request.url))
    used = dragged(shown, slider)
    handlers: list[float] = shown.page.evaluate("window.spent")
    tell(f"{used}; {len(handlers)} input handlers by the clock: median {median(handlers):.2f} ms")
    assert len(handlers) >= FRAMES // 2, "the drag moved the slider"
    assert used.script_p95 <= FRAME_BUDGET
    assert median(handlers) <= FRAME_BUDGET
    assert used.longest_task <= LONG_TASK
    assert asked == []


def dragged(shown: Shown, slider: Locator) -> Used:
    """A drag from end to end, a step a frame."""
    box = slider.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    shown.page.mouse.move(box["x"] + 8, y)
    shown.page.mouse.down()
    used = Used(shown)
    for step in range(FRAMES):
        shown.page.mouse.move(box["x"] + 8 + step * (box["width"] - 16) / FRAMES, y)
        used.step()
    shown.page.mouse.up()
    return used


def test_the_walk_is_saved_as_gif_webp_and_strip(look: Look, client: Client, width: str) -> None:
    shown = walking(look, width)
    walk = shown.page.get_by_role("region", name="From A to B")
    for label, form, width_of_all in (
        ("GIF, moving", "GIF", 8),
        ("WebP, moving", "WEBP", 8),
        ("film strip, PNG", "PNG", 8 * FRAMES + FRAMES - 1),
    ):
        walk.get_by_label("Take it as").select_option(label=label)
        _, content = saved(shown, button(walk, "Save"))
        with Image.open(io.BytesIO(content)) as picture:
            assert (picture.format, picture.width) == (form, width_of_all)
            assert getattr(picture, "is_animated", False) == (form != "PNG")
    step_to(shown, FRAMES // 2)
    shown.accessible()
    shown.keep("explore-walk")


def test_a_walk_plays_and_stops(look: Look) -> None:
    shown = walking(look)
    button(shown, "Play").click()
    shown.page.get_by_text(re.compile(rf"frame ([3-9]|\d\d) of {FRAMES}")).wait_for()
    button(shown, "Pause").click()
    assert button(shown, "Play").count() == 1


def test_two_photographs_are_walked_between(look: Look, client: Client, tmp_path: Path) -> None:
    photographs = [tmp_path / "one.png", tmp_path / "two.png"]
    for seed, path in zip((11, 12), photographs, strict=True):
        client.samples.save({"model": MODEL, "seed": seed, "size": 64}, path)
    shown = look(ROOM)
    shown.page.get_by_label("A photograph as A…").set_input_files(photographs)
    for path, end in zip(photographs, "AB", strict=True):
        group = shown.page.get_by_role("group", name=end, exact=True)
        expect(group).to_contain_text(re.compile(rf"{path.name}: found as \d"), timeout=200_000)
    canvas = shown.page.get_by_role("img", name="A picture between A and B")
    canvas.wait_for()
    for frame, seed in ((0, 11), (FRAMES - 1, 12)):
        step_to(shown, frame)
        apart = pixels(canvas) - drawn(client, seed=seed)
        assert np.sqrt(np.square(apart.astype(float)).mean()) / 255 < 0.1, "what is found is near to the photograph"
    shown.keep("explore-photographs")


# ---- the same thing elsewhere ----------------------------------------------------------------------------------------


def copied(shown: Shown, place: Locator, language: str) -> str:
    """What the copy button gives."""
    place.get_by_role("tab", name=language, exact=True).click()
    button(place, "Copy").click()
    button(place, "Copied").wait_for()
    text = str(shown.page.evaluate("navigator.clipboard.readText()"))
    button(place, "Copy").wait_for()
    return text


def ran(command: list[str], folder: Path) -> bytes:
    """A command run in an empty folder: the bytes of the one file that it leaves."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GANYMEDE_")}
    environment["PYTHONPATH"] = str(Path.cwd())
    options: Any = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, **options)
    assert done.returncode == 0, done.stderr
    [file] = folder.iterdir()
    return file.read_bytes()


def test_what_is_copied_makes_the_same_bytes(look: Look, tmp_path: Path) -> None:
    shown = look(f"{ROOM}?pick=5&psi=0.8&label=3&a=1:3&b=2", permissions=["clipboard-read", "clipboard-write"])
    shown.page.get_by_role("heading", name="Seed 5, 3").wait_for()
    place = shown.page.get_by_role("region", name="Seed 5, 3")
    _, picture = saved(shown, button(place, "Picture"))
    assert ran(["bash", "-c", copied(shown, place, "curl")], tmp_path / "curl") == picture
    assert ran([sys.executable, "-c", copied(shown, place, "Python")], tmp_path / "python") == picture
    [source] = re.findall('src="(.+?)"', copied(shown, place, "<img>"))
    response = shown.context.request.get(source.replace("&amp;", "&"))
    assert response.body() == picture
    walk = shown.page.get_by_role("region", name="From A to B")
    _, moving = saved(shown, button(walk, "Save"))
    assert ran(["bash", "-c", copied(shown, walk, "curl")], tmp_path / "walk-curl") == moving
    assert ran([sys.executable, "-c", copied(shown, walk, "Python")], tmp_path / "walk-python") == moving


# ---- other models ----------------------------------------------------------------------------------------------------


def test_a_model_of_points_is_a_plot_and_its_walk_a_trail(look: Look, points: str, width: str) -> None:
    shown = look(f"#/explore/{points}", width)
    plot = shown.page.get_by_role("img", name=f"1,000 points that {points} makes")
    before = plot.evaluate(AS_TEXT)
    shown.page.get_by_label(re.compile("Further along the seeds")).fill("3")
    shown.page.get_by_text("of seeds 3000 to 3999").wait_for()
    eventually(lambda: plot.evaluate(AS_TEXT) != before, 120)
    shown.page.get_by_role("img", name=re.compile("on the way")).wait_for()
    _, content = saved(shown, button(shown, "Points .npy"))
    assert np.load(io.BytesIO(content)).shape == (1000, 2)
    shown.accessible()
    shown.keep("explore-points")
