"""From an image back to its latent: what a generator made is found again, under the right class."""

import pytest
import torch
from seeded import IMAGES, generator, network

from gan.latents import latents
from gan.networks.build import build_discriminator
from gan.projection import Players, Search, hidden, project

QUICK = Search(steps=60, starts=2, candidates=64)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def players(spec) -> Players:
    made, judge = generator(spec, 1), build_discriminator(spec, 1)
    return Players(made.requires_grad_(False), judge.eval().requires_grad_(False), spec.latent_dim,
                   spec.latent_distribution)  # fmt: skip


def rmse(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).square().flatten(1).mean(dim=1).sqrt()


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("architecture", ["plain", "dcgan", "resnet", "r3", "mlp"])
def test_what_a_generator_made_is_found_again_nearer_than_any_random_sample(architecture, distribution) -> None:
    spec = network(architecture, latent_distribution=distribution)
    pair = players(spec)
    z = torch.from_numpy(latents(range(900, 903), 6, distribution))
    targets = pair.generator(z, None)
    shares: list[float] = []
    found = project(pair, targets, None, None, QUICK, shares.append)
    assert found.latents.shape == (3, 6)
    assert torch.equal(found.pictures, pair.generator(found.latents, None))
    random = pair.generator(torch.from_numpy(latents(range(5000, 7000), 6, distribution)), None)
    nearest = torch.stack([rmse(random, target.expand_as(random)).min() for target in targets])
    assert (rmse(found.pictures, targets) < 0.7 * nearest).all()
    if distribution == "uniform":
        assert found.latents.abs().max() <= 1
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1


def test_the_class_is_found_where_none_is_given_and_kept_where_one_is() -> None:
    spec = network("plain", IMAGES, "class", 3)
    pair, every = players(spec), torch.eye(3)
    z = torch.from_numpy(latents(range(900, 906), 6))
    truth = torch.tensor([0, 1, 2, 2, 1, 0])
    targets = pair.generator(z, every[truth])
    found = project(pair, targets, None, every, Search(steps=60, starts=4, candidates=96), lambda _: None)
    assert found.conditions is not None
    assert (found.conditions.argmax(dim=1) == truth).sum() >= 5
    kept = project(pair, targets, every[[1] * 6], every, QUICK, lambda _: None)
    assert kept.conditions is not None
    assert (kept.conditions.argmax(dim=1) == 1).all()


def test_the_same_search_finds_the_same_and_does_not_depend_on_its_company() -> None:
    pair = players(network("plain"))
    targets = pair.generator(torch.from_numpy(latents(range(900, 904), 6)), None)
    first, again = (project(pair, targets, None, None, QUICK, lambda _: None) for _ in range(2))
    assert torch.equal(first.latents, again.latents)
    alone = project(pair, targets[2:3], None, None, QUICK, lambda _: None)
    assert torch.allclose(alone.latents, first.latents[2:3], atol=0.05)


def test_it_ends_where_it_is_told_to() -> None:
    class Enough(Exception):
        pass

    def tell(share: float) -> None:
        if share > 0.5:
            raise Enough

    pair = players(network("plain"))
    with pytest.raises(Enough):
        project(pair, torch.zeros(1, 1, 8, 8), None, None, QUICK, tell)


def test_hidden_layers_are_all_with_weights_but_the_logits_and_the_embeddings() -> None:
    judge = build_discriminator(network("plain", IMAGES, "class", 3))
    assert list(hidden(judge)) == list(judge.down)
    paired = build_discriminator(network("unet", IMAGES, "image", 2))
    assert len(list(hidden(paired))) > 5
    layered = build_discriminator(network("mlp", IMAGES, "vector", 3))
    assert list(hidden(layered)) == list(layered.hidden)
