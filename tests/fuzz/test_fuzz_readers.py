"""Whatever a file holds, its reader ends with a typed error or takes it: no crash, no hang, in bounded memory."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
"""Of the long form, each reader."""

HERE = Path(__file__).parent
PATH = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE.parent / "worker", HERE)))
READERS = ("archives", "npy", "csv", "labels", "pictures", "models")


def fuzzed(reader: str, *options: str) -> dict[str, Any]:
    """What became of the files."""
    command = [sys.executable, str(HERE / "readers.py"), reader, *options]
    environment = os.environ | {"PYTHONPATH": PATH, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("reader", READERS)
def test_a_few_hundred_damaged_files_are_read_or_refused(reader: str) -> None:
    came = fuzzed(reader, "0", "--examples", "200")
    assert came["files"] >= 200
    assert len(came["came"]) == 2, "some are refused, and some are still read"


@pytest.mark.fuzz_long
@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.parametrize("reader", READERS)
def test_minutes_of_damaged_files_are_read_or_refused(reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    came = fuzzed(reader, "1", "--examples", "500", "--seconds", str(SECONDS))
    with capsys.disabled():
        print(f"\n{json.dumps(came)}")  # noqa: T201  # what the documentation quotes
