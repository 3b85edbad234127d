"""API keys, sessions and the audit record: what holds, what does not, and what a key may have at most."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger_making import Maker, saved
from sqlalchemy import select, text, update

from gan.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded, Unavailable
from ledger.__main__ import main
from ledger.acting import ACTOR, Actor
from ledger.audit import Audit
from ledger.database import Ledger
from ledger.datasets import Datasets
from ledger.jobs import Jobs
from ledger.keys import Keys, digest_of
from ledger.models import Models
from ledger.records import KeyQuotas, StoredModel, Write
from ledger.settings import Settings
from ledger.tables import AuditRow, KeyRow, SessionRow

SOURCE = {"kind": "upload", "path": "uploads/x.zip"}


@pytest.fixture
def keys(ledger: Ledger) -> Keys:
    return Keys(ledger)


@contextmanager
def acting(key: str) -> Iterator[None]:
    token = ACTOR.set(Actor(key))
    try:
        yield
    finally:
        ACTOR.reset(token)


def holder(keys: Keys, shown: str) -> str | None:
    """The name of the key that what is shown stands for."""
    found = keys.passes([digest_of(shown)])
    return found[digest_of(shown)].key.name if found else None


def test_a_key_is_known_by_what_was_printed_once_and_its_hash_alone_is_kept(keys: Keys, ledger: Ledger) -> None:
    key, secret = keys.create("team", ["train", "read"], KeyQuotas(requests_per_second=2.5))
    assert (key.name, key.scopes, key.requests_per_second, key.stored_bytes) == ("team", ["read", "train"], 2.5, None)
    assert secret.startswith("gnm_")
    assert len(secret) == len("gnm_") + 43
    assert holder(keys, secret) == "team"
    assert holder(keys, secret[:-1]) is None
    assert holder(keys, key.id) is None
    with ledger.reading() as session:
        row = session.scalars(select(KeyRow)).one()
        said = [str(getattr(row, column.key)) for column in KeyRow.__table__.columns]
    assert hashlib.sha256(secret.encode()).hexdigest() in said
    assert not any(secret[4:] in value for value in said)


def test_no_two_keys_are_alike(keys: Keys) -> None:
    secrets = {keys.create(f"key{number}", ["read"])[1] for number in range(20)}
    assert len(secrets) == 20


@pytest.mark.parametrize(
    ("name", "scopes"), [("a b", ["read"]), ("", ["read"]), ("team", []), ("team", ["everything"])]
)
def test_a_name_or_scope_that_is_none_is_refused(keys: Keys, name: str, scopes: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        keys.create(name, scopes)


def test_a_name_is_taken_also_after_it_was_revoked(keys: Keys) -> None:
    keys.create("team", ["read"])
    keys.revoke("team")
    with pytest.raises(Conflict, match="team"):
        keys.create("team", ["read"])


def test_a_revoked_key_and_its_sessions_end_at_once_and_others_do_not(keys: Keys) -> None:
    (lost, secret), (other, kept) = keys.create("lost", ["read"]), keys.create("other", ["read"])
    token, other_token = keys.open_session(lost.id)[0], keys.open_session(other.id)[0]
    revoked = keys.revoke(lost.id)
    assert revoked.revoked_at is not None
    assert keys.revoke("lost").revoked_at == revoked.revoked_at
    assert [holder(keys, shown) for shown in (secret, token)] == [None, None]
    assert [holder(keys, shown) for shown in (kept, other_token)] == ["other", "other"]
    with pytest.raises(NotFound):
        keys.open_session(lost.id)
    with pytest.raises(NotFound):
        keys.revoke("nobody")


def test_a_key_ends_when_its_time_is_over_by_database_time(keys: Keys, ledger: Ledger) -> None:
    key, secret = keys.create("week", ["read"], expires_in=7 * 86_400)
    assert key.expires_at == pytest.approx(ledger.time() + 7 * 86_400, abs=30)
    assert holder(keys, secret) == "week"
    with ledger.writing() as session:
        session.execute(update(KeyRow).values(expires_at=ledger.time() - 1))
    assert holder(keys, secret) is None


def test_a_session_stands_for_its_key_for_twelve_hours_and_not_longer_than_the_key(keys: Keys, ledger: Ledger) -> None:
    key, _ = keys.create("studio", ["read"])
    token, until = keys.open_session(key.id)
    assert until == pytest.approx(ledger.time() + 12 * 3600, abs=30)
    assert holder(keys, token) == "studio"
    with ledger.reading() as session:
        assert session.scalars(select(SessionRow.sha256)).one() == digest_of(token)
    brief, _ = keys.create("brief", ["read"], expires_in=60)
    assert keys.open_session(brief.id)[1] == brief.expires_at


def test_an_ended_session_is_nobodys_and_is_forgotten(keys: Keys, ledger: Ledger) -> None:
    key, _ = keys.create("studio", ["read"])
    ended, over, kept = (keys.open_session(key.id)[0] for _ in range(3))
    keys.end_session(ended)
    keys.end_session("gns_never")
    with ledger.writing() as session:
        old = update(SessionRow).where(SessionRow.sha256 == digest_of(over))
        session.execute(old.values(expires_at=ledger.time() - 1))
    assert [holder(keys, token) for token in (ended, over, kept)] == [None, None, "studio"]
    keys.forget_ended()
    with ledger.reading() as session:
        assert list(session.scalars(select(SessionRow.sha256))) == [digest_of(kept)]


def test_many_are_looked_up_at_once(keys: Keys) -> None:
    made = {name: keys.create(name, ["read"])[1] for name in ("a", "b", "c")}
    keys.revoke("b")
    found = keys.passes([digest_of(secret) for secret in (*made.values(), "gnm_unknown")])
    assert {digest: one.key.name for digest, one in found.items()} == {digest_of(made[name]): name for name in "ac"}


# ---- what is a key's ----


def test_what_is_made_is_the_acting_keys(keys: Keys, ledger: Ledger, make: Maker) -> None:
    key, _ = keys.create("team", ["train"])
    with acting(key.id):
        job = make.training()
    tables = ("jobs", "datasets", "models")
    with ledger.reading() as session:
        owners = {table: set(session.scalars(text(f"SELECT key_id FROM {table}"))) for table in tables}
    assert owners == {table: {key.id} for table in tables}
    assert make.jobs.get(job.id).status == "queued"


def test_a_key_has_no_more_live_jobs_than_it_may(keys: Keys, make: Maker, jobs: Jobs) -> None:
    make.training()  # nobody's
    key, _ = keys.create("team", ["train"], KeyQuotas(concurrent_jobs=2))
    other, _ = keys.create("other", ["train"], KeyQuotas(concurrent_jobs=2))
    with acting(key.id):
        first, _ = make.training(), make.training()
        with pytest.raises(QuotaExceeded, match="concurrent_jobs") as refused:
            make.training()
        with pytest.raises(QuotaExceeded):
            keys.check_quotas()
        assert refused.value.retry_after > 0
    with acting(other.id):
        make.training()
    jobs.cancel(first.id)
    with acting(key.id):
        keys.check_quotas()
        make.training()
    keys.check_quotas()


def test_the_last_place_is_given_once(keys: Keys, make: Maker, jobs: Jobs) -> None:
    make.training()
    key, _ = keys.create("team", ["train"], KeyQuotas(concurrent_jobs=1))
    together, outcomes = threading.Barrier(8), []

    def ask() -> None:
        with acting(key.id):
            together.wait()
            try:
                outcomes.append(jobs.create("evaluate", {}).id)
            except QuotaExceeded:
                outcomes.append(None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([id for id in outcomes if id]) == 1
    assert len(outcomes) == 8


def test_a_key_stores_no_more_than_it_may(keys: Keys, make: Maker, datasets: Datasets, models: Models) -> None:
    key, _ = keys.create("team", ["train"], KeyQuotas(stored_bytes=560))
    with acting(key.id):
        make.ready = make.dataset()  # 512 bytes
        make.count = 1
        keys.check_quotas(48)
        with pytest.raises(QuotaExceeded, match="stored_bytes"):
            keys.check_quotas(49)
        job = make.training()
        claimed = make.jobs.claim("train", "wrk_1", 30)
        assert claimed is not None
        make.jobs.publish_checkpoint(job.id, claimed.epoch, saved(100))  # 10 + 20
        with pytest.raises(QuotaExceeded):
            models.add(stored("big", 19))
        models.add(stored("fits", 18))
        for refused in (make.training, lambda: datasets.create("more", SOURCE)):
            with pytest.raises(QuotaExceeded):
                refused()
        models.delete("fits")
        datasets.create("more", SOURCE)
    datasets.create("nobodys", SOURCE)


def stored(name: str, bytes: int) -> StoredModel:
    return StoredModel(f"mdl_{name}", name, "r3gan", {}, [], f"ckpt_{name}", 1, f"checkpoints/{name}", bytes, "a" * 64)


# ---- the audit record ----


def write(number: int, key: str | None = None, at: float | None = None) -> Write:
    moment = time.time() if at is None else at
    return Write(moment, key, "127.0.0.1", "POST", f"/v1/jobs/{number}", 202, f"req_{number}")


def test_the_record_tells_the_newest_writes_and_those_of_one_key(ledger: Ledger) -> None:
    audit = Audit(ledger)
    audit.add([write(0, "key_a"), write(1, None), write(2, "key_b"), write(3, "key_a")])
    assert [one.request_id for one in audit.list(limit=3)] == ["req_3", "req_2", "req_1"]
    assert [one.path for one in audit.list("key_a")] == ["/v1/jobs/3", "/v1/jobs/0"]


def test_the_record_forgets_what_is_older_than_it_is_to_be(ledger: Ledger) -> None:
    audit, now = Audit(ledger), ledger.time()
    audit.add([write(0, at=now - 91 * 86_400), write(1, at=now - 89 * 86_400)])
    audit.forget(90)
    with ledger.reading() as session:
        assert list(session.scalars(select(AuditRow.request_id))) == ["req_1"]


# ---- the command line ----

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(blank_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`ganymede keys …` with a ledger in `tmp_path`."""
    (tmp_path / "ledger.sqlite3").write_bytes(blank_sqlite.read_bytes())
    monkeypatch.setenv("GANYMEDE_DATA", str(tmp_path))
    monkeypatch.delenv("GANYMEDE_DATABASE_URL", raising=False)

    def keys(*words: str) -> tuple[int, str, str]:
        status = main(["keys", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return keys


QUOTAS = ["--requests-per-second", "2.5", "--images-per-second", "100", "--concurrent-jobs", "3"]


def test_a_key_is_made_listed_and_revoked_by_the_command_line(run: Run, tmp_path: Path) -> None:
    made = ["--scope", "sample", "--scope", "read", *QUOTAS, "--stored-bytes", "5000", "--expires-in", "30d"]
    status, out, err = run("create", "team", *made)
    assert (status, out.count("\n")) == (0, 1)
    assert out.strip() not in err
    keys = Keys(Ledger(Settings(data=tmp_path).database_url))
    assert holder(keys, out.strip()) == "team"
    [key] = keys.list()
    assert key.scopes == ["read", "sample"]
    assert (key.requests_per_second, key.images_per_second, key.concurrent_jobs, key.stored_bytes) == (
        2.5,
        100,
        3,
        5000,
    )
    assert key.expires_at == pytest.approx(key.created_at + 30 * 86_400)
    listed = run("list")[1]
    assert all(word in listed for word in (key.id, "team", "read,sample", "concurrent_jobs=3"))
    assert out.strip() not in listed
    assert run("revoke", "team") == (0, f"revoked team ({key.id})\n", "")
    assert "revoked 2" in run("list")[1]
    assert holder(keys, out.strip()) is None


def test_the_audit_record_is_printed_with_names(run: Run, tmp_path: Path) -> None:
    run("create", "team", "--scope", "read")
    ledger = Ledger(Settings(data=tmp_path).database_url)
    key = Keys(ledger).get("team")
    strange = Write(0.0, None, None, "DELETE", "/v1/models/a\x1b[2J\n", 204, "req_9")
    Audit(ledger).add([strange, write(7, key.id)])
    _, newest, oldest = run("audit")[1].splitlines()
    assert newest.split()[1:] == ["team", "127.0.0.1", "202", "req_7", "POST", "/v1/jobs/7"]
    assert oldest.split() == ["1970-01-01T00:00:00Z", "-", "-", "204", "req_9", "DELETE", r"/v1/models/a\x1b[2J\n"]
    assert len(run("audit", "--key", "team")[1].splitlines()) == 2
    assert len(run("audit", "--limit", "1")[1].splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create", "a b", "--scope", "read"], "name"),
        (["revoke", "nobody"], "nobody"),
        (["audit", "--key", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, words: list[str], says: str) -> None:
    status, out, err = run(*words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


@pytest.mark.parametrize(
    "words",
    [
        ["create", "team"],
        ["create", "team", "--scope", "all"],
        ["create", "team", "--scope", "read", "--expires-in", "soon"],
        ["create", "team", "--scope", "read", "--concurrent-jobs", "0"],
        ["create", "team", "--scope", "read", "--requests-per-second", "nan"],
    ],
)
def test_a_command_that_says_too_little_is_explained(run: Run, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2


def test_without_a_ledger_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANYMEDE_DATA", str(tmp_path / "empty"))
    assert main(["keys", "list"]) == 1
    assert "ganymede migrate" in capsys.readouterr().err


def test_what_callers_are_told_of_a_database_that_is_away_names_nothing_of_the_inside() -> None:
    ledger = Ledger("postgresql://somebody@127.0.0.1:9/secrets")
    with pytest.raises(Unavailable) as away:
        ledger.time()
    assert away.value.message == "the database cannot be reached"
    assert "127.0.0.1" in str(away.value)
