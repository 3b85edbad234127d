"""docker-compose.yml: what may be relied on without a look at it."""

from typing import Any

import pytest
from compose import ROOT, MissingVariable, load, services, variables

from ledger.settings import PREFIX, Settings

ONCE = {"migrate"}
"""What ends by itself."""

LASTING = sorted(services().keys() - ONCE)
OURS = sorted(name for name, service in services().items() if service["image"].startswith("ganymede:"))
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
)


def seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


def test_nothing_starts_without_a_password_and_no_secret_has_a_default() -> None:
    with pytest.raises(MissingVariable, match="POSTGRES_PASSWORD"):
        load()
    with pytest.raises(MissingVariable, match="POSTGRES_PASSWORD"):
        load(**EXAMPLE)
    chosen = services(POSTGRES_PASSWORD="chosen")
    assert chosen["postgres"]["environment"]["POSTGRES_PASSWORD"] == "chosen"
    for name in OURS:
        assert "ganymede:chosen@" in chosen[name]["environment"]["GANYMEDE_DATABASE_URL"]


def test_only_the_service_is_published_and_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"service": ["127.0.0.1:8000:8000"]}
    assert services(HTTP_PORT="9000")["service"]["ports"] == ["127.0.0.1:9000:8000"]


def test_what_needs_no_door_has_none() -> None:
    document = load(POSTGRES_PASSWORD="secret")
    assert document["networks"]["inside"]["internal"] is True
    assert {name for name, one in document["services"].items() if one["networks"] != ["inside"]} == {"service"}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_watched_and_restarted_and_given_time_to_end(name: str) -> None:
    service = services()[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["restart"] == "unless-stopped"
    assert seconds(service["stop_grace_period"]) >= 15


def test_the_migration_runs_once_and_everything_of_ours_waits_for_it() -> None:
    every = services()
    assert every["migrate"]["restart"] == "no"
    assert every["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    for name in set(OURS) - ONCE:
        assert every[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_nothing_waits_for_redis_to_be_well() -> None:
    waits = {name: service.get("depends_on", {}).get("redis") for name, service in services().items()}
    assert {name for name, condition in waits.items() if condition} == set(OURS) - ONCE
    assert {"condition": "service_healthy"} not in waits.values()


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_that_ganymede_reads(name: str) -> None:
    environment = services()[name]["environment"]
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    assert {variable for variable in environment if variable.startswith(PREFIX)} <= known
    values = {variable.removeprefix(PREFIX).lower(): value for variable, value in environment.items()}
    settings = Settings.model_validate(values)
    assert not settings.embedded
    assert settings.database_url.startswith("postgresql://")


def test_the_service_leaves_the_gpu_to_training() -> None:
    every = services()
    assert every["service"]["environment"]["GANYMEDE_SERVICE_DEVICE"] == "cpu"
    assert {name for name, service in every.items() if "deploy" in service} == {"worker-train"}
    [device] = every["worker-train"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_the_service_asks_everyone_for_a_key_and_the_page_says_how_the_first_is_made() -> None:
    service = services()["service"]
    assert service["environment"]["GANYMEDE_API_KEYS_REQUIRED"] == "true"
    assert service["command"][:4] == ["ganymede", "serve", "--host", "0.0.0.0"]
    page = (ROOT / "docs" / "deployment.md").read_text()
    assert "docker compose exec service ganymede keys create admin --scope admin" in page


def test_a_profile_says_who_trains() -> None:
    every = services()
    assert {name: one["profiles"] for name, one in every.items() if "profiles" in one} == {
        "worker-train": ["gpu"],
        "worker-train-cpu": ["cpu"],
    }
    with_gpu, without = every["worker-train"], every["worker-train-cpu"]
    assert with_gpu["command"] == without["command"] == ["ganymede", "work", "--queue", "train"]
    devices = [one["environment"]["GANYMEDE_TRAIN_DEVICE"] for one in (with_gpu, without)]
    assert devices == ["cuda", "cpu"]


def test_service_and_workers_share_their_files_and_every_volume_has_a_name() -> None:
    document = load(POSTGRES_PASSWORD="secret")
    mounts = {name: [mount.split(":") for mount in one.get("volumes", [])] for name, one in services().items()}
    assert {volume for mount in mounts.values() for volume, _ in mount} == set(document["volumes"])
    for name in OURS:
        [[volume, folder]] = mounts[name]
        assert volume == "storage"
        assert services()[name]["environment"]["GANYMEDE_STORAGE"].startswith(folder + "/")


@pytest.mark.parametrize("name", sorted(services()))
def test_nobody_has_more_rights_than_it_needs(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] or name == "worker-train"
    assert "privileged" not in service
    assert "cap_add" not in service or name == "postgres"


def test_images_are_pinned() -> None:
    images: dict[str, Any] = {name: service["image"] for name, service in services().items() if name not in OURS}
    assert images == {"postgres": "postgres:16-bookworm", "redis": "redis:7-bookworm"}


def test_the_example_has_every_variable_and_the_page_explains_it() -> None:
    assert EXAMPLE.keys() == variables() | {"COMPOSE_PROFILES"}
    page = (ROOT / "docs" / "deployment.md").read_text()
    assert [name for name in EXAMPLE if f"`{name}`" not in page] == []
