"""Settings: read once, documented, passed on to children."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from gan.errors import InvalidRequest
from ledger.settings import PREFIX, Settings, read_settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
DERIVED = {"database_url": "sqlite:///{data}/ledger.sqlite3", "storage": "{data}/storage"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def row(name: str, field: FieldInfo) -> str:
    default = DERIVED.get(name, field.default)
    shown = "—" if default is None else f"`{default}`"
    return f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_documentation(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    assert row(name, field) in PAGE.read_text().splitlines()


def test_the_documentation_names_no_setting_that_there_is_not() -> None:
    documented = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith(f"| `{PREFIX}")]
    assert documented == [PREFIX + name.upper() for name in Settings.model_fields]


def test_everything_lies_below_the_data_root_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANYMEDE_DATA", str(tmp_path))
    settings = Settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/ledger.sqlite3"
    assert settings.storage == tmp_path / "storage"
    assert settings.embedded


def test_named_places_win_and_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANYMEDE_STORAGE", "files")
    monkeypatch.setenv("GANYMEDE_DATABASE_URL", "postgresql://db/ganymede")
    monkeypatch.setenv("GANYMEDE_BROKER_URL", "redis://broker:6379/0")
    monkeypatch.setenv("GANYMEDE_IMPORT_DIR", "")
    settings = Settings()
    assert (settings.data, settings.storage) == (tmp_path / "data", tmp_path / "files")
    assert settings.database_url == "postgresql://db/ganymede"
    assert (settings.import_dir, settings.embedded) == (None, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_SAMPLES", "0"),
        ("MAX_SAMPLES", "many"),
        ("LEASE_SECONDS", "nan"),
        ("HEARTBEAT_SECONDS", "20"),
        ("BROKER_URL", "carrier-pigeon://"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_an_impossible_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(InvalidRequest, match=name) as caught:
        read_settings()
    assert "\n" not in caught.value.message


def test_settings_do_not_change_and_a_child_reads_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANYMEDE_MAX_FRAMES", "7")
    settings = Settings(data=tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_frames = 8  # type: ignore[misc]
    script = "from ledger.settings import Settings; print(Settings().model_dump_json())"
    child = subprocess.run(
        [sys.executable, "-c", script],
        env=settings.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(child.stdout) == json.loads(settings.model_dump_json())
