"""Scores, and a model that comes back, from the client and the command."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from fake_server import CREATED, Answer, Fake

from ganymede import Client
from ganymede.cli import run
from ganymede.errors import NotFound

SCORES = {
    "object": "scores",
    "model": "m",
    "checkpoint": "ckpt_1",
    "calibration": None,
    "data": [
        {"index": 0, "logit": 1.25, "probability": 0.75, "label": "3"},
        {"index": 1, "logit": -2.5, "probability": 0.0625, "label": "5"},
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    return [tmp_path / "a.png", tmp_path / "b.png"]


def test_the_client_sends_paths_bytes_and_words_as_base64(fake: Fake, files: list[Path]) -> None:
    fake.on("POST /v1/scores", Answer(200, SCORES))
    with Client() as client:
        found = client.scores({"model": "m", "images": [files[0], b"b.png", "Yy5wbmc="], "labels": ["3"]})
        with pytest.raises(OSError, match=r"c\.png"):
            client.scores({"model": "m", "images": [files[0].with_name("c.png")]})
    assert [(one.probability, one.label) for one in found.data] == [(0.75, "3"), (0.0625, "5")]
    sent = [b64encode(name).decode() for name in (b"a.png", b"b.png", b"c.png")]
    assert fake.sent("POST /v1/scores") == [{"model": "m", "images": sent, "labels": ["3"]}]


def test_the_command_shows_a_row_a_file(fake: Fake, capsys: pytest.CaptureFixture[str], files: list[Path]) -> None:
    fake.on("POST /v1/scores", Answer(200, SCORES))
    paths = list(map(str, files))
    assert run(["score", "m@best", *paths, "--label", "3", "--label", "5"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[-2:] == [["a.png", "0.75", "1.25", "3"], ["b.png", "0.0625", "-2.5", "5"]]
    assert fake.sent("POST /v1/scores")[0]["labels"] == ["3", "5"]
    assert run(["score", "m", *paths, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][1]["logit"] == -2.5


def test_a_file_that_is_not_there_and_a_model_that_is_not_are_told(
    fake: Fake, capsys: pytest.CaptureFixture[str], files: list[Path]
) -> None:
    assert run(["score", "m", str(files[0].with_name("c.png"))]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert fake.asked == []
    assert run(["score", "nobody", str(files[0])]) == NotFound.exit_code


def test_a_downloaded_checkpoint_is_sent_as_a_model(
    fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "m-10.safetensors"
    file.write_bytes(b"tensors")
    fake.on("POST /v1/models", Answer(201, {"id": "mdl_1", "name": "back", "created_at": CREATED}))
    assert run(["models", "add", str(file), "--name", "back"]) == 0
    assert "mdl_1" in capsys.readouterr().out
    (sent,) = (body for call, body in fake.bodies if call == "POST /v1/models")
    for part in (b'name="name"\r\n\r\nback', b'name="file"; filename="m-10.safetensors"', b"tensors"):
        assert part in sent
    assert run(["models", "add", str(tmp_path / "none"), "--name", "back"]) == 2


MEMORY = {"object": "memory", "model": "m", "checkpoint": "ckpt_1", "loaded": True, "bytes": 10, "kept": True}


def test_a_model_is_loaded_kept_and_let_go(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("PUT", "GET"):
        fake.on(f"{method} /v1/models/m@best/memory", Answer(200, MEMORY))
    fake.on("DELETE /v1/models/m@best/memory", Answer(204))
    assert run(["models", "load", "m@best", "--keep"]) == 0
    assert "ckpt_1" in capsys.readouterr().out
    assert [body for call, body in fake.bodies if call.startswith("PUT")] == [b'{"kept":true}']
    with Client(fake.url) as client:
        assert client.models.memory("m@best").bytes == 10
    assert run(["models", "unload", "m@best"]) == 0
    assert [asked[0] for asked in fake.asked][-1] == "DELETE /v1/models/m@best/memory"


def test_a_drawing_that_is_refused_is_asked_for_again(fake: Fake) -> None:
    refusal = Answer(503, {"code": "unavailable", "detail": "many wait"}, {"Retry-After": "0"})
    drawn = Answer(200, b"png", {"Content-Type": "image/png"})
    fake.on("POST /v1/samples", refusal, drawn)
    with Client(fake.url) as client:
        assert client.samples.create({"model": "m", "seed": 1}).content == b"png"
    assert [asked[0] for asked in fake.asked] == ["POST /v1/samples"] * 2
