"""The README runs: its `sh` blocks and Python examples are executed, in order, against a running stack.

A block that is fenced as `shell` starts or installs something and is shown only; what it names must exist.
"""

import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from running import Stack

from gan.recipes import RECIPES
from ganymede.cli import EXIT_CODES
from ganymede.settings import DEFAULT_URL

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MADE = ("sevens.png", "walk.gif", "42.png", "grid.png", "walk.png", "wgan.png")
"""Pictures that the examples write."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(stack: Stack, digits_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `make demo` leaves it, in which the examples have run."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "demo").mkdir()
    shutil.copy(digits_zip, folder / "demo" / "digits.zip")
    script = "set -eu\n" + "\n".join(blocks("sh"))
    run(stack, folder, "bash", "-o", "pipefail", "-c", script)
    for example in blocks("python"):
        run(stack, folder, sys.executable, "-c", example)
    return folder


def run(stack: Stack, folder: Path, *command: str) -> None:
    here = [word.replace(DEFAULT_URL, stack.url) for word in command]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**stack.environment, "GANYMEDE_URL": stack.url, "PATH": path}
    done = subprocess.run(here, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_run_and_draw(place: Path) -> None:
    for name in MADE:
        with Image.open(BytesIO((place / name).read_bytes())) as picture:
            assert min(picture.size) >= 8


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("shell")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_is_linked_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) >= 3
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_recipe_and_exit_code_is_described() -> None:
    assert set(re.findall(r"^\| `([\w-]+)` \|", README, re.MULTILINE)) == set(RECIPES)
    [codes] = re.findall(r"Exit codes: (.*?)\.\n", README, re.DOTALL)
    assert {int(code) for code in re.findall(r"\b\d+\b", codes)} == set(EXIT_CODES)
