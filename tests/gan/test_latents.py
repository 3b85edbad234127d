"""The seed contract, held to golden values and to an independent Philox; truncation and walks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.latents import (
    LABEL_STREAM,
    LATENT_STREAM,
    circle,
    draw_condition,
    draw_label,
    latent,
    latents,
    lerp,
    logarithm,
    path,
    slerp,
    truncate,
    walk,
    words,
)
from gan.spec import MAX_SEED

MASK = 2**64 - 1
seeds = st.integers(0, MAX_SEED)


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox-4x64-10 by the paper: ten rounds of two 64×64 → 128-bit products, the key bumped between rounds."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p, q = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (q >> 64) ^ c1 ^ k0, q & MASK, (p >> 64) ^ c3 ^ k1, p & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(
    ("counter", "key", "output"),
    [
        ([0] * 4, [0] * 2, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        ([MASK] * 4, [MASK] * 2, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    ],
)
def test_the_independent_philox_gives_the_published_test_vectors(counter, key, output):
    assert philox(counter, key) == [int(word, 16) for word in output.split()]


@settings(max_examples=50, deadline=None)
@given(seed=seeds, stream=st.integers(0, 3), blocks=st.integers(1, 5))
def test_words_are_philox_blocks_at_the_counters_from_one_on(seed, stream, blocks):
    expected = [word for block in range(1, blocks + 1) for word in philox([block, 0, 0, 0], [seed, stream])]
    assert words(seed, stream, 4 * blocks).tolist() == expected


def test_words_have_their_golden_values():
    golden = [0xD1F8817D4D62880E, 0x307266B65CC8797E, 0xDE1F04E7F084ED03, 0x65034A8E78CD1E59]
    assert words(42, LATENT_STREAM, 4).tolist() == golden


GOLDEN_NORMAL = {
    0: [0.15853384137153625, 2.982879400253296, -1.9256919622421265, -0.8249255418777466],
    42: [0.23454992473125458, 0.5842987298965454, -0.4201588034629822, 0.32768186926841736],
    MAX_SEED: [0.1636718511581421, 0.35691893100738525, -0.975475549697876, 0.08317265659570694],
}
GOLDEN_UNIFORM = {
    0: [-0.9769065380096436, -0.5169016122817993, -0.7771483659744263, 0.1288292407989502],
    MAX_SEED: [0.8516134023666382, -0.6368595361709595, 0.23851370811462402, -0.027074813842773438],
}


@pytest.mark.parametrize("seed", GOLDEN_NORMAL)
def test_normal_latents_have_their_golden_values_bit_for_bit(seed):
    assert latent(seed, 4).tolist() == GOLDEN_NORMAL[seed]


@pytest.mark.parametrize("seed", GOLDEN_UNIFORM)
def test_uniform_latents_have_their_golden_values_bit_for_bit(seed):
    assert latent(seed, 4, "uniform").tolist() == GOLDEN_UNIFORM[seed]


def test_labels_and_conditions_have_their_golden_values():
    assert [draw_label(seed, [178, 182, 177, 183, 181]) for seed in range(12)] == [4, 0, 2, 3, 4, 3, 2, 4, 3, 0, 3, 2]
    assert [draw_condition(seed, 1000) for seed in range(6)] == [814, 309, 669, 768, 764, 846]


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_normal_latents_are_box_muller_over_the_words(seed):
    block = philox([1, 0, 0, 0], [seed, LATENT_STREAM])
    radius = math.sqrt(-2 * math.log(((block[0] >> 11) + 1) * 2.0**-53))
    turn = 2 * math.pi * (block[1] >> 11) * 2.0**-53
    np.testing.assert_allclose(
        latent(seed, 2), [radius * math.cos(turn), radius * math.sin(turn)], rtol=3e-7, atol=1e-7
    )


@settings(max_examples=30, deadline=None)
@given(seed=seeds, counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_labels_are_drawn_in_exact_integers_by_frequency(seed, counts):
    ticket = philox([1, 0, 0, 0], [seed, LABEL_STREAM])[0] * sum(counts) >> 64
    everyone = (label for label, count in enumerate(counts) for _ in [0] * bool(count))
    expected = next(label for label in everyone if ticket < sum(counts[: label + 1]))
    assert draw_label(seed, counts) == expected


def test_logarithm_and_circle_are_accurate_over_their_whole_range():
    u = np.concatenate(
        [(words(1, 9, 5000) >> np.uint64(11)) * 2.0**-53 + 2.0**-53, [2.0**-53, 0.5, math.sqrt(0.5), 1.0]]
    )
    turn = np.concatenate(
        [(words(2, 9, 5000) >> np.uint64(11)) * 2.0**-53, [0.0, 0.125, 0.25, 0.5, 0.75, 1 - 2.0**-53]]
    )
    np.testing.assert_allclose(logarithm(u), np.log(u), rtol=1e-15, atol=0)
    cosine, sine = circle(turn)
    np.testing.assert_allclose(cosine, np.cos(2 * np.pi * turn), rtol=0, atol=2e-15)
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * turn), rtol=0, atol=2e-15)


@settings(max_examples=30, deadline=None)
@given(chosen=st.lists(seeds, min_size=1, max_size=6), dim=st.integers(1, 9), uniform=st.booleans())
def test_a_latent_depends_on_its_own_seed_alone(chosen, dim, uniform):
    distribution = "uniform" if uniform else "normal"
    together = latents(chosen, dim, distribution)
    assert together.dtype == np.float32
    assert together.shape == (len(chosen), dim)
    for row, seed in zip(together, chosen, strict=True):
        assert row.tobytes() == latent(seed, dim, distribution).tobytes()


def test_a_longer_latent_begins_with_the_shorter_one():
    assert latent(3, 7).tolist() == latent(3, 64).tolist()[:7]


def test_normal_latents_have_zero_mean_and_unit_variance_and_no_correlation():
    z = latents(range(20_000), 3)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.04)


def test_uniform_latents_fill_the_half_open_interval():
    z = latents(range(20_000), 2, "uniform")
    assert z.min() >= -1
    assert z.max() < 1
    np.testing.assert_allclose([z.mean(), z.var()], [0, 1 / 3], atol=0.01)


def test_labels_follow_the_frequencies_and_an_empty_class_is_never_drawn():
    drawn = np.bincount([draw_label(seed, [1, 0, 3]) for seed in range(4000)], minlength=3)
    assert drawn[1] == 0
    assert abs(drawn[2] / 4000 - 0.75) < 0.03


def test_truncation_scales_and_one_changes_nothing():
    z = latents([1, 2], 8)
    assert truncate(z, 1.0).tobytes() == z.tobytes()
    assert not truncate(z, 0.0).any()
    np.testing.assert_array_equal(truncate(z, 0.5), z / 2)


# ---- walks -----------------------------------------------------------------------------------------------------------


def vectors(dim):
    return st.integers(0, 10**6).map(lambda seed: latent(seed, dim).astype(np.float64))


@settings(max_examples=50, deadline=None)
@given(a=vectors(5), b=vectors(5), t=st.floats(0, 1))
def test_slerp_keeps_lengths_between_those_of_its_ends_and_stays_in_their_plane(a, b, t):
    middle = slerp(a, b, t)
    ends = sorted([np.linalg.norm(a), np.linalg.norm(b)])
    assert ends[0] - 1e-9 <= np.linalg.norm(middle) <= ends[1] + 1e-9
    assert np.linalg.matrix_rank(np.stack([a, b, middle]), tol=1e-6) <= 2


def test_slerp_turns_a_right_angle_at_constant_speed():
    a, b = np.array([2.0, 0.0]), np.array([0.0, 2.0])
    thirds = [slerp(a, b, t) for t in (0, 1 / 3, 2 / 3, 1)]
    expected = [[2 * math.cos(x), 2 * math.sin(x)] for x in (0, math.pi / 6, math.pi / 3, math.pi / 2)]
    np.testing.assert_allclose(thirds, expected, atol=1e-12)


def test_slerp_between_parallel_vectors_is_the_straight_line():
    a = np.array([1.0, 2.0, 2.0])
    np.testing.assert_allclose(slerp(a, 3 * a, 0.5), 2 * a)
    np.testing.assert_array_equal(slerp(a, a, 0.3), a)


def test_slerp_between_opposite_vectors_turns_and_never_passes_through_zero():
    a = np.array([3.0, 0.0, 4.0])
    way = np.array([slerp(a, -a, t) for t in np.linspace(0, 1, 9)])
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 5)
    np.testing.assert_allclose(way[[0, -1]], [a, -a], atol=1e-12)
    np.testing.assert_allclose(way[4] @ a, 0, atol=1e-12)


def test_slerp_with_a_zero_vector_or_in_one_dimension_is_the_straight_line():
    a = np.array([1.0, -2.0])
    np.testing.assert_array_equal(slerp(a, 0 * a, 0.25), lerp(a, 0 * a, 0.25))
    np.testing.assert_array_equal(slerp(a[:1], -a[:1], 0.5), [0.0])


@settings(max_examples=100, deadline=None)
@given(
    keyframes=st.integers(2, 9),
    more=st.integers(0, 40),
    loop=st.booleans(),
    easing=st.sampled_from(["linear", "ease_in_out"]),
)
def test_a_walk_has_every_keyframe_once_and_evenly_spread(keyframes, more, loop, easing):
    frames = keyframes + more
    steps = walk(keyframes, frames, easing, loop)
    hits = [i for i, (_, _, t) in enumerate(steps) if t == 0]
    assert len(steps) == frames
    assert [steps[i][0] for i in hits] == list(range(keyframes))
    assert hits[0] == 0
    gaps = np.diff([*hits, frames] if loop else hits)
    assert gaps.max() - gaps.min() <= 1
    assert loop or hits[-1] == frames - 1


def test_a_loop_turns_back_to_the_first_keyframe_and_leaves_the_repeat_out():
    assert walk(2, 4, loop=True) == [(0, 1, 0.0), (0, 1, 0.5), (1, 0, 0.0), (1, 0, 0.5)]


def test_easing_starts_and_ends_slowly_and_meets_the_line_half_way():
    eased = [t for _, _, t in walk(2, 5, "ease_in_out")]
    assert eased == [0.0, 0.15625, 0.5, 0.84375, 0.0]


@pytest.mark.parametrize("method", ["slerp", "lerp"])
def test_a_path_goes_through_its_keyframes_bit_for_bit(method):
    keyframes = latents([5, 6, 7], 16)
    frames = path(keyframes, 9, method)
    assert frames.dtype == np.float32
    assert frames[[0, 4, 8]].tobytes() == keyframes.tobytes()
    assert len(np.unique(frames, axis=0)) == 9


def test_one_hot_labels_walk_through_their_mixtures():
    mixtures = path(np.eye(3, dtype=np.float32)[[2, 0]], 3, "lerp")
    np.testing.assert_array_equal(mixtures, [[0, 0, 1], [0.5, 0, 0.5], [1, 0, 0]])
