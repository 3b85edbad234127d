"""A stamp is equal to an earlier one only if nothing was committed between the two."""

from pathlib import Path

from ledger.database import Ledger
from ledger.jobs import Jobs
from ledger.stamp import Stamp


def test_every_commit_changes_it_and_nothing_else_does(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    ledger.migrate()
    jobs, stamp = Jobs(ledger), ledger.stamp()
    seen = [stamp()]
    for _ in range(3):
        jobs.create("evaluate", {})
        seen.append(stamp())
        assert stamp() == seen[-1]
        jobs.list()
        assert stamp() == seen[-1]
    assert len(set(seen)) == 4
    assert None not in seen
    stamp.close()
    ledger.close()


def test_numbers_of_a_file_that_was_opened_anew_are_not_taken_for_earlier_ones(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    ledger.migrate()
    stamp = ledger.stamp()
    before = stamp()
    stamp.close()
    assert stamp() != before
    stamp.close()
    ledger.close()


def test_where_there_is_no_file_there_is_no_stamp(tmp_path: Path) -> None:
    assert Stamp(tmp_path / "nothing")() is None
