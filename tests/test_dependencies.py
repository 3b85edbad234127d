"""The packages that are installed by constraints.txt, held against the database of known vulnerabilities."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).parent / "pip-audit"
SECONDS = 90
"""For all packages together; where the database does not answer, nobody waits longer."""


def audited(constraints: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each package. Skips where it cannot say anything."""
    command = [PROGRAM, "--requirement", constraints, "--no-deps", "--disable-pip", "--format", "json"]
    options = ["--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        pytest.skip(f"NOT AUDITED: the database of vulnerabilities did not answer within {SECONDS} s")
    except ValueError:
        said = done.stderr.strip().splitlines() or ["nothing"]
        pytest.skip(f"NOT AUDITED: the database of vulnerabilities cannot be reached; pip-audit said: {said[-1]}")
    return found


def test_no_package_has_a_vulnerability_that_is_known() -> None:
    found = audited(ROOT / "constraints.txt")
    known = [one for one in found if "skip_reason" not in one]
    if not known:
        pytest.skip(f"NOT AUDITED: the index here knows no vulnerabilities; pip-audit said: {found[0]['skip_reason']}")
    bugs = {f"{one['name']} {one['version']}": [bug["id"] for bug in one["vulns"]] for one in known}
    assert {package: ids for package, ids in bugs.items() if ids} == {}


def test_a_package_with_a_known_vulnerability_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        {"name": "good", "version": "1", "vulns": []},
        {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}]},
        {"name": "unknown", "skip_reason": "Dependency not found"},
    ]
    monkeypatch.setattr(sys.modules[__name__], "audited", lambda _: said)
    with pytest.raises(AssertionError, match=r"bad 2.*PYSEC-1"):
        test_no_package_has_a_vulnerability_that_is_known()
