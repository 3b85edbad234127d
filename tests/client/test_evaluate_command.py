"""`ganymede evaluate` and `Client.evaluate`: what is sent, and how the result is shown."""

import json

import pytest
from fake_server import Answer, Fake, job

from ganymede import Client, JobFailed
from ganymede.cli import run

RESULT = {
    "metrics": {"fid": 1.25, "kid": None},
    "better": {"fid": "lower", "kid": "lower"},
    "missing": {"kid": "not a finite number"},
    "extractor": {"name": "random-conv-1", "comparable": False},
    "reference": {"dataset": "digits", "rows": 179, "part": "held_out"},
    "sample": {"model": "digits", "rows": 1000},
}


@pytest.fixture
def sent(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What is asked of the server, which has found `RESULT` at once."""
    asked: dict[str, object] = {}
    monkeypatch.setattr("ganymede.client.Jobs.create", lambda self, request: asked.update(request) or self.get("job_1"))
    fake.on("GET /v1/jobs/job_1", job("succeeded", type="evaluate", result=RESULT))
    return asked


def test_a_table_says_what_was_measured_by_what(sent: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "digits", "--metrics", "fid, kid", "--samples", "1000"]) == 0
    assert sent == {"type": "evaluate", "model": "digits", "metrics": ["fid", "kid"], "samples": 1000}
    shown = capsys.readouterr().out
    for words in ("fid", "1.25", "lower", "not a finite number", "held_out", "random-conv-1", "False"):
        assert words in shown


def test_json_is_the_result_alone(sent: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--dataset", "a", "--against", "b", "--json"]) == 0
    assert sent == {"type": "evaluate", "dataset": "a", "against": "b"}
    assert json.loads(capsys.readouterr().out) == RESULT


def test_neither_model_nor_two_datasets_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--dataset", "a"]) == 2
    assert "--against" in capsys.readouterr().err


def test_the_client_answers_the_result(sent: dict[str, object], fake: Fake) -> None:
    with Client(fake.url) as client:
        assert client.evaluate({"model": "digits"}) == RESULT
        assert sent == {"type": "evaluate", "model": "digits"}
        failed: Answer = job("failed", type="evaluate", error={"code": "extractor_unusable", "message": "no weights"})
        fake.on("GET /v1/jobs/job_1", failed)
        with pytest.raises(JobFailed, match="no weights"):
            client.evaluate({"model": "digits"})
