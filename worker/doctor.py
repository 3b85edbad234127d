"""`python -m worker.doctor`: what is wrong with this server, and what to do about it.

A line a finding; exit status 1 where one is a problem. It changes nothing, and runs beside a server or without one.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from gan.errors import InvalidRequest, Unavailable
from ledger.database import Ledger
from ledger.doctor import CHECKS as ON_LEDGER
from ledger.doctor import Check, Finding, Patient, Said, examined, ok, settled
from ledger.settings import Settings, read_settings
from ledger.storage import Storage
from worker.devices import devices_for

OLDEST_PYTHON: Final = (3, 11)
TORCH_SECONDS: Final = 180

TORCH: Final = """
import json, torch
cuda = torch.cuda.is_available()
devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else []
computed = float((torch.ones(8, device="cuda") if cuda else torch.ones(8)).sum())
print(json.dumps({"version": torch.__version__, "devices": devices, "computed": computed}))
"""
"""Run in a process of its own: a driver that crashes says so by its exit status."""


def main(given: list[str] | None = None) -> int:
    """Examine, print, and return 1 where there is a problem."""
    options = arguments_of(given)
    told = []
    for finding in examination(options):
        told.append(finding)
        if not options.json:
            sys.stdout.write(line(finding) + "\n")
            sys.stdout.flush()
    well = not any(finding.verdict == "problem" for finding in told)
    if options.json:
        sys.stdout.write(json.dumps({"ok": well, "findings": [asdict(finding) for finding in told]}, indent=1) + "\n")
    return 0 if well else 1


def arguments_of(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m worker.doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--deep", action="store_true", help="read every file that the ledger names")
    parser.add_argument("--host", default="127.0.0.1", help="where the service listens")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args(given)


def line(finding: Finding) -> str:
    """`problem  database  …: what to do`."""
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    return f"{finding.verdict:<8} {finding.check:<9} {finding.message}{remedy}"


def examination(options: argparse.Namespace) -> Iterator[Finding]:
    """All findings. Settings that cannot be read leave nothing to look at."""
    try:
        settings = read_settings()
        ledger = Ledger(settings.database_url)
    except InvalidRequest as error:
        yield Finding("settings", "problem", error.message, "docs/configuration.md has every setting")
        return
    yield from settled(settings)
    patient = Patient(settings, ledger, Storage(settings.storage), options.host, options.port, options.deep)
    yield from examined(patient, CHECKS)
    ledger.close()


# ---- versions ----


def versions(_: Patient) -> Iterator[Said]:
    """Python and the packages are those that Ganymede is made for, and tested with where its pins are at hand."""
    running = sys.version_info
    if running < OLDEST_PYTHON:
        yield "problem", f"Python {running[0]}.{running[1]} is too old", "install Python 3.11 or newer"
    unmet = [wrong for need in needs() if (wrong := unmet_by(need))]
    for wrong in unmet:
        yield "problem", wrong, "pip install --constraint constraints.txt 'ganymede[server]'"
    others = list(other_than_pinned())
    if others:
        said = f"not the versions that Ganymede is tested with: {', '.join(others)}"
        yield "warning", said, "pip install --constraint constraints.txt 'ganymede[server]'"
    if not unmet and not others:
        yield ok(f"Python {running[0]}.{running[1]}, packages as {'pinned' if pins() else 'required'}")


def needs() -> list[Requirement]:
    """What the installed Ganymede requires to serve; nothing where it runs from a tree that is not installed."""
    try:
        declared = map(Requirement, metadata.requires("ganymede") or [])
    except metadata.PackageNotFoundError:
        return []
    return [need for need in declared if need.marker is None or need.marker.evaluate({"extra": "server"})]


def unmet_by(need: Requirement) -> str:
    """Why an installed package is not what is required; nothing where it is."""
    try:
        found = metadata.version(need.name)
    except metadata.PackageNotFoundError:
        return f"{need.name} is not installed"
    return "" if need.specifier.contains(found, prereleases=True) else f"{need.name} {found} is not {need.specifier}"


def pins() -> dict[str, str]:
    """Package → version, by the constraints.txt beside the tree or the image's environment."""
    for folder in (Path(__file__).parents[1], Path(sys.prefix)):
        if (folder / "constraints.txt").is_file():
            lines = (folder / "constraints.txt").read_text().splitlines()
            return dict(text.split("==", 1) for text in lines if "==" in text and not text.startswith("#"))
    return {}


def other_than_pinned() -> Iterator[str]:
    """Installed packages of other versions than the pins; a build's suffix (`+cpu`) does not count."""
    pinned = pins()
    for need in needs():
        wanted = pinned.get(need.name)
        try:
            found = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            continue
        if wanted is not None and found.partition("+")[0] != wanted:
            yield f"{need.name} {found} (tested: {wanted})"


# ---- devices ----


def device(patient: Patient) -> Iterator[Said]:
    """torch works, and has the devices that the settings wish for."""
    said = torch_says()
    if "error" in said:
        yield "problem", f"torch does not work: {said['error']}", "install it anew, or mend the driver"
        return
    there = ", ".join(said["devices"]) or "no GPU"
    yield ok(f"torch {said['version']}, {there}")
    yield from _wishes(patient.settings, len(said["devices"]))


def torch_says() -> dict[str, Any]:
    """Its version and GPUs, or the `error` of a process that computes with it."""
    try:
        told = subprocess.run(
            [sys.executable, "-c", TORCH], capture_output=True, text=True, timeout=TORCH_SECONDS, check=True
        )
        return dict(json.loads(told.stdout.splitlines()[-1]))
    except subprocess.CalledProcessError as error:
        return {"error": (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]}
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return {"error": str(error)}


def _wishes(settings: Settings, gpus: int) -> Iterator[Said]:
    if settings.service_device.startswith("cuda") and not gpus:
        remedy = "GANYMEDE_SERVICE_DEVICE=auto, or mend the driver"
        yield "problem", f"GANYMEDE_SERVICE_DEVICE={settings.service_device}, but torch sees no GPU", remedy
    try:
        found = devices_for("train", settings.train_device)
    except Unavailable as error:
        yield "problem", error.message, "GANYMEDE_TRAIN_DEVICE=auto, or mend the driver"
        return
    yield ok(f"training would run on {', '.join(map(str, found))}")


def threads(patient: Patient) -> Iterator[Said]:
    """No more of them than there are cores to run them."""
    cores, allowed = len(os.sched_getaffinity(0)), quota()
    few = min(cores, allowed or cores)
    asked = {name: getattr(patient.settings, name) for name in ("service_threads", "train_threads")}
    for name, count in asked.items():
        if (count or cores) > few:
            said = f"{count or cores} threads (GANYMEDE_{name.upper()}) for {few} cores"
            yield "warning", said, f"GANYMEDE_{name.upper()}={max(1, few)}"
    if all((count or cores) <= few for count in asked.values()):
        yield ok(f"{few} cores")


def quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Whole CPUs that a container may use, at least 1; None where nothing limits it."""
    try:
        most, _, period = file.read_text().strip().partition(" ")
        return None if most == "max" else max(1, int(most) // int(period))
    except (OSError, ValueError):
        return None


CHECKS: Final[dict[str, Check]] = {**ON_LEDGER, "versions": versions, "device": device, "threads": threads}

if __name__ == "__main__":
    sys.exit(main())
