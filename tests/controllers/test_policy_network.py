"""The recurrent policy: its cells against their published equations, its derivative against differences, its
probabilities.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from alphaxenas.controllers.policy_gradient.policy_network import PolicyNetwork
from alphaxenas.controllers.policy_gradient.recurrent_cell import CELLS, lstm_forward, nas_forward

VOCABULARY, LENGTH = 5, 4
CELL_NAMES = pytest.mark.parametrize("cell", CELLS)


def legal_actions(tokens):
    """Token sequences of up to four tokens; token 3 ends a sequence, the second token is 1 or 3, token 4 is never
    legal.
    """
    if len(tokens) == LENGTH or (tokens and tokens[-1] == 3):
        return ()
    return (1, 3) if len(tokens) == 1 else (0, 1, 2, 3)


def network(cell="lstm", spread=0.4, **settings):
    found = PolicyNetwork(VOCABULARY, LENGTH, cell, 7, seed=3, **settings)
    found.parameters += np.random.default_rng(0).normal(0, spread, found.parameters.shape)
    return found


def all_sequences(prefix=()):
    actions = legal_actions(prefix)
    return (
        [prefix] if not actions else [sequence for action in actions for sequence in all_sequences((*prefix, action))]
    )


def test_nascell_is_the_published_cell():
    """One unit, number by number, as figure 8 of Zoph & Le 2017 and the implementation published with it have it."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, m, c = rng.normal(0, 1.5, 8), rng.normal(0, 1.5, 8), rng.normal()
        gate = lambda value: 1 / (1 + math.exp(-value))  # noqa: E731
        leaves = [
            gate(x[0] + m[0]),
            max(x[1] + m[1], 0),
            gate(x[2] + m[2]),
            max(x[3] * m[3], 0),
            math.tanh(x[4] + m[4]),
            gate(x[5] + m[5]),
            math.tanh(x[6] + m[6]),
            gate(x[7] + m[7]),
        ]
        first = math.tanh(math.tanh(leaves[0] * leaves[1]) + c)
        second, third, fourth = (
            math.tanh(leaves[2] + leaves[3]),
            math.tanh(leaves[4] * leaves[5]),
            gate(leaves[6] + leaves[7]),
        )
        output, memory, _ = nas_forward(x[None], m[None], np.array([[c]]))
        assert memory[0, 0] == pytest.approx(first * second, abs=1e-12)
        assert output[0, 0] == pytest.approx(math.tanh(first * second * math.tanh(third + fourth)), abs=1e-12)


def test_lstm_is_that_of_keras():
    keras = pytest.importorskip("keras")
    layer, rng = keras.layers.LSTMCell(3), np.random.default_rng(1)
    kernel, recurrent, bias = rng.normal(size=(2, 12)), rng.normal(size=(3, 12)), rng.normal(size=12)
    inputs, output, memory = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    layer.build((4, 2))
    order = np.r_[0:3, 6:9, 3:6, 9:12]  # Keras has the branches in the order i, f, g, o
    layer.set_weights([kernel[:, order], recurrent[:, order], bias[order]])
    expected, (_, expected_memory) = layer(inputs, [output, memory])
    found, found_memory, _ = lstm_forward(inputs @ kernel, output @ recurrent + bias, memory)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found_memory, expected_memory, atol=1e-5)


@CELL_NAMES
@pytest.mark.parametrize("settings", [{}, {"tanh_constant": 2.5}], ids=["plain", "tanh"])
def test_the_gradient_is_that_of_the_loss(cell, settings):
    policy, rng = network(cell, **settings), np.random.default_rng(2)
    sequences = [drawn.tokens for drawn in policy.sample(rng, legal_actions, 6, [0, 0, 1, 0, 1, 0])]
    assert len(set(map(len, sequences))) > 1
    weights = rng.normal(size=6)

    def loss():
        found = policy.evaluate(sequences, legal_actions)
        return -(weights * found.log_probabilities).sum() - 0.3 * found.entropies.mean()

    gradient, _ = policy.gradient(sequences, legal_actions, weights, 0.3)
    for place in rng.choice(len(gradient), 120, replace=False):
        kept, step = policy.parameters[place], 1e-6
        values = []
        for sign in (1, -1):
            policy.parameters[place] = kept + sign * step
            values.append(loss())
        policy.parameters[place] = kept
        assert gradient[place] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-6)


@CELL_NAMES
def test_recomputed_log_probabilities_are_those_at_sampling(cell):
    """TIT-2: scored are the tokens that were drawn, after the prefixes that they were drawn after."""
    policy = network(cell, tanh_constant=3.0)
    drawn = policy.sample(np.random.default_rng(0), legal_actions, 40, np.arange(40) % 3 == 0)
    recomputed = policy.log_probability([each.tokens for each in drawn], legal_actions)
    np.testing.assert_allclose(recomputed, [each.log_policy for each in drawn], rtol=1e-12)
    alone = [policy.log_probability([each.tokens], legal_actions)[0] for each in drawn]
    np.testing.assert_allclose(alone, recomputed, rtol=1e-10)


@CELL_NAMES
def test_sequences_are_drawn_from_the_policy_and_not_its_most_probable_one(cell):
    """TIT-2, WAL-3: frequencies are the probabilities, which sum to 1 over all legal sequences."""
    policy, sequences = network(cell, spread=0.6), all_sequences()
    probabilities = np.exp(policy.log_probability(sequences, legal_actions))
    assert probabilities.sum() == pytest.approx(1.0)
    drawn = [each.tokens for each in policy.sample(np.random.default_rng(0), legal_actions, 6000)]
    assert set(drawn) <= set(sequences)
    frequencies = np.array([drawn.count(sequence) for sequence in sequences]) / len(drawn)
    assert np.abs(frequencies - probabilities).max() < 4 * math.sqrt(0.25 / len(drawn)) and probabilities.max() < 0.9


def test_uniform_draws_take_every_legal_token_alike_and_know_both_probabilities():
    policy = network(spread=1.0)
    drawn = policy.sample(np.random.default_rng(0), legal_actions, 6000, [True] * 6000)
    first = np.bincount([each.tokens[0] for each in drawn], minlength=VOCABULARY) / 6000
    assert np.abs(first - [0.25, 0.25, 0.25, 0.25, 0]).max() < 0.03
    sequence = next(each for each in drawn if len(each.tokens) == LENGTH)
    assert sequence.log_uniform == pytest.approx(math.log(1 / 4 * 1 / 2 * 1 / 4 * 1 / 4))
    assert sequence.log_policy == pytest.approx(policy.log_probability([sequence.tokens], legal_actions)[0])


@CELL_NAMES
def test_what_was_chosen_before_changes_what_is_chosen_now(cell):
    policy = network(cell, spread=0.8)
    conditional = [
        np.diff(policy.log_probability([(first, 3), (first, 1, 0, 0)], legal_actions))[0] for first in (0, 1, 2)
    ]
    assert np.ptp(conditional) > 0.1


def test_the_tanh_constant_bounds_the_odds():
    """F19."""
    policy = network(spread=20.0, tanh_constant=1.0)
    logs = policy.log_probability([(first, 3) for first in range(3)] + [(3,)], legal_actions)
    # Two legal second tokens: at least exp(-2) / (1 + exp(-2)) of the probability goes to either.
    firsts = np.array([policy.log_probability([(first, 3)], legal_actions)[0] for first in range(3)])
    assert (
        firsts.min() >= math.log(math.exp(-2) / 4) + math.log(math.exp(-2) / (1 + math.exp(-2)))
        and np.isfinite(logs).all()
    )
    assert network(spread=20.0).log_probability([(first, 3) for first in range(3)], legal_actions).min() < firsts.min()


def test_an_untrained_policy_is_nearly_uniform():
    for cell in CELLS:
        policy = PolicyNetwork(VOCABULARY, LENGTH, cell, 16)
        found = policy.evaluate([(0, 1, 2, 2)], legal_actions)
        assert found.entropies[0] == pytest.approx(3 * math.log(4) + math.log(2), rel=0.02)


def test_an_illegal_sequence_is_refused():
    with pytest.raises(ValueError, match="`sequences`. Expected a legal token at place 1. Received: \\(0, 2, 1\\)"):
        network().log_probability([(3,), (0, 2, 1)], legal_actions)


@pytest.mark.parametrize("name, value", [("cell", "gru"), ("units", 0), ("units", True), ("tanh_constant", -1.0)])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`. Expected"):
        PolicyNetwork(VOCABULARY, LENGTH, **{name: value})
