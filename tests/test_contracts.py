"""Who may import whom: the contracts of pyproject.toml, as import-linter checks them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("gan", "ledger", "service", "worker", "ganymede")


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--config", config, "--no-cache"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_rooms_import_only_what_their_contracts_allow() -> None:
    done = lint(ROOT / "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_forbidden_import_would_be_noticed(tmp_path: Path) -> None:
    config = tmp_path / "contracts.toml"
    contract = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
    config.write_text("[tool.importlinter]" + contract.replace('"gan.errors"]', '"gan.spec"]'))
    done = lint(config)
    assert done.returncode == 1
    assert "ganymede.client -> gan.spec" in done.stdout


@pytest.mark.parametrize("room", ROOMS)
def test_init_files_define_nothing_but_the_clients_public_face(room: str) -> None:
    files = [path for path in (ROOT / room).rglob("__init__.py") if path != ROOT / "ganymede" / "__init__.py"]
    assert [path for path in files if path.read_text().strip()] == []


@pytest.mark.parametrize("room", ["ledger.settings", "gan.spec", "ganymede.client", "worker.jobs.prepare"])
def test_torch_stays_out_of_what_must_start_quickly(room: str) -> None:
    look = f"import sys, {room}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
