"""API keys and browsers' sessions: made, looked up by what their holder shows, revoked.

The ledger never holds what a holder shows, only its SHA-256. A fast hash is enough here, and a slow one (bcrypt,
Argon2) would only cost time, because these are no passwords: each is 256 random bits, which nobody can try out one by
one, so that there is nothing for slowness to protect.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gan.errors import Conflict, InvalidRequest, NotFound
from gan.spec import NAME_PATTERN
from ledger.acting import acting_key
from ledger.clock import now
from ledger.database import Ledger, mint
from ledger.mapping import key_record
from ledger.queries import by_reference
from ledger.quotas import check_bytes, check_jobs
from ledger.records import Key, KeyQuotas, Pass
from ledger.tables import KeyRow, SessionRow

SCOPES: Final = ("read", "sample", "train", "admin")
"""What a key may be for; `admin` is for everything."""

KEY_PREFIX: Final = "gnm_"
SESSION_PREFIX: Final = "gns_"
RANDOM_BYTES: Final = 32

SESSION_SECONDS: Final = 12 * 3600.0
"""How long a browser's session lasts at most."""


def digest_of(secret: str) -> str:
    """The SHA-256, in hexadecimal, of what a holder shows."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Keys:
    """The keys of a ledger. Every method is one transaction; all raise Unavailable when the database is away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # ---- keys -------------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        quotas: KeyQuotas | None = None,
        expires_in: float | None = None,
    ) -> tuple[Key, str]:
        """Make a key; the second part is what its holder shows, and is known nowhere else from then on.

        `expires_in` is in seconds. Raises InvalidRequest for a bad name or scope, Conflict where the name is taken.
        """
        wanted = _checked(name, set(scopes))
        secret = KEY_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        allowed = quotas or KeyQuotas()
        row = KeyRow(id=mint("key"), name=name, sha256=digest_of(secret), scopes=wanted, **allowed.columns())
        with self._ledger.writing() as session:
            session.add(row)
            _flush_named(session, name)
            if expires_in is not None:
                row.expires_at = row.created_at + expires_in
            session.flush()
            return key_record(row), secret

    def list(self) -> Sequence[Key]:
        """All keys, also those that no longer hold, oldest first."""
        with self._ledger.reading() as session:
            return [key_record(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.number))]

    def get(self, reference: str) -> Key:
        """A key by id or name. Raises NotFound."""
        with self._ledger.reading() as session:
            return key_record(_find(session, reference))

    def revoke(self, reference: str) -> Key:
        """End a key, named by its id or name, and the sessions it was traded for. Raises NotFound."""
        with self._ledger.writing() as session:
            row = _find(session, reference)
            changed = update(KeyRow).where(KeyRow.id == row.id)
            session.execute(changed.values(revoked_at=func.coalesce(KeyRow.revoked_at, now())))
            session.execute(delete(SessionRow).where(SessionRow.key_id == row.id))
            session.flush()
            session.refresh(row)
            return key_record(row)

    def used(self, ids: Collection[str]) -> None:
        """Note that these keys were used."""
        with self._ledger.writing() as session:
            session.execute(update(KeyRow).where(KeyRow.id.in_(list(ids))).values(used_at=now()))

    def check_quotas(self, more: int = 0, *, jobs: bool = True) -> None:
        """Raises QuotaExceeded where the acting key may make no further job (`jobs`), or not store `more` bytes."""
        if acting_key() is not None:
            with self._ledger.reading() as session:
                if jobs:
                    check_jobs(session)
                check_bytes(session, more)

    # ---- sessions ---------------------------------------------------------------------------------------------------

    def open_session(self, key_id: str, seconds: float = SESSION_SECONDS) -> tuple[str, float]:
        """Trade a key for a session: what its cookie holds, and when it ends (Unix seconds; not after the key).

        Raises NotFound where the key no longer holds.
        """
        token = SESSION_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        with self._ledger.writing() as session:
            key = session.scalars(select(KeyRow).where(KeyRow.id == key_id, _holds())).one_or_none()
            if key is None:
                raise NotFound(f"the key {key_id} no longer holds")
            until = session.scalars(select(now() + seconds)).one()
            until = until if key.expires_at is None else min(until, key.expires_at)
            session.add(SessionRow(sha256=digest_of(token), key_id=key_id, expires_at=until))
            return token, until

    def end_session(self, token: str) -> None:
        """End a session; nothing happens where there is none."""
        with self._ledger.writing() as session:
            session.execute(delete(SessionRow).where(SessionRow.sha256 == digest_of(token)))

    def forget_ended(self) -> None:
        """Delete the sessions that have ended by themselves."""
        with self._ledger.writing() as session:
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= now()))

    # ---- who is it? -------------------------------------------------------------------------------------------------

    def passes(self, digests: Collection[str]) -> dict[str, Pass]:
        """Of each of these hashes that stands for a key or session which holds now: whose it is, and until when.

        The row is found by the hash, in whatever time the index takes: its timing speaks of the hash of what was shown,
        which nobody can choose without knowing what was shown. What was found is then compared in constant time.
        """
        wanted = list(digests)
        keys = select(KeyRow.sha256, KeyRow, KeyRow.expires_at).where(KeyRow.sha256.in_(wanted), _holds())
        sessions = (
            select(SessionRow.sha256, KeyRow, SessionRow.expires_at)
            .join(KeyRow, KeyRow.id == SessionRow.key_id)
            .where(SessionRow.sha256.in_(wanted), SessionRow.expires_at > now(), _holds())
        )
        with self._ledger.reading() as session:
            rows = [*session.execute(keys), *session.execute(sessions)]
            found = {sha256: Pass(key_record(row), until) for sha256, row, until in rows}
        return {digest: found[same] for digest in wanted if (same := _equal(digest, found)) is not None}


def _equal(digest: str, found: Iterable[str]) -> str | None:
    return next((other for other in found if hmac.compare_digest(digest, other)), None)


def _holds() -> ColumnElement[bool]:
    """Whether a key may be used now, by database time."""
    return KeyRow.revoked_at.is_(None) & or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > now())


def _checked(name: str, scopes: set[str]) -> Sequence[str]:
    """The scopes in their usual order. Raises InvalidRequest."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidRequest(f"a key's name must match {NAME_PATTERN}", param="name")
    if not scopes or not scopes <= set(SCOPES):
        raise InvalidRequest(f"a key's scopes are one or more of {', '.join(SCOPES)}", param="scope")
    return [scope for scope in SCOPES if scope in scopes]


def _find(session: Session, reference: str) -> KeyRow:
    row = by_reference(session, KeyRow, reference)
    if row is None:
        raise NotFound(f"there is no key {reference}")
    assert isinstance(row, KeyRow)
    return row


def _flush_named(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"a key named {name} exists already, perhaps revoked: choose another name") from error
