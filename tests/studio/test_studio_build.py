"""What is served is what `studio/` says: built anew it is the same, its types are the API's, and it is small."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ledger.settings import Settings
from service.app import create_app
from service.studio import TYPES

ROOT = Path(__file__).parents[2]
SOURCES, SERVED = ROOT / "studio", ROOT / "service" / "studio_files"
MOST_SCRIPT = 300_000
"""Bytes of script, compressed."""


@pytest.fixture(scope="module")
def npm() -> str:
    """npm, with the studio's packages installed; where there is none the test is skipped and says so."""
    found = shutil.which("npm")
    if found is None:
        pytest.skip("no npm here: the studio is not built anew")
    if not (SOURCES / "node_modules").is_dir():
        run(found, "ci", "--no-audit", "--no-fund")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_served_is_built_from_the_sources(npm: str, tmp_path: Path) -> None:
    run("node", "build.mjs", str(tmp_path))
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(built) == set(TYPES)
    for name, content in built.items():
        assert content == (SERVED / name).read_bytes(), f"{name} is old: npm run build, in studio/"


def test_the_types_are_those_of_the_api(npm: str, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(create_app(Settings(data=tmp_path)).openapi()))
    run("node", "types.mjs", str(document), str(tmp_path / "schema.d.ts"))
    assert (tmp_path / "schema.d.ts").read_text() == (SOURCES / "src/api/schema.d.ts").read_text()


def test_the_sources_are_typed_and_tidy(npm: str) -> None:
    run(npm, "run", "check")


def test_the_script_is_small() -> None:
    scripts = [path for path in SERVED.iterdir() if path.suffix == ".js"]
    assert scripts
    assert sum(len(gzip.compress(path.read_bytes())) for path in scripts) < MOST_SCRIPT
