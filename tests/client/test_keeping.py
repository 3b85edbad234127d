"""Averages, the best checkpoint, pins, neighbours, and a server that goes away: from the client and the command."""

import base64
import json
from pathlib import Path

import pytest
from fake_server import CREATED, Answer, Fake, job, problem

from ganymede import Client
from ganymede.cli import run
from ganymede.errors import NotFound, ServerUnreachable
from ganymede.transport import patiently

CHECKPOINT = {"id": "ckpt_1", "images": 12345, "created_at": CREATED, "bytes": 9, "sha256": "ab" * 32}
NEIGHBOURS = {
    "object": "neighbours",
    "model": "m",
    "checkpoint": "ckpt_1",
    "dataset": "digits",
    "seed": 3,
    "label": "7",
    "ema": 400,
    "typical": 0.25,
    "data": [
        {"index": 512, "distance": 0.125, "label": "7", "b64_json": base64.b64encode(b"PNG").decode(), "point": None},
        {"index": 3, "distance": 0.5, "label": "1", "b64_json": base64.b64encode(b"GNP").decode(), "point": None},
    ],
}


def test_a_checkpoint_is_pinned_and_let_go(fake: Fake) -> None:
    call = "PATCH /v1/models/m/checkpoints/best"
    fake.on(call, Answer(200, CHECKPOINT | {"pinned": True}), Answer(200, CHECKPOINT | {"pinned": False}))
    with Client() as client:
        assert client.models.pin("m", "best").pinned
        assert not client.models.unpin("m", "best").pinned
        with pytest.raises(NotFound):
            client.models.pin("m", "ckpt_9")
    assert fake.sent(call) == [{"pinned": True}, {"pinned": False}]


def test_the_command_pins_by_model_and_checkpoint(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.on("PATCH /v1/models/m/checkpoints/12345", Answer(200, CHECKPOINT | {"pinned": True}))
    assert run(["models", "pin", "m@12345"]) == 0
    assert capsys.readouterr().out == "ckpt_1 at 12,345 images is pinned\n"
    assert run(["models", "unpin", "m@12345", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "ckpt_1"
    assert run(["models", "pin", "m@7"]) == 5


@pytest.mark.parametrize("reference", ["m", "@best", "m@"])
def test_a_pin_without_a_model_or_a_checkpoint_is_misuse(
    fake: Fake, capsys: pytest.CaptureFixture[str], reference: str
) -> None:
    assert run(["models", "pin", reference]) == 2
    assert "MODEL@CHECKPOINT" in capsys.readouterr().err
    assert fake.asked == []


def test_a_model_shows_its_metric_its_best_its_averages_and_its_pins(
    fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    averaged = {"ema_halflife": 5e6, "ema_halflives": [0, 400, 5e6], "pinned": True}
    body = {"id": "mdl_1", "name": "m", "created_at": CREATED, "metric": "fid", "best": "ckpt_1"}
    measured = {"metrics": {"fid": 3.8879, "recall": 0.5}}
    unmeasured = {"id": "ckpt_2", "metrics": {"fid": None}}
    checkpoints = [CHECKPOINT | unmeasured, CHECKPOINT | averaged | measured]
    fake.on("GET /v1/models/m", Answer(200, body | {"checkpoints": checkpoints}))
    assert run(["models", "show", "m"]) == 0
    out = capsys.readouterr().out
    heading, newer, older = (line.split() for line in out.splitlines()[-3:])
    assert heading[:3] == ["id", "images", "fid"]
    assert newer[:3] == ["ckpt_2", "12,345", "–"]
    assert older[:3] == ["ckpt_1", "12,345", "3.888"]
    assert "5000000, raw, 400" in out
    assert "yes" in out
    assert ["metric", "fid"] in [line.split() for line in out.splitlines()]
    assert ["best", "ckpt_1"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize(("word", "sent"), [("raw", "raw"), ("400", 400.0)])
def test_an_average_is_drawn_by_its_half_life(
    fake: Fake, capsys: pytest.CaptureFixture[str], word: str, sent: object
) -> None:
    for path in ("samples", "interpolations"):
        fake.on(f"POST /v1/{path}", Answer(200, {"data": []}))
    assert run(["sample", "m@best", "--ema", word]) == 0
    assert run(["interpolate", "m", "--from", "1", "--to", "2", "--ema", word]) == 0
    assert [fake.sent(f"POST /v1/{path}")[0]["ema"] for path in ("samples", "interpolations")] == [sent, sent]
    assert fake.sent("POST /v1/samples")[0]["model"] == "m@best"
    capsys.readouterr()
    assert run(["sample", "m", "--ema", "some"]) == 2
    assert "neither raw nor a half-life" in capsys.readouterr().err


def test_a_training_asks_for_averages_and_a_metric(fake: Fake) -> None:
    fake.on("POST /v1/jobs", job("queued"))
    kept = ["--ema-halflives", "400", "--ema-halflives", "9000", "--ema-halflife", "400"]
    assert run(["train", "d", "--model", "m", *kept, "--metric", "recall", "--keep-best", "3"]) == 0
    (sent,) = fake.sent("POST /v1/jobs")
    assert (sent["ema_halflives"], sent["ema_halflife"]) == ([400, 9000], 400)
    assert (sent["metric"], sent["keep_best"]) == ("recall", 3)


# ---- neighbours ----


def test_neighbours_are_asked_for_by_seed_class_condition_and_average(fake: Fake) -> None:
    fake.on("GET /v1/models/m@best/neighbours?seed=3&label=7&ema=raw&count=2", Answer(200, NEIGHBOURS))
    fake.on("GET /v1/models/m/neighbours?seed=3&condition=0.5%2C-1", Answer(200, NEIGHBOURS))
    with Client() as client:
        found = client.models.neighbours("m@best", 3, label="7", ema="raw", count=2)
        assert client.models.neighbours("m", 3, condition=[0.5, -1]) == found
    assert [(one.index, one.distance) for one in found.data] == [(512, 0.125), (3, 0.5)]
    assert (found.typical, found.ema) == (0.25, 400)


def test_the_command_shows_neighbours_and_saves_their_images(
    fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake.on("GET /v1/models/m/neighbours?seed=3&ema=400.0&count=2", Answer(200, NEIGHBOURS))
    asked = ["neighbours", "m", "--seed", "3", "--ema", "400", "--count", "2"]
    assert run([*asked, "--out", str(tmp_path / "near")]) == 0
    out = capsys.readouterr().out
    assert ["512", "0.125", "7"] in [line.split() for line in out.splitlines()]
    assert "typical distance 0.25" in out
    assert {path.name: path.read_bytes() for path in (tmp_path / "near").iterdir()} == {
        "00_row512.png": b"PNG",
        "01_row3.png": b"GNP",
    }
    assert run([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][0]["index"] == 512


def test_points_have_no_images_to_save(fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    points = [{"index": 1, "distance": 0.5, "point": [1.0, 2.0]}]
    fake.on("GET /v1/models/m/neighbours?seed=3", Answer(200, NEIGHBOURS | {"data": points}))
    assert run(["neighbours", "m", "--seed", "3", "--out", str(tmp_path / "near")]) == 2
    assert "points have no images" in capsys.readouterr().err


# ---- a server that goes away, and a target that cannot be written ----


def test_watching_says_once_that_the_server_is_away_and_goes_on(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    away = problem(503, "unavailable", "the database is away", **{"Retry-After": "0"})
    fake.on("GET /v1/jobs/job_1", job("running"), away, away, away, job("succeeded"))
    assert run(["jobs", "watch", "job_1"]) == 0
    out, err = capsys.readouterr()
    assert err.count("the database is away; waiting for it to come back\n") == 1
    assert err.count("waiting") == 1
    assert "succeeded" in out


def test_every_outage_is_told_once_and_one_that_lasts_is_an_error() -> None:
    told: list[str] = []
    attempts = iter([ServerUnreachable("first"), ServerUnreachable("second"), None])

    def attempt() -> str:
        error = next(attempts)
        if error is not None:
            raise error
        return "done"

    assert patiently(attempt, 5.0, lambda error: told.append(str(error))) == "done"
    assert told == ["first"]

    def refuse() -> str:
        raise ServerUnreachable("gone")

    with pytest.raises(ServerUnreachable):
        patiently(refuse, 0.0, lambda error: told.append(str(error)))
    assert told == ["first"], "an error that is raised need not be told as well"


@pytest.mark.parametrize("place", ["absent/grid.png", "file/grid.png"])
def test_an_unwritable_target_is_named_as_it_was_given(
    fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    fake.on("POST /v1/samples", Answer(200, b"PNG"))
    target = str(tmp_path / place)
    assert run(["sample", "m", "--out", target]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"ganymede: {target}: ")
    assert ".part" not in err
