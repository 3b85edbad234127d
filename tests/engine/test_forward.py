"""One forward on the device: levels, units, and pictures that do not depend on their company."""

import numpy as np
import pytest
import torch
from seeded import POINTS, generator, network, write_seeded

from gan.checkpoint import load_generator, read_model
from gan.errors import CheckpointCorrupt, Unavailable
from gan.images import to_uint8
from gan.latents import latents
from gan.spec import ImageShape
from service.engine.runtime import Runtime, device_of, levels

LARGE = ImageShape(channels=3, height=32, width=16)


@pytest.fixture(scope="module")
def runtime():
    runtime = Runtime("cpu", 1)
    runtime.start()
    return runtime


@pytest.fixture
def opened(runtime, tmp_path):
    def make(spec, **more):
        written = write_seeded(tmp_path / "model", spec, **more)
        return runtime.open(tmp_path / "model", written.sha256)

    return make


NETWORKS = {
    "r3": network("r3"),
    "r3 rgb": network("r3", LARGE, "class", 3),
    "dcgan": network("dcgan"),
    "dcgan rgb": network("dcgan", LARGE, "class", 3),
    "resnet rgb": network("resnet", LARGE, "class", 3),
    "plain rgb": network("plain", LARGE, "class", 3),
    "mlp points": network("mlp", POINTS, "vector", 3),
}


def conditions(spec, count):
    size = spec.conditioning.size
    return np.random.default_rng(0).random((count, size)).astype(np.float32) if size else None


@pytest.mark.parametrize("spec", NETWORKS.values(), ids=NETWORKS.keys())
def test_what_a_seed_makes_differs_by_at_most_one_level_whatever_is_beside_it_in_the_batch(spec, opened, runtime):
    loaded = opened(spec)
    z, c = latents(range(33), spec.latent_dim), conditions(spec, 33)
    together = runtime.forward(loaded, z, c)
    assert together.std() > 20 or spec.shape.kind == "points"
    for rows in ([0], [7], list(range(5, 21)), list(range(32, -1, -2))):
        alone = runtime.forward(loaded, z[rows], None if c is None else c[rows])
        tolerance = 1 if spec.shape.kind == "images" else 1e-4
        assert np.abs(alone.astype(np.float64) - together[rows]).max() <= tolerance


@pytest.mark.parametrize("spec", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_engine_gives_what_the_network_itself_gives(spec, opened, runtime):
    z, c = latents(range(4), spec.latent_dim), conditions(spec, 4)
    made = runtime.forward(opened(spec, seed=5), z, c)
    with torch.no_grad():
        raw = generator(spec, 5)(torch.from_numpy(z), None if c is None else torch.from_numpy(c)).numpy()
    if spec.shape.kind == "points":
        np.testing.assert_allclose(made, raw * [1, 2] + [10, 20], rtol=1e-5)
        assert made.dtype == np.float32
    else:
        assert np.abs(made.astype(int) - to_uint8(raw)).max() <= 1
        assert made.shape == (4, spec.shape.height, spec.shape.width, spec.shape.channels)


def test_levels_are_those_of_images():
    x = np.random.default_rng(0).uniform(-1.2, 1.2, (4, 3, 9, 7)).astype(np.float32)
    x[0, 0, 0, :4] = [np.nan, np.inf, -np.inf, 0.0]
    np.testing.assert_array_equal(levels(torch.from_numpy(x)), to_uint8(x))


def test_a_changed_missing_or_foreign_file_is_named(runtime, tmp_path):
    written = write_seeded(tmp_path / "model", network())
    data = bytearray((tmp_path / "model").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(CheckpointCorrupt, match="sha256"):
        runtime.open(tmp_path / "model", written.sha256)
    with pytest.raises(CheckpointCorrupt, match="gone"):
        runtime.open(tmp_path / "nothing", written.sha256)


def test_a_device_that_is_not_there_is_named_with_its_setting(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_of("cuda") == "cuda:0"
    assert device_of("auto") == "cuda:0"
    with pytest.raises(Unavailable, match="GANYMEDE_SERVICE_DEVICE is cuda:7; this machine has cpu, cuda:0"):
        device_of("cuda:7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert device_of("auto") == "cpu"


@pytest.mark.parametrize(
    ("cores", "lanes", "alone", "in_company"), [(1, 1, 1, 1), (2, 2, 2, 1), (4, 2, 4, 2), (16, 4, 8, 4), (64, 16, 8, 4)]
)
def test_batches_at_the_same_time_share_the_cores_and_one_alone_has_several(cores, lanes, alone, in_company):
    runtime = Runtime("cpu", cores)
    assert runtime.lanes == lanes
    assert runtime.threads(1) == alone
    assert runtime.threads(lanes) == in_company


def test_forwards_use_the_cores_that_the_process_may_use_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)))
    assert Runtime("cpu", 0).threads(1) == 6
    assert Runtime("cpu", 2).threads(1) == 2


def test_a_network_that_is_read_draws_no_weights_of_its_own_and_lacks_none(tmp_path):
    for spec in NETWORKS.values():
        written = write_seeded(tmp_path / "model", spec)
        _, stored = read_model(tmp_path / "model", written.sha256, lambda _: ("generator.",))
        state = torch.random.get_rng_state()
        found = load_generator(tmp_path / "model", written.sha256).module.state_dict()
        assert torch.equal(torch.random.get_rng_state(), state)
        assert {f"generator.{name}" for name in found} == stored.keys()
        assert all(torch.equal(tensor, stored[f"generator.{name}"]) for name, tensor in found.items())


def test_a_forward_takes_as_many_threads_as_it_may(opened):
    runtime = Runtime("cpu", 2)
    runtime.start()
    loaded, z = opened(network("plain")), latents(range(3), 6)
    seen = []
    loaded.module.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    try:
        for busy in (1, 2, 1):
            runtime.forward(loaded, z, None, busy)
    finally:
        torch.set_num_threads(1)
    assert seen == [2, 1, 2]
