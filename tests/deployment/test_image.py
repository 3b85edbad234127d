"""The Dockerfile, read line by line: what a build needs is there, and what comes out runs as nobody in particular."""

import fnmatch
import json
import tomllib
from pathlib import PurePosixPath

import pytest
from compose import ROOT, services

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """(KEYWORD, rest), continuation lines joined."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return [(keyword, rest) for keyword, rest in words]


def last(keyword: str) -> str:
    return [rest for found, rest in instructions() if found == keyword][-1]


def copied() -> list[str]:
    """What is taken from the repository."""
    copies = [rest.split() for keyword, rest in instructions() if keyword in {"COPY", "ADD"}]
    return [source.rstrip("/") for *sources, _ in copies for source in sources if not sources[0].startswith("--from")]


def ignored(path: str) -> bool:
    """By .dockerignore: the last line that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!")
        if fnmatch.fnmatch(path, pattern) or PurePosixPath(path).is_relative_to(pattern):
            out = not line.startswith("!")
    return out


def test_it_does_not_run_as_root() -> None:
    user, group = last("USER").split(":")
    assert int(user) > 0 < int(group)
    makes = [rest for keyword, rest in instructions() if "useradd" in rest]
    assert f"--uid {user}" in makes[0]
    assert [keyword for keyword, _ in instructions()][-2:] == ["USER", "CMD"]


def test_its_base_is_pinned() -> None:
    stages = [rest.split(" AS ") for keyword, rest in instructions() if keyword == "FROM"]
    assert [image for image, *_ in stages] == ["python:3.12-slim-bookworm", "base", "base"]


def test_commands_are_programs_and_not_shell_lines() -> None:
    """So that signals reach Python."""
    commands = [json.loads(rest) for keyword, rest in instructions() if keyword in {"CMD", "ENTRYPOINT"}]
    assert commands == [["ganymede", "up", "--host", "0.0.0.0"]]
    assert last("STOPSIGNAL") == "SIGTERM"


def test_it_asks_everyone_for_a_key_as_it_listens_beyond_loopback() -> None:
    variables = dict(word.split("=", 1) for word in last("ENV").split())
    assert variables["GANYMEDE_API_KEYS_REQUIRED"] == "true"


def test_what_it_copies_is_there() -> None:
    assert [path for path in copied() if not (ROOT / path).exists() or ignored(path)] == []


def test_every_room_goes_in_and_nothing_private_does() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.rstrip("*") for package in packages} <= set(copied())
    assert [path for path in (".env", ".git", ".venv", "data", "demo", "tests") if not ignored(path)] == []


def test_the_torch_that_it_installs_is_the_one_that_is_tested_with() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    assert len(pins) == 1
    [install] = [rest for keyword, rest in instructions() if "torch==" in rest]
    assert "s/^torch==//p' constraints.txt" in install


@pytest.mark.parametrize("name", sorted(name for name, one in services().items() if "build" in one))
def test_compose_gives_it_arguments_that_it_takes(name: str) -> None:
    taken = {rest.partition("=")[0] for keyword, rest in instructions() if keyword == "ARG"}
    assert services()[name]["build"]["args"].keys() == taken


def test_data_lie_where_its_user_may_write() -> None:
    folders = json.loads(last("VOLUME"))
    assert folders == ["/data"]
    assert any("install --directory --owner=ganymede" in rest and "/data" in rest for _, rest in instructions())
    mounts = {mount for one in services().values() if "build" in one for mount in one["volumes"]}
    assert {mount.split(":")[1] for mount in mounts} == {"/data"}
