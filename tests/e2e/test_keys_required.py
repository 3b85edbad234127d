"""Everything with keys required: the command, the client and pictures made again; and doors that stay shut."""

import json
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image
from running import Stack, environment_for, running_stack

from ganymede import Client, NotAuthorized, demo

pytestmark = pytest.mark.timeout(900)
SMALL = ["--recipe", "r3gan", "--images", "640", "--set", "network.width=8"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("keyed"), GANYMEDE_API_KEYS_REQUIRED="true") as stack:
        yield stack


def with_key(stack: Stack, key: str) -> Stack:
    """The same stack, for someone who has that key."""
    return Stack(stack.url, stack.data, stack.process, {**stack.environment, "GANYMEDE_API_KEY": key})


def test_without_a_key_a_command_says_what_to_do(stack: Stack) -> None:
    done = stack.run("datasets", "list")
    assert done.returncode == 3
    assert "401" in done.stderr
    assert "GANYMEDE_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1
    with stack.client() as client:
        assert client.ready()["status"] == "ready"
        with pytest.raises(NotAuthorized):
            client.jobs.list()


def test_with_keys_for_each_the_whole_path_leads_through(stack: Stack, digits_zip: Path, tmp_path: Path) -> None:
    trainer = with_key(stack, stack.key("trainer", "--scope", "train", "--scope", "read"))
    uploaded = trainer.run("datasets", "add", str(digits_zip), "--name", "digits")
    assert uploaded.returncode == 0, uploaded.stderr
    trained = trainer.run("train", "digits", "--model", "digits", *SMALL, "--watch")
    assert trained.returncode == 0, trained.stderr + stack.logs()

    reader = with_key(stack, stack.key("reader", "--scope", "read"))
    assert "digits" in reader.run("models", "list").stdout
    drawn = reader.run("sample", "digits", "--out", str(tmp_path / "x.png"))
    assert drawn.returncode == 3
    assert "scope sample" in drawn.stderr
    assert "403" in drawn.stderr

    sampler = with_key(stack, stack.key("sampler", "--scope", "sample", "--scope", "read"))
    picture = tmp_path / "digit.png"
    assert sampler.run("sample", "digits", "--seed", "7", "--out", str(picture)).returncode == 0
    again = sampler.run("reproduce", str(picture))
    assert (again.returncode, again.stdout.partition(":")[0]) == (0, "identical")
    refused = sampler.run("datasets", "rm", "digits")
    assert (refused.returncode, "scope admin" in refused.stderr) == (3, True)

    with Client(stack.url, api_key=sampler.environment["GANYMEDE_API_KEY"]) as client:
        assert Image.open(BytesIO(client.samples.create({"model": "digits", "seed": 7}).content)).size
    with httpx.Client(base_url=stack.url) as page:
        page.post("/v1/session", json={"key": sampler.environment["GANYMEDE_API_KEY"]}).raise_for_status()
        assert page.get("/v1/models/digits/images/7.png").headers["content-type"] == "image/png"

    told = stack.run("keys", "audit", "--key", "trainer", "--data", str(stack.data)).stdout
    assert "POST /v1/datasets" in told
    assert "POST /v1/jobs" in told
    assert "sampler" not in told


def test_a_quota_that_is_used_up_is_said_in_words(stack: Stack) -> None:
    slow = with_key(stack, stack.key("slow", "--scope", "read", "--requests-per-second", "0.02"))
    assert slow.run("jobs", "list").returncode == 0
    refused = slow.run("jobs", "list")
    assert refused.returncode == 4
    assert "requests_per_second" in refused.stderr
    assert "429" in refused.stderr


def test_a_revoked_key_is_of_no_use(stack: Stack) -> None:
    lost = with_key(stack, stack.key("lost", "--scope", "admin"))
    assert lost.run("jobs", "list").returncode == 0
    assert stack.run("keys", "revoke", "lost", "--data", str(stack.data)).returncode == 0
    assert lost.run("jobs", "list").returncode == 3


def test_it_does_not_start_beyond_loopback_without_keys(stack: Stack, tmp_path: Path) -> None:
    command = ["up", "--data", str(tmp_path), "--host", "0.0.0.0", "--port", "0"]
    open_to_all = Stack(stack.url, tmp_path, stack.process, environment_for(GANYMEDE_API_KEYS_REQUIRED="false"))
    done: subprocess.CompletedProcess[str] = open_to_all.run(*command, timeout=120)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "GANYMEDE_API_KEYS_REQUIRED=true" in done.stderr
    assert "ganymede keys create" in done.stderr


def test_where_keys_are_required_it_starts_beyond_loopback(tmp_path: Path) -> None:
    with running_stack(tmp_path, "--host", "0.0.0.0", GANYMEDE_API_KEYS_REQUIRED="true") as stack:
        port = stack.url.rpartition(":")[2]
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/jobs")
        assert (answer.status_code, json.loads(answer.content)["code"]) == (401, "unauthenticated")


def test_the_demos_own_stack_needs_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANYMEDE_API_KEYS_REQUIRED", "true")
    monkeypatch.delenv("GANYMEDE_API_KEY", raising=False)
    with demo.embedded(tmp_path / "demo" / "data") as client:
        assert client.jobs.list().data == []
