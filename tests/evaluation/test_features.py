"""Features: the untrained ones are the same for ever and see what they should; Inception's come from a safe file."""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from evaluation_kit import stripes
from safetensors.torch import save_file

from gan.errors import ExtractorUnusable
from worker.evaluation import inception
from worker.evaluation.distances import frechet
from worker.evaluation.features import RandomFeatures, extractor, filters, premultiplied, stages
from worker.evaluation.inception import Inception, load_inception, resized

CPU = torch.device("cpu")
GOLDEN_WEIGHTS = "6270496e1b0e9313f73017492687930c52b32de8db995d8a2f6dec64e43450b1"
GOLDEN_FIRST = [-0.300073504447937, -0.20597702264785767, 0.08257227391004562]
GOLDEN_FEATURES = [-0.07228, -0.086561, -0.096659, 0.091421, 0.479745, 0.090013]


def levels(count: int, **more: int) -> torch.Tensor:
    return torch.from_numpy(stripes(count, **more).transpose(0, 3, 1, 2).copy())


# ---- untrained ----


def test_weights_are_these_for_ever() -> None:
    """Another weight would be another extractor, whose figures do not compare: it would need another name."""
    drawn = b"".join(
        tensor.numpy().tobytes() for stage in range(7) for tensor in filters(stage, 16 if stage else 4, CPU)
    )
    assert hashlib.sha256(drawn).hexdigest() == GOLDEN_WEIGHTS
    assert filters(0, 4, CPU)[0].flatten()[:3].tolist() == pytest.approx(GOLDEN_FIRST, rel=1e-6)


def test_features_of_a_known_image_are_these() -> None:
    ramp = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8) * 4
    found = RandomFeatures()(ramp)
    assert found.shape == (1, 96)
    assert found[0, ::19].tolist() == pytest.approx(GOLDEN_FEATURES, abs=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "count", "features"),
    [(8, 8, 2, 96), (16, 8, 2, 96), (17, 30, 3, 112), (32, 32, 4, 128), (64, 64, 5, 144), (256, 256, 7, 176)],
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_size_and_kind_of_image_has_features(
    height: int, width: int, count: int, features: int, channels: int
) -> None:
    assert stages(height, width) == count
    found = RandomFeatures()(torch.randint(0, 256, (2, channels, height, width), dtype=torch.uint8))
    assert found.shape == (2, features)
    assert found.isfinite().all()


def test_distance_grows_with_what_is_done_to_images() -> None:
    features = extractor(None, CPU)
    real = features(levels(500))
    found = [frechet(real, features(levels(500, seed=1, noise=noise))) for noise in (60, 90, 120, 150)]
    assert found == sorted(found)
    assert found[0] < 0.2 * found[1]


def test_what_is_transparent_has_no_colour_and_opaque_images_need_no_alpha() -> None:
    rgb = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    opaque, clear = (torch.cat([rgb, torch.full((1, 1, 8, 8), a, dtype=torch.uint8)], dim=1) for a in (255, 0))
    assert torch.equal(premultiplied(opaque), premultiplied(rgb))
    assert torch.equal(premultiplied(clear), torch.full((1, 4, 8, 8), -1.0))
    grey = rgb[:, :1]
    assert torch.equal(premultiplied(grey), premultiplied(grey.expand(-1, 3, -1, -1)))


def test_features_do_not_depend_on_the_other_images_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    images = levels(20)
    whole = extractor(None, CPU)(images)
    monkeypatch.setattr("worker.evaluation.features.PIXELS_AT_ONCE", 200)
    calls: list[None] = []
    parts = extractor(None, CPU)(images, lambda: calls.append(None))
    assert torch.allclose(whole, parts, atol=1e-6)
    assert len(calls) == 7


# ---- Inception ----


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Inception:
    monkeypatch.setattr(inception, "SIDE", 75)
    torch.manual_seed(0)
    return Inception()


def test_weights_come_from_safetensors_or_from_a_state_dict(network: Inception, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in network.state_dict().items() if "num_batches" not in name}
    save_file(state, tmp_path / "weights.safetensors")
    torch.save(state, tmp_path / "weights.pth")
    images = torch.randint(0, 256, (2, 4, 20, 30), dtype=torch.uint8)
    first = extractor(tmp_path / "weights.safetensors", CPU)
    assert (first.named.name, first.named.comparable) == ("inception-v3-2048", True)
    assert first(images).shape == (2, 2048)
    assert torch.equal(first(images), extractor(tmp_path / "weights.pth", CPU)(images))
    assert first(images).std() > 0


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run_it(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"fc.weight": Trap()}, protocol=2))
    torch.save({"fc.weight": Trap()}, tmp_path / "zipped.pth")
    for name in ("trap.pth", "zipped.pth"):
        with pytest.raises(ExtractorUnusable, match=name) as caught:
            load_inception(tmp_path / name)
        assert caught.value.param == "GANYMEDE_INCEPTION_WEIGHTS"
    assert not (tmp_path / "sprung").exists()


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("other.safetensors", "text.safetensors", "list.pth", "absent.pth"):
        with pytest.raises(ExtractorUnusable, match=name):
            load_inception(tmp_path / name)


def test_images_are_resized_as_tensorflow_1_did() -> None:
    """Pixel i of the result lies at i · H / side: corners stay, and the last pixels repeat the edge."""
    ramp = torch.tensor([[[[0.0, 10.0]]]])
    assert resized(ramp, 4)[0, 0, 0].tolist() == [0, 5, 10, 10]
    image = torch.rand(1, 3, 5, 7)
    assert torch.allclose(resized(image, 35)[:, :, ::7, ::5], image, atol=1e-6)


def test_the_network_has_as_many_numbers_as_the_papers() -> None:
    with torch.device("meta"):
        counted = sum(p.numel() for name, p in Inception().named_parameters() if not name.startswith("fc"))
    assert counted == 21_785_568  # 23.8 million with a layer of 1,000 classes
