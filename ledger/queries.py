"""Queries that the repositories share: pages, and rows by id or name."""

from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from gan.errors import InvalidRequest


def page(session: Session, wanted: Select[Any], table: Any, *, after: str | None, limit: int, order: str) -> list[Any]:
    """Up to `limit + 1` rows beyond the row with id `after`. Raises InvalidRequest where there is no such row.

    Their numbers are found first: where an index has the rows, but not in this order, whole rows would be sorted.
    """
    numbers = page_numbers(session, wanted, table, after=after, limit=limit, order=order)
    rows = {row.number: row for row in session.scalars(select(table).where(table.number.in_(numbers)))}
    return [rows[number] for number in numbers if number in rows]


def page_numbers(
    session: Session, wanted: Select[Any], table: Any, *, after: str | None, limit: int, order: str
) -> list[int]:
    """The numbers of `page`'s rows."""
    descending = order == "desc"
    if after is not None:
        number = session.scalars(select(table.number).where(table.id == after)).one_or_none()
        if number is None:
            raise InvalidRequest(
                f"nothing has the id {after}: it was deleted, or there never was such a thing; begin without after",
                param="after",
            )
        wanted = wanted.where(table.number < number if descending else table.number > number)
    ordered = wanted.with_only_columns(table.number).order_by(table.number.desc() if descending else table.number)
    return list(session.scalars(ordered.limit(limit + 1)))


def by_reference(session: Session, table: Any, reference: str, *, lock: bool = False) -> Any | None:
    """The row with that id or name, if there is one; an id wins over a row that is named like it."""
    wanted = select(table).where(or_(table.id == reference, table.name == reference))
    wanted = wanted.order_by((table.id == reference).desc()).limit(1)
    return session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
