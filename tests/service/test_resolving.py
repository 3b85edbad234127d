"""One reading of the ledger for all requests that came before it began."""

import asyncio

import pytest

from gan.errors import NotFound
from service.resolving import Resolving


class Ledger:
    """Counts its readings; `now` is what a reading finds when it begins."""

    def __init__(self):
        self.now, self.readings = 0, 0

    async def read(self, reference):
        self.readings += 1
        found = self.now
        await asyncio.sleep(0.01)
        if reference == "nobody":
            raise NotFound("there is no model nobody")
        return reference, found


def test_requests_that_come_together_share_a_reading():
    async def scenario():
        ledger = Ledger()
        resolving = Resolving(ledger.read)
        assert await asyncio.gather(*(resolving("m") for _ in range(50))) == [("m", 0)] * 50
        assert ledger.readings == 1
        assert resolving._turns == {}

    asyncio.run(scenario())


def test_no_request_gets_an_answer_from_before_it_came():
    async def scenario():
        ledger = Ledger()
        resolving = Resolving(ledger.read)
        first = asyncio.ensure_future(resolving("m"))
        await asyncio.sleep(0.002)  # the reading is under way
        ledger.now = 1
        later = [asyncio.ensure_future(resolving("m")) for _ in range(20)]
        other = await resolving("n")
        assert await first == ("m", 0)
        assert await asyncio.gather(*later) == [("m", 1)] * 20
        assert other == ("n", 1)
        assert ledger.readings == 3
        ledger.now = 2
        assert await resolving("m") == ("m", 2)
        assert resolving._turns == {}

    asyncio.run(scenario())


def test_a_failure_is_told_to_all_who_asked_and_to_nobody_after():
    async def scenario():
        ledger = Ledger()
        resolving = Resolving(ledger.read)
        outcomes = await asyncio.gather(*(resolving("nobody") for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [NotFound] * 3
        with pytest.raises(NotFound):
            await resolving("nobody")
        assert ledger.readings == 2
        assert resolving._turns == {}

    asyncio.run(scenario())


def test_a_request_that_gives_up_does_not_stop_the_reading_for_the_others():
    async def scenario():
        resolving = Resolving(Ledger().read)
        first, second = (asyncio.ensure_future(resolving("m")) for _ in range(2))
        await asyncio.sleep(0.002)
        first.cancel()
        assert await second == ("m", 0)

    asyncio.run(scenario())
