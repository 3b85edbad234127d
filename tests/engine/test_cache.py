"""Generators in memory: loaded once, bounded in bytes, never lost while in use."""

import asyncio
from types import SimpleNamespace

import pytest

from gan.errors import CheckpointCorrupt
from service.engine.cache import Cache
from service.meters import Meters


class Loads:
    """Counts loads; every generator takes 10 bytes. Ids that begin with `bad` cannot be loaded."""

    def __init__(self):
        self.ids = []

    async def __call__(self, checkpoint, ema):
        self.ids.append(checkpoint.id if ema is None else (checkpoint.id, ema))
        await asyncio.sleep(0.001)
        if checkpoint.id.startswith("bad"):
            raise CheckpointCorrupt("gone")
        return SimpleNamespace(bytes=10, id=checkpoint.id)


def checkpoint(id):
    return SimpleNamespace(id=id)


async def use(cache, id):
    async with cache.using(checkpoint(id)) as loaded:
        assert loaded.id == id
        await asyncio.sleep(0)


def test_concurrent_requests_load_a_generator_once():
    async def scenario():
        loads = Loads()
        cache = Cache(loads, 100, Meters())
        await asyncio.gather(*(use(cache, "a") for _ in range(20)))
        await use(cache, "a")
        assert loads.ids == ["a"]
        assert cache.ids == {"a"}
        assert cache.bytes == 10

    asyncio.run(scenario())


def test_the_least_recently_used_leaves_when_room_is_needed():
    async def scenario():
        loads = Loads()
        cache = Cache(loads, 20, Meters())
        for id in ("a", "b", "a", "c"):
            await use(cache, id)
        assert cache.ids == {"a", "c"}
        await use(cache, "b")
        assert cache.ids == {"b", "c"}
        assert loads.ids == ["a", "b", "c", "b"]

    asyncio.run(scenario())


def test_a_generator_in_use_never_leaves_even_beyond_the_bound():
    async def scenario():
        cache = Cache(Loads(), 15, Meters())
        async with cache.using(checkpoint("a")), cache.using(checkpoint("b")):
            await use(cache, "c")
            assert cache.ids == {"a", "b"}
            assert cache.bytes == 20
        assert cache.ids == {"a"}

    asyncio.run(scenario())


def test_a_generator_larger_than_the_bound_is_served_and_let_go():
    async def scenario():
        cache = Cache(Loads(), 5, Meters())
        await use(cache, "a")
        assert cache.ids == frozenset()

    asyncio.run(scenario())


def test_a_failed_load_is_told_to_all_who_asked_and_tried_anew_by_the_next():
    async def scenario():
        loads = Loads()
        cache = Cache(loads, 100, Meters())
        outcomes = await asyncio.gather(*(use(cache, "bad") for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [CheckpointCorrupt] * 3
        with pytest.raises(CheckpointCorrupt):
            await use(cache, "bad")
        assert loads.ids == ["bad", "bad"]
        assert cache.ids == frozenset()

    asyncio.run(scenario())


def test_a_request_that_gives_up_does_not_stop_the_load_for_the_others():
    async def scenario():
        loads = Loads()
        cache = Cache(loads, 100, Meters())
        first = asyncio.create_task(use(cache, "a"))
        second = asyncio.create_task(use(cache, "a"))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert loads.ids == ["a"]
        assert cache._entries["a", None].users == 0

    asyncio.run(scenario())


def test_every_average_of_a_checkpoint_is_a_generator_of_its_own():
    async def scenario():
        loads = Loads()
        cache = Cache(loads, 20, Meters())
        for ema in (None, 400.0, None, 400.0):
            async with cache.using(checkpoint("a"), ema):
                pass
        assert loads.ids == ["a", ("a", 400.0)]
        assert (cache.ids, cache.bytes) == ({"a"}, 20)
        await use(cache, "b")
        async with cache.using(checkpoint("a"), 400.0):
            pass
        assert loads.ids == ["a", ("a", 400.0), "b"], "the default average, least recently used, has left"

    asyncio.run(scenario())
