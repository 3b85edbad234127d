"""`ganymede demo` as `make demo` runs it: honest figures, files that can be looked at, nothing left behind."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from running import END_SECONDS


def command(out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "ganymede", "demo", "--out", str(out), *options]


def test_interrupted_it_leaves_no_process_and_can_be_run_again(tmp_path: Path) -> None:
    """At a terminal, with its progress bar, ended by Ctrl-C; the next one starts at once, and ends as it should."""
    out = tmp_path / "demo"
    ours, terminal = pty.openpty()
    demo = subprocess.Popen(command(out), stdin=terminal, stdout=terminal, stderr=terminal, process_group=0)
    os.close(terminal)
    shown = ""
    while not re.search(r"training running .*left", shown):
        shown += os.read(ours, 65536).decode(errors="replace")
    below = psutil.Process(demo.pid).children(recursive=True)
    assert len(below) >= 5
    started = time.monotonic()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(END_SECONDS + 5) == 130
    assert not psutil.wait_procs(below, timeout=1)[1]
    assert time.monotonic() - started < END_SECONDS
    os.close(ours)

    again = subprocess.run(command(out, "--seconds", "1"), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert (out / "samples.png").exists()


@pytest.mark.alone
@pytest.mark.timeout(400)
def test_it_draws_digits_that_a_stranger_can_read(tmp_path: Path) -> None:
    said, errors = (tmp_path / name for name in ("said.txt", "errors.txt"))
    with said.open("wb") as stdout, errors.open("wb") as stderr:
        demo = subprocess.Popen(command(tmp_path), stdout=stdout, stderr=stderr)
    below = processes_until_the_end(demo)
    assert demo.returncode == 0, errors.read_text()
    assert len(below) >= 5
    assert not psutil.wait_procs(below, timeout=1)[1]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["agreement"] >= 0.95, figures
    assert figures["worst"][1] >= 0.85, figures
    assert figures["accuracy"] >= 0.90, figures
    assert np.load(tmp_path / "latents.npy").shape[0] == 100
    grid = Image.open(BytesIO((tmp_path / "samples.png").read_bytes()))
    assert min(grid.size) >= 480
    assert getattr(Image.open(BytesIO((tmp_path / "interpolation.gif").read_bytes())), "n_frames", 1) > 50
    check_report(said.read_text(), figures, tmp_path)


def processes_until_the_end(demo: "subprocess.Popen[bytes]") -> set[psutil.Process]:
    """Every process that was seen below the demo before it ended."""
    seen: set[psutil.Process] = set()
    top = psutil.Process(demo.pid)
    while demo.poll() is None:
        with suppress(psutil.NoSuchProcess):
            seen.update(top.children(recursive=True))
        time.sleep(0.2)
    return seen


def check_report(said: str, figures: dict[str, Any], out: Path) -> None:
    """The four files, the two figures, and the curl lines of the upload, the training and each file."""
    lines = [line.strip() for line in said.splitlines()]
    curls = [line for line in lines if line.startswith("curl http://127.0.0.1:8000/v1/")]
    for name in ("samples.png", "interpolation.png", "interpolation.gif", "latents.npy"):
        assert str(out / name) in lines
        path = "interpolations" if "inter" in name else "samples"
        assert [line for line in curls if f"/v1/{path} " in line and line.endswith(f"-o {name}")], name
    assert f"{figures['agreement']:.1%} of 2,000 generated digits are recognised" in said
    assert f"{figures['accuracy']:.1%} of the real digits are recognised" in said
    assert [line for line in curls if "/v1/datasets -F name=digits" in line]
    [training] = [line for line in curls if "/v1/jobs " in line]
    seconds = re.search(r'"max_seconds":([0-9.]+)', training)
    assert seconds is not None
    assert float(seconds[1]) <= 90


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.sqlite3").write_text("mine")
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds something else than a demo's data" in done.stderr
    assert (tmp_path / "data" / "ledger.sqlite3").read_text() == "mine"
