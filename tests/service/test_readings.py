"""One reading of the ledger for all requests that came before it began, and none while nothing was committed."""

import asyncio

import pytest

from gan.errors import NotFound, Unavailable
from service.readings import Readings


class Ledger:
    """Counts its readings; `now` is what a reading finds when it begins, and what its stamp says where it has one."""

    def __init__(self, stamped=False):
        self.now, self.readings, self.stamped, self.away = 0, [], stamped, False

    async def read(self, keys):
        self.readings.append(sorted(keys))
        found = self.now
        await asyncio.sleep(0.01)
        if self.away:
            raise Unavailable("the database cannot be reached")
        return {key: NotFound("there is no model nobody") if key == "nobody" else (key, found) for key in keys}

    def stamp(self):
        return self.now if self.stamped else None


def told(scenario):
    asyncio.run(scenario())


def test_requests_that_come_together_share_a_reading():
    async def scenario():
        ledger = Ledger()
        readings = Readings(ledger.read, ledger.stamp)
        assert await asyncio.gather(*(readings("m") for _ in range(50))) == [("m", 0)] * 50
        assert ledger.readings == [["m"]]
        assert readings._asked == {}
        assert readings._task is None

    told(scenario)


def test_no_request_gets_an_answer_from_before_it_came():
    async def scenario():
        ledger = Ledger()
        readings = Readings(ledger.read, ledger.stamp)
        first = asyncio.ensure_future(readings("m"))
        await asyncio.sleep(0.002)  # the reading is under way
        ledger.now = 1
        later = [asyncio.ensure_future(readings("m")) for _ in range(20)]
        other = await readings("n")
        assert await first == ("m", 0)
        assert await asyncio.gather(*later) == [("m", 1)] * 20
        assert other == ("n", 1)
        assert ledger.readings == [["m"], ["m", "n"]]
        ledger.now = 2
        assert await readings("m") == ("m", 2)

    told(scenario)


def test_while_nothing_is_committed_the_ledger_is_asked_once_for_each():
    async def scenario():
        ledger = Ledger(stamped=True)
        readings = Readings(ledger.read, ledger.stamp)
        for key in ("m", "m", "n", "m", "n"):
            assert await readings(key) == (key, 0)
        assert ledger.readings == [["m"], ["n"]]
        ledger.now = 1
        await asyncio.sleep(0)  # what comes from outside comes in another turn of the loop
        assert await readings("m") == ("m", 1)
        assert ledger.readings == [["m"], ["n"], ["m"]]

    told(scenario)


def test_what_was_committed_during_a_reading_is_read_again():
    async def scenario():
        ledger = Ledger(stamped=True)
        readings = Readings(ledger.read, ledger.stamp)
        first = asyncio.ensure_future(readings("m"))
        await asyncio.sleep(0.002)
        ledger.now = 1
        assert await first == ("m", 0)
        assert await readings("m") == ("m", 1)

    told(scenario)


@pytest.mark.parametrize("stamped", [False, True])
def test_a_failure_is_told_to_all_who_asked_and_to_nobody_after(stamped):
    async def scenario():
        ledger = Ledger(stamped)
        readings = Readings(ledger.read, ledger.stamp)
        asked = [readings(key) for key in ("nobody", "nobody", "m")]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [NotFound, NotFound, tuple]
        with pytest.raises(NotFound):
            await readings("nobody")
        assert len(ledger.readings) == 2

    told(scenario)


def test_a_database_that_is_away_is_told_to_all_and_asked_again_by_the_next():
    async def scenario():
        ledger = Ledger(stamped=True)
        ledger.away = True
        readings = Readings(ledger.read, ledger.stamp)
        outcomes = await asyncio.gather(*(readings(key) for key in "mn"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        ledger.away = False
        assert await readings("m") == ("m", 0)

    told(scenario)


def test_a_request_that_gives_up_does_not_stop_the_reading_for_the_others():
    async def scenario():
        readings = Readings(Ledger().read, lambda: None)
        first, second = (asyncio.ensure_future(readings("m")) for _ in range(2))
        await asyncio.sleep(0.002)
        first.cancel()
        assert await second == ("m", 0)

    told(scenario)
