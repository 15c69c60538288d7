"""The controller of ENAS: what it draws, that it learns, what it keeps."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.controllers.policy_gradient.attention_policy import AttentionPolicy, PolicySettings, _several
from alphaxenas.spaces.macro import MACRO_OPERATIONS, MacroSpace
from alphaxenas.spaces.micro import MicroSpace

SPACES = {"micro": MicroSpace(1, ("sep3x3", "identity", "maxpool3x3")), "macro": MacroSpace(3)}


def policy_of(name, seed=0, **settings):
    return AttentionPolicy(SPACES[name], seed, PolicySettings(**{"units": 8, **settings}))


@functools.cache
def untrained(name):
    return policy_of(name)


@pytest.mark.parametrize("name", SPACES)
def test_every_sequence_is_legal_and_complete(name):
    space = SPACES[name]
    for tokens in untrained(name).sample(50):
        assert space.encode(space.decode(tokens)) == tokens


@pytest.mark.parametrize("name", SPACES)
def test_log_probabilities_recomputed_equal_those_at_sampling(name):
    policy = untrained(name)
    sequences = policy.sample(20)
    again = policy.evaluate(sequences.tokens)
    np.testing.assert_allclose(again.log_probabilities, sequences.log_probabilities, rtol=1e-5)
    np.testing.assert_allclose(again.entropies, sequences.entropies, rtol=1e-5)
    assert (sequences.log_probabilities < 0).all() and (sequences.entropies > 0).all()


def test_probabilities_of_all_sequences_sum_to_one():
    space = MicroSpace(1, ("sep3x3", "identity"))
    policy = AttentionPolicy(space, 3, PolicySettings(units=4))
    tokens = np.stack(np.meshgrid(*space.legal_at[:-1], indexing="ij"), -1).reshape(-1, space.max_length)
    assert len(tokens) == space.size()
    assert np.exp(policy.evaluate(tokens).log_probabilities).sum() == pytest.approx(1.0, rel=1e-4)
    policy = AttentionPolicy(MacroSpace(2), 3, PolicySettings(units=4))
    tokens = np.stack(np.meshgrid(*MacroSpace(2).legal_at[:-1], indexing="ij"), -1).reshape(-1, 3)
    assert np.exp(policy.evaluate(tokens).log_probabilities).sum() == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("name", SPACES)
def test_it_learns_which_operation_pays(name):
    policy, space = (
        policy_of(name, learning_rate=0.03, skip_weight=0.0, baseline_decay=0.8, tanh_constant=2.5),
        SPACES[name],
    )

    def reward(tokens):
        return str(space.decode(tokens)).count("sep3x3") / (4 * space.blocks if name == "micro" else space.layers)

    before = np.mean([reward(tokens) for tokens in policy.sample(100)])
    for _ in range(40):
        sequences = policy.sample(10)
        found = policy.learn(sequences, [reward(tokens) for tokens in sequences])
    after = np.mean([reward(tokens) for tokens in policy.sample(100)])
    assert after > before + 0.25
    assert set(found) >= {"reward", "baseline", "entropy", "log_probability", "advantage", "gradient_norm"}


def test_it_learns_which_input_pays():
    space = MicroSpace(2, ("identity",))
    policy = AttentionPolicy(
        space, 0, PolicySettings(units=8, learning_rate=0.03, baseline_decay=0.8, tanh_constant=2.5)
    )

    def reward(tokens):
        return np.mean([source >= 2 for cell in space.decode(tokens).cells for row in cell.rows for source in row[:2]])

    before = np.mean([reward(tokens) for tokens in policy.sample(100)])
    for _ in range(40):
        sequences = policy.sample(10)
        policy.learn(sequences, [reward(tokens) for tokens in sequences])
    assert np.mean([reward(tokens) for tokens in policy.sample(100)]) > before + 0.15


@pytest.mark.parametrize("target", [0.1, 0.8])
def test_the_skip_penalty_draws_the_share_of_skips_to_its_target(target):
    policy = policy_of("macro", learning_rate=0.03, skip_target=target)
    for _ in range(40):
        sequences = policy.sample(4)
        found = policy.learn(sequences, [0.5] * 4)
    tokens = policy.sample(200).tokens
    decisions = tokens[tokens >= len(MACRO_OPERATIONS)] - len(MACRO_OPERATIONS)
    assert decisions.mean() == pytest.approx(target, abs=0.12)
    assert found["skip_penalty"] < 0.2


def test_the_skip_penalty_is_the_divergence_from_the_target():
    scores, target = np.array([[0.3, -0.7]], np.float32), 0.4
    *_, penalty = _several(tf.constant(scores), None, tf.constant([[0.5, 0.5]]), target)
    p = 1 / (1 + np.exp(-2 * scores))
    assert penalty.numpy()[0] == pytest.approx(
        (p * np.log(p / target) + (1 - p) * np.log((1 - p) / (1 - target))).sum(), rel=1e-5
    )


def test_the_baseline_is_the_moving_average_of_the_rewards():
    policy = policy_of("macro", baseline_decay=0.9)
    for reward in (0.2, 0.4, 0.8):
        policy.learn(policy.sample(2), [reward, reward])
    assert policy.baseline == pytest.approx(0.9 * (0.9 * 0.2 + 0.1 * 0.4) + 0.1 * 0.8)


def test_temperature_and_tanh_constant_flatten():
    entropies = {}
    for name, settings in {
        "flat": {"tanh_constant": 0.1},
        "hot": {"temperature": 50.0},
        "free": {"tanh_constant": 0.0, "temperature": 1e-4},
    }.items():
        entropies[name] = policy_of("micro", **settings).sample(50).entropies.mean()
    uniform = sum(np.log(len(legal)) for legal in SPACES["micro"].legal_at[:-1])
    assert entropies["flat"] == pytest.approx(uniform, rel=1e-2) and entropies["hot"] == pytest.approx(
        uniform, rel=1e-2
    )
    assert entropies["free"] < 0.95 * uniform


def test_the_entropy_bonus_keeps_the_policy_open():
    found = {}
    for weight in (0.0, 1.0):
        policy = policy_of("macro", learning_rate=0.03, entropy_weight=weight, skip_weight=0.0)
        for _ in range(30):
            sequences = policy.sample(6)
            policy.learn(sequences, [str(SPACES["macro"].decode(tokens)).count("sep3x3") / 3 for tokens in sequences])
        found[weight] = policy.sample(50).entropies.mean()
    assert found[1.0] > found[0.0]


def test_clipping_clips():
    policy = policy_of("macro", gradient_clip=1e-3)
    norm = policy.learn(policy.sample(4), [0.0, 1.0, 1.0, 0.0])["gradient_norm"]
    # Adam's second moment shows the gradient as it was used.
    assert norm > 1e-3 and np.sqrt(policy.state()["optimizer"]["second"][0].sum() / 1e-3) == pytest.approx(
        1e-3, rel=1e-3
    )


def test_state_continues_bit_for_bit():
    one, other = policy_of("micro"), policy_of("micro", seed=7)
    one.learn(one.sample(4), [0.1, 0.2, 0.3, 0.4])
    other.restore(one.state())
    for policy in (one, other):
        policy.learn(policy.sample(4), [0.4, 0.2, 0.3, 0.1])
    np.testing.assert_array_equal(one.parameters, other.parameters)
    np.testing.assert_array_equal(one.sample(5).tokens, other.sample(5).tokens)
    assert one.baseline == other.baseline


@pytest.mark.parametrize(
    "name, value",
    [
        ("units", 0),
        ("temperature", 0.0),
        ("tanh_constant", -1.0),
        ("learning_rate", 0.0),
        ("baseline_decay", 1.0),
        ("skip_target", 1.0),
        ("entropy_weight", -1.0),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        PolicySettings(**{name: value})
