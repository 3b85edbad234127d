"""Directions found without labels: what they are, for every architecture, and that they do what they say."""

import numpy as np
import pytest
import torch
from seeded import IMAGES, POINTS, generator, network

from gan.directions import FIRST, METHODS, answers, found
from gan.networks.build import ARCHITECTURES, generator_example
from gan.networks.folding import for_serving
from gan.networks.packing import pack

SPECS = [
    network("plain"),
    network("dcgan", IMAGES, "class", 3),
    network("resnet"),
    network("r3", IMAGES, "vector", 2),
    network("mlp", POINTS),
    network("unet", IMAGES, "image", 1),
]


def test_every_architecture_has_a_first_layer() -> None:
    assert {row.generator for row in ARCHITECTURES.values()} == FIRST.keys()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.architecture)
def test_there_are_as_many_as_z_has_numbers_of_length_one_the_strongest_first(spec, method) -> None:
    directions = found(generator(spec), spec.latent_dim, "normal", method)
    assert directions.vectors.shape == (6, 6)
    np.testing.assert_allclose(np.linalg.norm(directions.vectors, axis=1), 1, atol=1e-9)
    assert (np.diff(directions.strengths) <= 0).all()
    assert directions.strengths.sum() == pytest.approx(1)
    assert (directions.vectors.max(axis=1) == np.abs(directions.vectors).max(axis=1)).all()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.architecture)
def test_a_step_along_a_stronger_one_changes_the_first_layer_more_by_as_much_as_it_says(spec) -> None:
    module = generator(spec)
    directions = found(module, spec.latent_dim, "normal", "factorisation")
    steps = torch.from_numpy(directions.vectors).float()
    squares = (answers(module, steps) - answers(module, torch.zeros(1, 6))).flatten(1).square().sum(dim=1).double()
    np.testing.assert_allclose(squares / squares.sum(), directions.strengths, atol=1e-5)
    np.testing.assert_allclose(directions.vectors @ directions.vectors.T, np.eye(6), atol=1e-6)


@pytest.mark.parametrize(("architecture", "method"), [("dcgan", "pca"), ("resnet", "pca"), ("resnet", "factorisation")])
def test_a_generator_that_is_served_has_those_of_the_one_that_was_trained(architecture, method) -> None:
    """But for the weights of a folded layer, which its batch norm has stretched as well."""
    spec = network(architecture)
    trained = found(generator(spec), 6, "normal", method)
    network_served = for_serving(generator(spec))
    pack(network_served, *generator_example(spec))
    served = found(network_served, 6, "normal", method)
    np.testing.assert_allclose(np.abs((trained.vectors * served.vectors).sum(axis=1)), 1, atol=1e-4)


def test_where_nothing_but_products_follow_the_components_are_those_of_the_weights() -> None:
    """r3's first layer is linear; what 1,024 latents show of it is what the weights say, to the sample's own spread."""
    spec = network("r3", width=32)
    module = generator(spec)
    module.linear.weight.data[:] = torch.diag(torch.tensor([9.0, 6, 4, 2.5, 1.5, 1])).repeat(43, 1)[
        : len(module.linear.weight)
    ]
    weights, seen = (found(module, 6, "normal", method) for method in ("factorisation", "pca"))
    np.testing.assert_allclose(np.abs((weights.vectors * seen.vectors).sum(axis=1)), 1, atol=0.02)
    np.testing.assert_allclose(weights.strengths, seen.strengths, atol=0.03)
