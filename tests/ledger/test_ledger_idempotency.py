"""Idempotency keys in the ledger: claimed once, noted with what is made, freed when their service has died."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from ledger_making import Maker
from sqlalchemy import update

from gan.errors import LostClaim
from ledger.acting import ACTOR, Actor, Claim
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.idempotency import DEAD_SECONDS, KEPT_SECONDS, IdempotencyKeys, Keyed
from ledger.jobs import Jobs
from ledger.tables import IdempotencyRow

CALL = "POST /v1/jobs"


@pytest.fixture
def keys(ledger: Ledger) -> IdempotencyKeys:
    return IdempotencyKeys(ledger)


@contextmanager
def acting(row: Keyed, digest: str | None = None) -> Iterator[None]:
    """As the service acts while it serves the request of a row."""
    token = ACTOR.set(Actor(claim=Claim(row.number, digest)))
    yield
    ACTOR.reset(token)


def age(ledger: Ledger, row: Keyed, seconds: float) -> None:
    with ledger.writing() as session:
        older = IdempotencyRow.created_at - seconds
        session.execute(update(IdempotencyRow).where(IdempotencyRow.number == row.number).values(created_at=older))


def test_a_key_is_claimed_by_one_of_many_at_once(keys: IdempotencyKeys) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: keys.claim("", "k", CALL), range(8)))
    assert sorted(mine for _, mine in claims) == [False] * 7 + [True]
    assert len({row.number for row, _ in claims}) == 1


def test_keys_of_two_owners_have_nothing_in_common(keys: IdempotencyKeys) -> None:
    assert keys.claim("key_1", "k", CALL)[1]
    assert keys.claim("key_2", "k", CALL)[1]


def test_what_is_made_first_is_noted_with_it_and_stays_when_the_key_is_freed(
    keys: IdempotencyKeys, jobs: Jobs, datasets: Datasets, make: Maker
) -> None:
    row, _ = keys.claim("", "k", "POST /v1/datasets")
    with acting(row, "ab" * 32):
        dataset = datasets.create("faces", {"kind": "upload", "path": "uploads/x.zip"})
        jobs.create("project", {})
    keys.free(row.number)
    noted, mine = keys.claim("", "k", "POST /v1/datasets")
    assert (noted.resource, noted.digest, noted.status, mine) == (dataset.id, "ab" * 32, None, False)


def test_a_key_whose_request_failed_is_free(keys: IdempotencyKeys) -> None:
    row, _ = keys.claim("", "k", CALL)
    keys.free(row.number)
    assert keys.claim("", "k", "POST /v1/models")[1]


def test_a_transaction_that_fails_notes_nothing(keys: IdempotencyKeys, make: Maker, jobs: Jobs) -> None:
    make.training()
    row, _ = keys.claim("", "k", CALL)
    with acting(row), pytest.raises(Exception, match="exists already"):
        jobs.create_training(make.spec(), make.ready, "model1")
    assert keys.claim("", "k", CALL)[0].resource is None


def test_the_key_of_a_service_that_died_is_free_again_and_the_dead_can_make_nothing(
    ledger: Ledger, keys: IdempotencyKeys, jobs: Jobs
) -> None:
    dead, _ = keys.claim("", "k", CALL)
    age(ledger, dead, DEAD_SECONDS - 5)
    assert keys.claim("", "k", CALL) == (dead, False)
    age(ledger, dead, 10)
    row, mine = keys.claim("", "k", CALL)
    assert mine
    assert row.number != dead.number
    with acting(dead), pytest.raises(LostClaim):
        jobs.create("project", {})
    assert jobs.list().data == []


def test_a_request_that_is_still_served_keeps_its_key(ledger: Ledger, keys: IdempotencyKeys) -> None:
    row, _ = keys.claim("", "k", CALL)
    age(ledger, row, DEAD_SECONDS + 5)
    keys.renew(row.number)
    assert keys.claim("", "k", CALL)[1] is False


def test_an_answer_is_kept_for_a_day(ledger: Ledger, keys: IdempotencyKeys) -> None:
    row, _ = keys.claim("", "k", CALL)
    keys.answer(row.number, "ab" * 32, 202, {"location": "/v1/jobs/x"}, "{}")
    age(ledger, row, KEPT_SECONDS - 60)
    found, _ = keys.claim("", "k", CALL)
    assert (found.status, found.headers, found.body) == (202, {"location": "/v1/jobs/x"}, "{}")
    age(ledger, row, 120)
    assert keys.claim("", "k", CALL)[1]
