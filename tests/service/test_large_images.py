"""Images of 256 pixels a side over HTTP: asked for, refused beyond, drawn, and counted against the limits."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sampling_kit import array, ask, opened, publish, sampling_service
from seeded import network
from service_kit import Running

from gan.spec import ImageShape


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    shape = ImageShape(channels=3, height=256, width=256)
    with sampling_service(tmp_path_factory.mktemp("data"), max_pixels_per_request=5 * 256**2) as running:
        publish(running, "large", network("r3", shape, width=4))
        running.images("large", count=12, shape=(256, 256, 3))
        yield running


def test_a_dataset_may_be_asked_for_at_256_pixels_and_no_more(
    service: Running, is_problem: Callable[..., dict[str, Any]]
) -> None:
    assert service.upload("asked", filename="a.zip", width=256, height=8).status_code == 202
    is_problem(service.upload("beyond", filename="a.zip", width=257), 422, "invalid_request", "width")
    is_problem(service.upload("below", filename="a.zip", height=7), 422, "invalid_request", "height")


def test_a_large_image_is_drawn_alone_and_in_a_row_but_not_without_end(
    service: Running, is_problem: Callable[..., dict[str, Any]]
) -> None:
    assert opened(ask(service, model="large", seed=1)).size == (256, 256)
    drawn = array(ask(service, "application/x-npy", model="large", seed=1, count=3, **{"return": ["image"]}))
    assert drawn.shape == (3, 256, 256, 3)
    is_problem(ask(service, model="large", seed=1, count=6), 413, "limit_exceeded", "size")


def test_a_preview_shows_large_images_reduced(service: Running) -> None:
    assert opened(service.http.get("/v1/datasets/large/preview")).size == (10 * 128 + 9 * 2, 2 * 128 + 2)


def test_a_job_on_large_images_gets_their_regime(service: Running) -> None:
    spec = service.train("large", "trained").json()["spec"]
    assert (spec["r1"], spec["schedules"]["r1"]["to"]) == (150.0, pytest.approx(15.0))
    assert "FFHQ-256" in spec["chosen"]["r1"]
