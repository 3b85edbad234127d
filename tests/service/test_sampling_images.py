"""A seed as an address: what an `<img src>` gets, and what a cache may keep."""

import numpy as np
import pytest
from sampling_kit import ask, opened, pixels, publish, sampling_service
from seeded import IMAGES, POINTS, network


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "pets", network("r3", IMAGES, "class", 2), classes=("cat", "dog"), counts=(1, 1))
        publish(running, "points", network("mlp", POINTS))
        yield running


def get(service, address, **headers):
    return service.http.get(f"/v1/models/{address}", headers=headers)


@pytest.mark.parametrize(
    ("extension", "media_type"), [("png", "image/png"), ("webp", "image/webp"), ("jpg", "image/jpeg")]
)
def test_the_ending_of_the_address_is_the_format_whatever_the_caller_accepts(service, extension, media_type):
    answer = get(service, f"pets/images/42.{extension}", Accept="text/html")
    assert opened(answer, media_type).size == (8, 8)
    assert "vary" not in answer.headers


def test_it_is_the_picture_that_the_seed_makes_elsewhere(service):
    here = pixels(get(service, "pets/images/42.png?label=dog&truncation=0.5&size=64"))
    there = pixels(ask(service, model="pets", seed=42, labels=["dog"], truncation=0.5, size=64))
    assert (here == there).all()
    assert np.abs(here - pixels(get(service, "pets/images/42.png?label=cat&truncation=0.5&size=64"))).max() > 10


def test_a_cache_may_keep_it_for_ever_under_a_checkpoints_id_and_asks_again_under_a_name(service):
    for name in ("ckpt_pets1000", "pets@ckpt_pets1000"):
        assert "immutable" in get(service, f"{name}/images/1.png").headers["cache-control"]
    for name in ("pets", "pets@1000"):
        assert get(service, f"{name}/images/1.png").headers["cache-control"] == "public, no-cache"


def test_a_picture_already_held_is_not_sent_and_costs_no_forward(service, monkeypatch):
    address = "pets/images/7.png?size=16"
    tag = get(service, address).headers["etag"]
    assert tag.startswith('W/"')
    monkeypatch.setattr(service.app.state.house.engine, "sample", None)
    for held in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        answer = get(service, address, **{"If-None-Match": held})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert "cache-control" in answer.headers


def test_the_headers_alone_are_those_of_the_picture_and_cost_no_forward(service, is_problem, monkeypatch):
    address = "/v1/models/pets/images/7.png?label=dog"
    drawn = service.http.get(address).headers
    monkeypatch.setattr(service.app.state.house.engine, "sample", None)
    answer = service.http.head(address)
    assert (answer.status_code, answer.content) == (200, b"")
    own = {"content-length", "x-request-id", "server-timing", "date"}
    assert {name: value for name, value in answer.headers.items() if name not in own} == {
        name: value for name, value in drawn.items() if name not in own
    }
    assert "content-length" not in answer.headers
    assert service.http.head(address, headers={"If-None-Match": drawn["etag"]}).status_code == 304
    assert service.http.head("/v1/models/pets/images/7.png?label=cow").status_code == 422


def test_the_tag_changes_with_everything_that_the_picture_depends_on(service):
    queries = ("7.png", "8.png", "7.webp", "7.png?size=9", "7.png?truncation=0.5", "7.png?label=cat", "7.png?label=dog")
    tags = [get(service, f"pets/images/{query}").headers["etag"] for query in queries]
    publish(service, "pets", network("r3", IMAGES, "class", 2), images=2000, classes=("cat", "dog"), counts=(1, 1))
    tags.append(get(service, "pets/images/7.png").headers["etag"])
    assert len(set(tags)) == len(tags)
    assert get(service, "pets@1000/images/7.png").headers["etag"] == tags[0]


def test_a_point_is_a_dot_on_a_plot(service):
    assert opened(get(service, "points/images/7.png?size=200")).size == (200, 200)


@pytest.mark.parametrize(
    ("address", "status", "param"),
    [
        ("nothing/images/1.png", 404, "model"),
        ("pets/images/1.bmp", 404, None),
        ("pets/images/x.png", 404, None),
        ("pets/images/-1.png", 404, None),
        ("pets/images/+42.png", 404, None),
        ("pets/images/0042.png", 404, None),
        ("pets/images/4_2.png", 404, None),
        ("pets/images/42.0.png", 404, None),
        ("pets/images/1.png?label=cat&label=dog", 422, "label"),
        ("pets/images/1.png?size=+8", 422, "size"),
        ("pets/images/9223372036854775808.png", 404, None),
        ("pets/images/1.png?label=cow", 422, "label"),
        ("pets/images/1.png?truncation=2", 422, "truncation"),
        ("pets/images/1.png?truncation=nan", 422, "truncation"),
        ("pets/images/1.png?size=0", 422, "size"),
        ("pets/images/1.png?size=99999", 422, "size"),
        ("pets/images/1.png?colour=red", 422, "colour"),
    ],
)
def test_bad_addresses_are_problems(service, is_problem, address, status, param):
    assert is_problem(get(service, address), status)["param"] == param


def test_the_largest_seed_has_an_address(service):
    assert get(service, "pets/images/9223372036854775807.png").headers["x-ganymede-seeds"] == "9223372036854775807"
