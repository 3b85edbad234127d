"""The command line: pure JSON for scripts, one line for an error, exit codes that mean something."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from fake_server import CREATED, Answer, Fake, dataset, job, problem
from pydantic import BaseModel

from gan.spec import TrainRequest
from ganymede.cli import EXIT_CODES, run
from ganymede.commands.train import OVERRIDES

TRAIN = ["train", "digits", "--model", "m"]


def test_every_override_of_the_api_is_an_option() -> None:
    nested = {"network": fields_of(TrainRequest, "network")}
    fields = {
        f"{name}.{inner}" if inner else name
        for name in TrainRequest.model_fields
        for inner in nested.get(name, [""])
        if name not in {"type", "dataset", "model", "recipe", "metadata"}
    }
    assert set(OVERRIDES) == fields


def fields_of(model: type[BaseModel], field: str) -> list[str]:
    annotation = model.model_fields[field].annotation
    kind = next(one for one in (annotation, *get_args(annotation)) if isinstance(one, type))
    return list(kind.model_fields)


def test_help_documents_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"{code} {meaning}" in text for code, meaning in EXIT_CODES.items())


def test_train_sends_what_was_given_and_nothing_else(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {}
    monkeypatch.setattr("ganymede.client.Jobs.create", lambda self, request: sent.update(request) or self.get("job_1"))
    fake.on("GET /v1/jobs/job_1", job("queued"))
    overrides = ["--max-seconds", "5", "--betas", "0", "0.9", "--unconditional", "--width", "16", "--metadata", "a=b"]
    assert run([*TRAIN, *overrides, "--set", "network.latent_dim=7", "--set", "loss=hinge"]) == 0
    assert sent == {
        "type": "train",
        "dataset": "digits",
        "model": "m",
        "max_seconds": 5.0,
        "betas": (0.0, 0.9),
        "conditional": False,
        "network": {"width": 16, "latent_dim": 7},
        "metadata": {"a": "b"},
        "loss": "hinge",
    }


@pytest.mark.parametrize(
    ("end", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 6)], ids=["succeeded", "failed", "cancelled"]
)
def test_watching_ends_with_the_jobs_own_end(
    fake: Fake, capsys: pytest.CaptureFixture[str], end: str, code: int
) -> None:
    failure = {"code": "out_of_memory", "message": "no memory left"} if end == "failed" else None
    fake.on("POST /v1/jobs", job("queued"))
    fake.on("GET /v1/jobs/job_1", job("running"), job(end, error=failure))
    assert run([*TRAIN, "--watch", "--json"]) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == end
    assert "640 images, 320 images/s" in err
    assert ("out_of_memory: no memory left" in err) == (end == "failed")


@pytest.mark.parametrize("type", ["project", "evaluate"])
def test_jobs_that_count_no_images_are_watched_in_per_cent(
    fake: Fake, capsys: pytest.CaptureFixture[str], type: str
) -> None:
    progress = {"images": 0, "total_images": None, "percent": 40.0}
    fake.on("GET /v1/jobs/job_1", job("running", type=type, progress=progress), job("succeeded", type=type))
    assert run(["jobs", "watch", "job_1"]) == 0
    err = capsys.readouterr().err
    assert "running 40 %" in err
    assert "0 images" not in err


def test_lists_are_tables_or_json(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    page = {"object": "list", "data": [job("running").body], "last_id": "job_1", "has_more": True}
    fake.on("GET /v1/jobs?status=running", Answer(200, page))
    assert run(["jobs", "list", "--status", "running"]) == 0
    out, err = capsys.readouterr()
    assert "job_1" in out
    assert "64 %" in out
    assert "--after job_1" in err
    assert run(["jobs", "list", "--status", "running", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][0]["id"] == "job_1"


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (problem(422, "invalid_request", "must be even", "batch_size"), 3, "batch_size: must be even"),
        (problem(404, "not_found", "there is no dataset nope"), 5, "there is no dataset nope"),
        (problem(500, "internal", "something went wrong inside"), 4, "[request req_1]"),
        (problem(401, "unauthorized", "no key"), 3, "GANYMEDE_API_KEY"),
    ],
    ids=["422", "404", "500", "401"],
)
def test_a_refusal_is_one_line_and_a_code(
    fake: Fake, capsys: pytest.CaptureFixture[str], answer: Answer, code: int, says: str
) -> None:
    fake.on("POST /v1/jobs", answer)
    assert run(TRAIN) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert says in err


def test_no_server_is_exit_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--url", "http://127.0.0.1:9", "models", "list"]) == 4
    assert "ganymede up" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "show"],
        ["frobnicate"],
        ["sample", "m", "--seed", "x"],
        [*TRAIN, "--set", "width"],
        [*TRAIN, "--width", "8", "--set", "network.width.depth=1"],
        ["datasets", "add", "/does/not/exist"],
        ["sample", "m", "--out", "picture.bmp"],
        ["interpolate", "m", "--from", "0", "--to", "1", "--via", "2", "--label", "a", "--label", "b"],
        ["work", "--queue", "heavy"],
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_and_exit_code_2(
    fake: Fake, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ganymede: ")
    assert err.count("\n") == 1
    assert fake.asked == []


def test_an_unwritable_target_is_one_line(fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake.on("POST /v1/samples", Answer(200, b"PNG"))
    assert run(["sample", "m", "--out", str(tmp_path / "absent" / "grid.png")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_adding_a_dataset_reports_what_was_left_out(
    fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").touch()
    report = {"accepted": 3, "skipped": [{"file": "a/\x1b[2Jx.png", "reason": "broken"}], "duplicates": 0}
    fake.on("POST /v1/datasets", dataset("preparing"))
    fake.on("GET /v1/datasets/ds_1", dataset("ready", report=report))
    assert run(["datasets", "add", str(tmp_path), "--name", "digits"]) == 0
    out, err = capsys.readouterr()
    assert out == "digits (ds_1): 3 images, 8×8×1, classes: a, b\n"
    assert "x.png: broken" in err
    assert "\x1b" not in err


def test_a_dataset_that_cannot_be_prepared_is_exit_code_1(
    fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "ring.csv").touch()
    failure = {"code": "dataset_unusable", "message": "the file is empty"}
    fake.on("POST /v1/datasets", dataset("preparing"))
    fake.on("GET /v1/datasets/ds_1", dataset("failed", error=failure))
    assert run(["datasets", "add", str(tmp_path / "ring.csv"), "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "dataset_unusable"
    assert "the file is empty" in err


def test_drawing_sends_the_words_of_the_api(fake: Fake, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake.on("POST /v1/interpolations", Answer(200, b"GIF"))
    target = tmp_path / "walk.gif"
    walk = ["interpolate", "m", "--from", "0", "--to", "9", "--label", "3", "--frames", "12", "--out", str(target)]
    assert run([*walk, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": str(target), "bytes": 3}
    assert fake.calls("POST /v1/interpolations")[0]["Accept"] == "image/gif"


def test_a_model_is_shown_with_its_checkpoints(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = {"id": "ckpt_1", "images": 12345, "created_at": CREATED, "bytes": 1_500_000, "sha256": "ab" * 32}
    body = {"id": "mdl_1", "name": "m", "created_at": CREATED, "recipe": "wgan", "checkpoints": [checkpoint]}
    fake.on("GET /v1/models/m", Answer(200, body))
    assert run(["models", "show", "m"]) == 0
    out = capsys.readouterr().out
    assert "12,345" in out
    assert "1.5 MB" in out


def test_a_reader_that_leaves_early_is_no_error(fake: Fake) -> None:
    rows = [{"images": number, "loss": 0.5} for number in range(20_000)]
    fake.on("GET /v1/jobs/job_1/metrics", Answer(200, {"data": rows}))
    command = f"{sys.executable} -m ganymede jobs metrics job_1 --json | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


def test_leaving_a_watch_says_that_the_job_goes_on(fake: Fake) -> None:
    fake.on("GET /v1/jobs/job_1", job("running"))
    command = [sys.executable, "-m", "ganymede", "jobs", "watch", "job_1"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with watching:
        assert watching.stderr is not None
        assert watching.stderr.readline().startswith("job_1 running 640 images")
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=10)
    assert (watching.returncode, out) == (130, "")
    assert "the job goes on: `ganymede jobs watch job_1`" in err


def test_help_loads_neither_http_nor_pydantic() -> None:
    look = "import sys, ganymede.cli; print(sorted({'httpx', 'pydantic', 'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_series_shows_what_a_terminal_has_room_for(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"images": 640, "loss_discriminator": 0.25, "js_estimate": None, "gradient_norm_generator": 3.5}]
    fake.on("GET /v1/jobs/job_1/metrics", Answer(200, {"data": rows}))
    assert run(["jobs", "metrics", "job_1"]) == 0
    assert capsys.readouterr().out.split() == ["images", "loss_discriminator", "js_estimate", "640", "0.25", "–"]


@pytest.mark.parametrize("what", ["datasets", "jobs"])
def test_a_preview_is_written_under_no_other_formats_name(capsys: pytest.CaptureFixture[str], what: str) -> None:
    assert run([what, "preview", "x", "--out", "x.webp"]) == 2
    assert "a preview is a PNG, not .webp" in capsys.readouterr().err


def test_an_input_travels_in_base64_and_one_that_cannot_be_read_is_one_line(
    fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[dict[str, object]] = []
    monkeypatch.setattr("ganymede.client.Drawings.data", lambda self, request: sent.append(request) or {})
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    assert run(["sample", "m", "--seed", "1", "--input", str(one), "--input", str(two)]) == 0
    assert run(["interpolate", "m", "--from", "1", "--to", "2", "--input", str(one)]) == 0
    assert sent[0]["inputs"] == ["b25l", "dHdv"]
    assert sent[1]["input"] == "b25l"
    assert run(["sample", "m", "--input", str(tmp_path / "absent.png")]) == 2
    assert "cannot read" in capsys.readouterr().err
