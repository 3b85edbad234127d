"""The engine as the service uses it: up at once, ready later, many requests on one thread, and over when closed."""

import asyncio
import threading
from contextlib import asynccontextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from seeded import network, write_seeded

from gan.errors import CheckpointCorrupt, Unavailable
from gan.latents import latents
from ledger.settings import Settings
from ledger.storage import Storage
from service.engine.engine import Engine
from service.meters import Meters


@pytest.fixture
def stored(tmp_path):
    """A storage with checkpoints `a` and `b` of one network, and settings for it."""
    settings = Settings(data=tmp_path, service_device="cpu", service_threads=1)
    storage = Storage(settings.storage)
    made = {}
    for seed, id in enumerate("ab"):
        written = write_seeded(storage.path(f"checkpoints/m/{id}"), network(), seed)
        made[id] = SimpleNamespace(id=id, path=f"checkpoints/m/{id}", sha256=written.sha256)
    return SimpleNamespace(settings=settings, storage=storage, **made)


@asynccontextmanager
async def open_engine(stored, **changes):
    engine = Engine(stored.settings.model_copy(update=changes), stored.storage, Meters())
    engine.start()
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("forward", "load", "encode"))]


async def sample(engine, checkpoint, seeds):
    async with engine.generator(checkpoint) as loaded:
        return (await engine.sample(loaded, latents(seeds, 6), None)).values


def test_a_request_waits_for_the_engine_to_get_ready_and_is_then_served(stored):
    async def scenario():
        async with open_engine(stored) as engine:
            assert engine.state in {"loading", "ready"}
            values = await sample(engine, stored.a, [1, 2])
            assert engine.state == "ready"
            assert engine.loaded() == {"a"}
            return values

    values = asyncio.run(scenario())
    assert values.shape == (2, 8, 8, 1)
    assert values.dtype == np.uint8


def test_many_requests_for_several_checkpoints_at_once_all_get_their_own_pictures(stored):
    async def scenario():
        async with open_engine(stored) as engine:
            alone = {id: [(await sample(engine, getattr(stored, id), [seed]))[0] for seed in range(8)] for id in "ab"}
            asked = [(id, list(range(start, 8))) for start in range(8) for id in "ab"]
            answers = await asyncio.gather(*(sample(engine, getattr(stored, id), seeds) for id, seeds in asked))
            for (id, seeds), pictures in zip(asked, answers, strict=True):
                expected = np.stack([alone[id][seed] for seed in seeds])
                assert np.abs(pictures.astype(int) - expected).max() <= 1
            assert np.abs(alone["a"][0].astype(int) - alone["b"][0]).max() > 20

    asyncio.run(scenario())


def test_a_damaged_file_is_refused_and_the_model_that_served_before_still_serves(stored):
    async def scenario():
        async with open_engine(stored) as engine:
            before = await sample(engine, stored.a, [1])
            stored.storage.path(stored.b.path).write_bytes(b"nonsense")
            with pytest.raises(CheckpointCorrupt, match="sha256"):
                await sample(engine, stored.b, [1])
            assert (await sample(engine, stored.a, [1])).tobytes() == before.tobytes()
            assert engine.loaded() == {"a"}

    asyncio.run(scenario())


def test_a_device_that_is_not_there_is_said_in_one_line_and_to_every_request(stored, caplog):
    async def scenario():
        async with open_engine(stored, service_device="cuda:9") as engine:
            for _ in range(2):
                with pytest.raises(Unavailable, match="GANYMEDE_SERVICE_DEVICE is cuda:9; this machine has cpu"):
                    await sample(engine, stored.a, [1])
            assert engine.state == "failed"

    asyncio.run(scenario())
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_the_event_loop_stays_free_while_models_load_and_forwards_run(stored):
    async def scenario():
        async with open_engine(stored) as engine:
            await sample(engine, stored.a, [1])
            late = []
            work = asyncio.gather(*(sample(engine, stored.b, range(200)) for _ in range(4)))
            while not work.done():
                began = asyncio.get_running_loop().time()
                await asyncio.sleep(0.001)
                late.append(asyncio.get_running_loop().time() - began)
            await work
            assert len(late) > 10
            assert sorted(late)[len(late) // 2] < 0.1

    asyncio.run(scenario())


def test_the_bound_on_memory_is_a_setting(stored):
    async def scenario():
        async with open_engine(stored, max_loaded_bytes=1) as engine:
            await sample(engine, stored.a, [1])
            assert engine.loaded() == frozenset()

    asyncio.run(scenario())
