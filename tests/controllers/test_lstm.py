"""The policy and value network: it learns which tokens help, and repeats itself exactly."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.contracts import Budget
from alphaxenas.controllers.alphaxenas.network import Memory, PolicyValueLSTM
from alphaxenas.controllers.alphaxenas.replay import Replay, rank_correlation
from alphaxenas.spaces import CellSpace

SEARCH, FINAL = Budget(1), Budget(3)
SPACE = CellSpace()
SIZE, LENGTH = len(SPACE.vocabulary), SPACE.max_length


def sequences(count, seed):
    rng = np.random.default_rng(seed)
    return [SPACE.encode(SPACE.sample(rng)) for _ in range(count)]


def quality(tokens, effects):
    """Additive effects of operations, one interaction, one effect of using late blocks."""
    return 0.7 + effects[list(tokens)].sum() + 0.01 * (tokens[2] == tokens[3]) + 0.002 * tokens[15]


def replay_of(count, seed=0, policies=None):
    rng = np.random.default_rng(seed)
    effects, replay = rng.normal(0, 0.012, SIZE), Replay(1000, LENGTH, SIZE)
    for tokens in sequences(count, seed + 1):
        replay.add(str(tokens), tokens, SEARCH, quality(tokens, effects) + rng.normal(0, 0.01), 0, policies=policies)
    return replay, effects


def small(seed=0, **settings):
    return PolicyValueLSTM(SIZE, LENGTH, **({"units": 12, "steps": 5, "batch_size": 8} | settings), seed=seed)


def test_sixty_architectures_teach_the_ranking_of_unseen_ones():
    replay, effects = replay_of(60)
    network = PolicyValueLSTM(SIZE, LENGTH, seed=0)
    for _ in range(5):
        network.fit(replay.examples())
    unseen = [tokens for tokens in sequences(200, 99) if str(tokens) not in replay.state()["keys"]]
    context = np.tile(Replay.context(SEARCH, 0), (len(unseen), 1))
    _, values = network.predict(unseen, context)
    assert rank_correlation(values, [quality(tokens, effects) for tokens in unseen]) > 0.5


def test_losses_fall_on_a_fixed_replay():
    moves = np.zeros((LENGTH, SIZE), np.float32)
    moves[:] = 1e-6  # every action legal
    moves[:, 5], moves[:, 6] = 0.8, 0.2
    replay, _ = replay_of(20, policies=moves)
    network = small(learning_rate=0.01)
    first = network.fit(replay.examples())
    for _ in range(10):
        last = network.fit(replay.examples())
    assert last["policy_loss"] < 0.8 * first["policy_loss"]
    assert last["value_loss"] < 0.8 * first["value_loss"]


def test_moves_without_a_reward_teach_the_policy_and_no_value():
    moves = np.full((LENGTH, SIZE), 1e-6, np.float32)
    moves[:, 5], moves[:, 6] = 0.8, 0.2
    replay, network = Replay(1000, LENGTH, SIZE), small(learning_rate=0.01, weight_decay=0.0)
    for tokens in sequences(20, 1):
        replay.add_moves(tokens, SEARCH, 0, moves)
    head = network.state()["weight2"]
    losses = [network.fit(replay.examples()) for _ in range(11)]
    assert losses[-1]["policy_loss"] < 0.8 * losses[0]["policy_loss"]
    assert {each["value_loss"] for each in losses} == {0.0}
    # The last column of the head gives the value.
    np.testing.assert_array_equal(network.state()["weight2"][:, -1], head[:, -1])
    assert np.abs(network.state()["weight2"][:, :-1] - head[:, :-1]).max() > 0


def test_step_by_step_and_batched_predictions_agree():
    network = small()
    network.fit(replay_of(10)[0].examples())
    prefix, context = sequences(1, 5)[0][:7], Replay.context(FINAL, 4)
    memory, drive = network.begin(context)
    for token in prefix:
        siblings = network.extend(memory, (token,), drive)
        memory = Memory(*(part[0] for part in siblings))
    logits, values = network.predict([prefix, ()], np.array([context, context]))
    assert values[0] == pytest.approx(memory.total, abs=1e-5)
    actions = SPACE.legal_actions(prefix)
    masked = np.exp(logits[0, list(actions)])
    np.testing.assert_allclose(network.policy(memory, actions), masked / masked.sum(), atol=1e-5)
    assert network.policy(memory, actions).sum() == pytest.approx(1.0)


def test_inference_and_training_are_one_function():
    network = small(steps=1)
    replay, _ = replay_of(8)
    examples = replay.examples()
    expected = float(network._losses(*network._batch(examples, np.arange(8)))[1])
    total, weight = 0.0, 0.0
    for row in range(8):
        tokens = tuple(examples.tokens[row])
        _, values = network.predict(
            [tokens[:n] for n in range(LENGTH + 1)], np.tile(examples.context[row], (LENGTH + 1, 1))
        )
        ramp = (np.arange(LENGTH + 1) / LENGTH) ** 4
        total += (ramp * (values - examples.values[row]) ** 2).sum()
        weight += ramp.sum()
    assert expected == pytest.approx(total / weight, rel=1e-4)


def test_it_tells_budgets_apart():
    # Operations with a large number are good at one budget and bad at the other.
    def merit(tokens, budget):
        return (1 if budget == FINAL else -1) * np.mean([tokens[2::5], tokens[3::5]])

    replay = Replay(1000, LENGTH, SIZE)
    for number, tokens in enumerate(sequences(200, 3)):
        budget = FINAL if number % 2 else SEARCH
        replay.add(str(tokens), tokens, budget, 0.5 + 0.01 * merit(tokens, budget), 0)
    network = small(units=24, steps=400, learning_rate=0.01, batch_size=16)
    network.fit(replay.examples())
    unseen = sequences(100, 4)
    for budget in (SEARCH, FINAL):
        _, values = network.predict(unseen, np.tile(Replay.context(budget, 0), (100, 1)))
        assert rank_correlation(values, [merit(tokens, budget) for tokens in unseen]) > 0.5


def test_same_seed_same_weights_and_one_trace():
    replay, _ = replay_of(20)
    first, second = small(seed=4), small(seed=4)
    for network in (first, second):
        for _ in range(3):
            network.fit(replay.examples())
        replay_growing = replay_of(30)[0]
        network.fit(replay_growing.examples())
    np.testing.assert_equal(first.state(), second.state())
    assert first._train.experimental_get_tracing_count() == 1


def test_restored_it_goes_on_to_the_same_bits():
    replay, _ = replay_of(20)
    network, other = small(), small(seed=0)
    network.fit(replay.examples())
    other.restore(network.state())
    network.fit(replay.examples())
    other.fit(replay.examples())
    np.testing.assert_equal(other.state(), network.state())


@pytest.mark.parametrize("name", ["units", "batch_size", "steps"])
def test_impossible_settings_are_refused(name):
    with pytest.raises(ValueError, match=f"`lstm_{name}`"):
        small(**{name: 0})


def test_a_search_with_an_lstm_says_nothing_while_tensorflow_starts():
    code = "from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM; PolicyValueLSTM(4, 3, units=2)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")} | {
        "PYTHONPATH": str(PROJECT_ROOT)
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == done.stderr == ""
