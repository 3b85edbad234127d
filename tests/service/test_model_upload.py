"""A downloaded checkpoint comes back as a model."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sampling_kit import array, ask, pixels, publish, sampling_service
from seeded import IMAGES, network

Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("plain", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 3))
        yield running


def downloaded(running) -> bytes:
    answer = running.http.get("/v1/models/pets/checkpoints/1000/download")
    assert answer.status_code == 200
    return bytes(answer.content)


def upload(running, name: str, content: bytes, filename: str = "pets-1000.safetensors") -> Any:
    return running.http.post("/v1/models", data={"name": name}, files={"file": (filename, content)})


def test_it_draws_what_the_first_drew_and_judges_as_it_did(service) -> None:
    answer = upload(service, "again", downloaded(service))
    assert answer.status_code == 201, answer.text
    model = answer.json()
    assert answer.headers["location"] == f"/v1/models/{model['id']}"
    assert service.http.get("/v1/models/again").json() == model
    first = service.http.get("/v1/models/pets").json()
    for same in ("network", "recipe", "classes", "latent_dim"):
        assert model[same] == first[same]
    assert model["dataset"] is None
    (kept,), (stored,) = first["checkpoints"], model["checkpoints"]
    assert [stored[name] for name in ("images", "bytes", "sha256")] == [
        kept[name] for name in ("images", "bytes", "sha256")
    ]
    drawn = [array(ask(service, "application/x-npy", model=name, seed=3, count=5, **{"return": ["image"]}))
             for name in ("pets", "again")]  # fmt: skip
    assert (drawn[0] == drawn[1]).all()
    assert pixels(ask(service, model="again", seeds=[4], labels=["dog"])).shape == (8, 8)
    picture = b64encode(ask(service, model="again", seed=1).content).decode()
    judged = [service.http.post("/v1/scores", json={"model": name, "images": [picture]}).json()["data"]
              for name in ("pets", "again")]  # fmt: skip
    assert judged[0] == judged[1]
    assert service.http.delete("/v1/models/again").status_code == 204


def test_it_cannot_be_compared_with_data_that_is_not_there_but_with_other(service, is_problem: Check) -> None:
    assert upload(service, "orphan", downloaded(service)).status_code == 201
    is_problem(service.http.get("/v1/models/orphan/neighbours?seed=1"), 409, "conflict")
    evaluation = {"type": "evaluate", "model": "orphan"}
    assert is_problem(service.http.post("/v1/jobs", json=evaluation), 409, "conflict")["param"] == "dataset"
    service.images("others", count=100, shape=(8, 8, 1))
    answer = service.http.post("/v1/jobs", json=evaluation | {"dataset": "others"})
    assert (answer.status_code, answer.json()["dataset"]) == (202, "others"), answer.text


def test_what_is_no_model_is_refused_and_leaves_nothing(service, is_problem: Check) -> None:
    content = downloaded(service)
    before = {path for path in Path(service.storage.root).rglob("*") if path.is_file()}
    assert is_problem(upload(service, "bad", b"GIF89a"), 422, "invalid_request")["param"] == "file"
    assert is_problem(upload(service, "bad", content[:-100]), 422, "invalid_request")["param"] == "file"
    lying = content.replace(b'\\"width\\":8', b'\\"width\\":7', 1)
    assert lying != content
    said = is_problem(upload(service, "bad", lying), 422, "invalid_request")
    assert "not" in said["detail"]
    is_problem(upload(service, "pets", content), 409, "conflict")
    is_problem(upload(service, "no/name", content), 422, "invalid_request")
    is_problem(upload(service, "bad", content, "model.pt"), 415, "unsupported_media")
    nameless = service.http.post("/v1/models", files={"file": ("m.safetensors", content)})
    assert is_problem(nameless, 422, "invalid_request")["param"] == "name"
    is_problem(service.http.post("/v1/models", json={"name": "bad"}), 415, "unsupported_media")
    assert service.http.get("/v1/models/bad").status_code == 404
    assert {path for path in Path(service.storage.root).rglob("*") if path.is_file()} == before
