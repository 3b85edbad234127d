"""Pictures by address that are sent again without a forward, within a bound in bytes."""

import pytest
from sampling_kit import publish, sampling_service
from seeded import network

from service.kept import Kept, Picture
from service.meters import Meters


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with sampling_service(tmp_path_factory.mktemp("data")) as running:
        publish(running, "digits", network("plain"))
        yield running


def forwards(running) -> int:
    text = running.http.get("/metrics").text
    return int(float(text.split("ganymede_batch_rows_count ")[1].split()[0]))


def test_a_picture_that_was_sent_is_sent_again_without_a_forward(service) -> None:
    first = service.http.get("/v1/models/digits/images/7.png?size=32")
    before = forwards(service)
    again = service.http.get("/v1/models/digits/images/7.png?size=32")
    assert forwards(service) == before
    assert again.content == first.content
    ours = {
        name: value for name, value in first.headers.items() if name not in ("server-timing", "x-request-id", "date")
    }
    assert {name: value for name, value in again.headers.items() if name not in ("x-request-id", "date")} == ours
    assert service.http.get("/v1/models/digits/images/7.png").content != first.content
    assert forwards(service) == before + 1


def test_under_another_name_of_the_checkpoint_it_is_the_same_picture_held_for_longer(service) -> None:
    by_name = service.http.get("/v1/models/digits/images/8.png")
    before = forwards(service)
    by_id = service.http.get("/v1/models/ckpt_digits1000/images/8.png")
    assert (forwards(service), by_id.content) == (before, by_name.content)
    assert "immutable" in by_id.headers["cache-control"]
    assert "immutable" not in by_name.headers["cache-control"]


def test_a_new_checkpoint_draws_anew_and_a_deleted_model_is_not_found(service) -> None:
    publish(service, "brief", network("plain"), images=10)
    first = service.http.get("/v1/models/brief/images/1.png")
    publish(service, "brief", network("plain"), images=20)
    second = service.http.get("/v1/models/brief/images/1.png")
    assert second.content != first.content
    assert service.http.get("/v1/models/brief@10/images/1.png").content == first.content
    service.http.delete("/v1/models/brief")
    assert service.http.get("/v1/models/brief/images/1.png").status_code == 404


def test_headers_alone_keep_nothing_and_read_nothing(service) -> None:
    assert service.http.head("/v1/models/digits/images/99.png").status_code == 200
    assert service.http.get("/v1/models/digits/images/99.png").content.startswith(b"\x89PNG")


def of(size: int) -> Picture:
    return Picture(b"x" * size, "image/png", {})


def test_the_least_recently_asked_for_leaves_when_room_is_needed() -> None:
    kept = Kept(80, Meters())
    for key in "abcdefgh":
        kept.put(key, of(10))
    assert kept.bytes == 80
    assert kept.get("a") is not None
    kept.put("i", of(10))
    assert kept.get("b") is None
    assert kept.get("a") is not None
    assert kept.bytes == 80


def test_one_that_would_push_out_many_is_not_kept_and_none_is_where_the_bound_is_zero() -> None:
    kept = Kept(80, Meters())
    kept.put("a", of(11))
    assert (kept.get("a"), kept.bytes) == (None, 0)
    nothing = Kept(0, Meters())
    nothing.put("a", of(1))
    assert nothing.get("a") is None
