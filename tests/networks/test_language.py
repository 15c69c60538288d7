"""Language models: the loop over time and its gradient, shared weights, and the whole text in one loss."""

from __future__ import annotations

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.data.text import load_text, streams
from alphaxenas.networks.language import over_time
from alphaxenas.networks.language.cores import CellCore, Dropout, LSTMCore, SharedCellCore
from alphaxenas.networks.language.fit import TextReader, train_windows
from alphaxenas.networks.language.generate import generate
from alphaxenas.networks.language.lstm import lstm_layer
from alphaxenas.networks.language.model import LanguageModel, evaluation_streams, reward_of_loss
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.networks.language.recurrence import recurrence
from alphaxenas.networks.language.shared_recurrence import CellTensors, shared_recurrence
from alphaxenas.networks.language.softmax import mean_loss
from alphaxenas.networks.training.loop import DivergedError
from alphaxenas.runs.checkpoint import pack, unpack
from alphaxenas.spaces.recurrent import RecurrentCell, RecurrentSpace

FUNCTIONS = {"tanh": tf.tanh, "relu": tf.nn.relu, "sigmoid": tf.sigmoid, "identity": tf.identity}
SPACES = (RecurrentSpace(5), RecurrentSpace(4, choose_first=True, output="unused"))
PLAIN = LanguageRecipe(batch_size=4, window=7, learning_rate=5.0, input_dropout=0.0, output_dropout=0.0)


def step_by_step(cell, inputs, state, first, weights, mask):
    """The equations of the cell, one after the other; gradients are TensorFlow's."""
    after = []
    for time in range(inputs.shape[0]):
        gate, value = tf.split(inputs[time] + (state * mask) @ first, 2, -1)
        states = [state + tf.sigmoid(gate) * (FUNCTIONS[cell.first](value) - state)]
        for number, node in enumerate(cell.nodes):
            before = states[node.input]
            gate, value = tf.split((before * mask) @ weights[number], 2, -1)
            states.append(before + tf.sigmoid(gate) * (FUNCTIONS[node.activation](value) - before))
        state = tf.add_n([states[number] for number in cell.output_nodes]) / len(cell.output_nodes)
        after.append(state)
    return tf.stack(after)


def lstm_step_by_step(inputs, hidden, memory, recurrent):
    after = []
    for time in range(inputs.shape[0]):
        enter, forget, value, leave = tf.split(inputs[time] + hidden @ recurrent, 4, -1)
        memory = tf.sigmoid(forget) * memory + tf.sigmoid(enter) * tf.tanh(value)
        hidden = tf.sigmoid(leave) * tf.tanh(memory)
        after.append(hidden)
    return tf.stack(after)


def value_and_gradients(function, direction, *arguments):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = tf.reduce_sum(function(*arguments) * direction)
    return [value, *tape.gradient(value, arguments)]


def close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.fixture(params=[1, 2, 4], ids="{} parts".format)
def parts(request, monkeypatch):
    """Batches are computed in so many parts; in 4, some of those here are empty."""
    monkeypatch.setattr(over_time, "_parts", lambda: request.param)
    return request.param


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_forward_and_backward_equal_the_equations(space, seed, parts):
    rng, units, batch, time = np.random.default_rng(seed), 6, 3, 4
    cell = space.sample(rng)

    def drawn(*shape):
        return tf.constant(rng.normal(size=shape) / 2, tf.float64)

    inputs, state, first = drawn(time, batch, 2 * units), drawn(batch, units), drawn(units, 2 * units)
    weights, direction = drawn(space.nodes, units, 2 * units), drawn(time, batch, units)
    mask = tf.constant((rng.random((batch, units)) > 0.3) / 0.7)
    arguments = (inputs, state, first, weights)
    expected = value_and_gradients(lambda *a: step_by_step(cell, *a, mask), direction, *arguments)
    close(value_and_gradients(lambda *a: recurrence(cell, *a, mask), direction, *arguments), expected)
    tensors = CellTensors.of(cell)
    close(value_and_gradients(lambda *a: shared_recurrence(tensors, *a, mask), direction, *arguments), expected)


def test_parts_of_a_batch_are_as_many_as_cores_that_may_be_used(monkeypatch):
    monkeypatch.setattr(over_time, "usable_cores", lambda: 64)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    assert over_time._parts() == min(threads or over_time.MOST_PARTS, over_time.MOST_PARTS)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # as worker processes are started
    assert over_time._parts() == 1
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    monkeypatch.setattr(over_time, "usable_cores", lambda: 1)
    assert over_time._parts() == 1


def test_nao8_s0_is_no_part_of_the_hidden_state_neither_in_search_nor_in_the_final_cell():
    """NAO-8: the published search averages s0 into the hidden state, the final cell does not."""
    cell, rng = RecurrentCell.parse("tanh(0); relu(0)"), np.random.default_rng(0)
    inputs, weights = rng.normal(size=(1, 3, 8)), rng.normal(size=(2, 4, 8))
    arguments = [tf.constant(part, tf.float32) for part in (inputs, np.zeros((3, 4)), np.zeros((4, 8)), weights)]
    arguments.append(tf.ones((3, 4)))

    def highway(before, product, function):
        gate, value = product[:, :4], product[:, 4:]
        return before + (function(value) - before) / (1 + np.exp(-gate))

    s0 = highway(np.zeros((3, 4)), inputs[0], np.tanh)
    nodes = [highway(s0, s0 @ matrix, f) for matrix, f in zip(weights, (np.tanh, lambda v: np.maximum(v, 0)))]
    for found in (recurrence(cell, *arguments), shared_recurrence(CellTensors.of(cell), *arguments)):
        np.testing.assert_allclose(found[0], np.mean(nodes, 0), atol=1e-5)
        assert np.abs(found[0] - np.mean([s0, *nodes], 0)).max() > 0.01


def test_lstm_forward_and_backward_equal_the_equations_and_keras(parts):
    rng, units, batch, time = np.random.default_rng(0), 5, 2, 6

    def drawn(*shape):
        return tf.constant(rng.normal(size=shape) / 2, tf.float32)

    arguments = (drawn(time, batch, 4 * units), drawn(batch, units), drawn(batch, units), drawn(units, 4 * units))
    direction = drawn(time, batch, units)
    close(
        value_and_gradients(lambda *a: lstm_layer(*a)[0], direction, *arguments),
        value_and_gradients(lstm_step_by_step, direction, *arguments),
    )
    layer = keras.layers.LSTM(units, return_sequences=True)
    words = drawn(batch, time, 3)
    theirs = layer(words)
    kernel, recurrent, bias = layer.get_weights()
    inputs = tf.transpose(words @ kernel + bias, (1, 0, 2))
    ours, _ = lstm_layer(inputs, tf.zeros((batch, units)), tf.zeros((batch, units)), tf.constant(recurrent))
    np.testing.assert_allclose(tf.transpose(ours, (1, 0, 2)), theirs, atol=1e-5)


@pytest.fixture(scope="module")
def text():
    return load_text("grammar", seed=3)


def test_a_cell_with_shared_weights_is_the_same_function_as_its_own_network(text):
    space, words = RecurrentSpace(3), len(text.vocabulary)
    cell, core = space.parse("relu(0); sigmoid(0); identity(2)"), SharedCellCore(3, 8)
    shared = LanguageModel(core, words, PLAIN, 0)
    rows = core.describe(cell)[1]
    assert len(set(rows)) == 3 and core.describe(space.parse("relu(0); sigmoid(1); identity(2)"))[1][1] not in rows
    own = LanguageModel(CellCore(cell, 8), words, PLAIN, 1)
    state = shared.state()
    state["weights"]["nodes"] = state["weights"]["nodes"][rows]
    own.restore(state)
    part = text.validation[:300]
    assert own.loss(part) == pytest.approx(shared.loss(part, core.describe(cell)), rel=1e-5)


def test_a_step_moves_the_weights_of_its_cell_alone(text):
    core = SharedCellCore(3, 8)
    model, reader = LanguageModel(core, len(text.vocabulary), PLAIN, 0), TextReader(streams(text.train, 4), 7)
    cell = core.describe(RecurrentCell.parse("relu(0); sigmoid(0); identity(2)"))
    before = model.arrays()["nodes"]
    train_windows(model, reader, 0, 3, lambda _: 1.0, cell=cell)
    moved = np.flatnonzero((model.arrays()["nodes"] != before).any((1, 2)))
    assert moved.tolist() == sorted(cell[1].tolist())


def test_the_loss_of_a_text_counts_every_word_once_whatever_the_streams(text):
    model = LanguageModel(LSTMCore(1, 8), len(text.vocabulary), PLAIN, 0)
    inputs, targets, _ = streams(text.validation[:50], 1)
    state, losses = model.start(1), []
    for word, target in zip(inputs, targets):
        logits, state = model.next_word(word[None], state)
        losses.append(-tf.nn.log_softmax(logits)[0, int(target[0])].numpy())
    assert model.loss(text.validation[:50], count=1) == pytest.approx(np.mean(losses), rel=1e-5)
    # Weights of a new model are small: what stands before hardly counts, and neither does where streams begin.
    assert model.loss(text.validation[:50], count=7) == pytest.approx(np.mean(losses), rel=1e-2)


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("words", [3, 2_500], ids=["in one part", "in two parts"])
def test_the_softmax_in_parts_is_the_softmax(words, precision, error):
    rng = np.random.default_rng(0)
    hidden, embedding = rng.standard_normal((7, 6)), rng.standard_normal((words, 6))
    values = [tf.constant(array, tf.float32) for array in (hidden, embedding, rng.standard_normal(words))]
    targets = tf.constant(rng.integers(0, words, 7), tf.int32)
    weights = tf.constant([1, 1, 0, 1, 1, 1, 0], tf.float32)

    def plain(hidden, embedding, bias):
        logits = tf.matmul(hidden, embedding, transpose_b=True) + bias
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        return tf.reduce_sum(losses * weights) / 5

    found = []
    for loss in (plain, lambda *values: mean_loss(*values, targets, weights, precision)):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = 3.0 * loss(*values)
        found.append([value, *tape.gradient(value, values)])
    for wanted, received in zip(*found):
        assert np.abs(received - wanted).max() <= error * np.abs(wanted).max()
    nothing = mean_loss(*values, targets, tf.zeros(7), precision)
    assert float(nothing) == 0.0


@pytest.mark.parametrize(
    "core", [CellCore(RecurrentCell.parse("tanh(0); relu(1)"), 16), LSTMCore(2, 16)], ids=["cell", "lstm"]
)
def test_a_model_learns_continues_bit_for_bit_and_writes(text, core):
    recipe = LanguageRecipe(
        batch_size=20, window=20, learning_rate=5.0, embedding_dropout=0.05, state_dropout=0.1, weight_dropout=0.1,
        activation=0.1, temporal=0.1, decay=1e-6,
    )  # fmt: skip
    reader, words = TextReader(streams(text.train, 20), 20), len(text.vocabulary)
    model = LanguageModel(core, words, recipe, 0)
    at_first = model.loss(text.validation)
    assert at_first == pytest.approx(math.log(words), rel=0.02)
    _, state = train_windows(model, reader, 0, 40, lambda _: 5.0)
    model.start_averaging()
    stored = unpack(pack({"model": model.state(), "hidden": [part.numpy() for part in state]}))
    train_windows(model, reader, 40, 60, lambda _: 5.0, state)
    assert model.loss(text.validation) < at_first - 1.0
    again = LanguageModel(core, words, recipe, 0)
    again.restore(stored["model"])
    train_windows(again, reader, 40, 60, lambda _: 5.0, tuple(map(tf.constant, stored["hidden"])))
    assert pack(again.state()) == pack(model.state())
    assert generate(again, text.vocabulary, 30, seed=1) == generate(model, text.vocabulary, 30, seed=1) != ""


def test_every_gap_between_layers_has_a_mask_of_its_own():
    core, rng = LSTMCore(3, 4), np.random.default_rng(0)
    weights = {name: tf.constant(rng.normal(size=shape), tf.float32) for name, shape in core.shapes.items()}
    inputs, state = tf.constant(rng.normal(size=(5, 2, 4)), tf.float32), (tf.zeros((2, 4)),) * core.states

    def hidden(first, second):
        masks = tf.stack([tf.fill((2, 4), first), tf.fill((2, 4), second)])
        return core.run(weights, inputs, state, Dropout(masks, (0.0, tf.zeros(2, tf.int32))), ())[0].numpy()

    assert core.masks == 2
    assert not np.allclose(hidden(2.0, 1.0), hidden(1.0, 2.0))
    assert not np.allclose(hidden(1.0, 1.0), hidden(1.0, 2.0))


def test_a_loss_that_is_not_finite_leaves_the_weights(text):
    model, reader = LanguageModel(LSTMCore(1, 8), len(text.vocabulary), PLAIN, 0), TextReader(streams(text.train, 4), 7)
    state = model.state()
    state["weights"]["bias"] = np.full_like(state["weights"]["bias"], np.nan)
    model.restore(state)
    with pytest.raises(DivergedError, match="step 1"):
        train_windows(model, reader, 0, 1, lambda _: 1.0)
    assert np.array_equal(model.arrays()["embedding"], state["weights"]["embedding"])


def test_rewards_are_bounded_and_fall_with_perplexity():
    assert reward_of_loss(math.log(10_000), 10_000) == 0.0 == reward_of_loss(50.0, 10_000)
    assert reward_of_loss(0.0, 10_000) == 1.0
    assert reward_of_loss(math.log(100), 10_000) == pytest.approx(0.5)


def test_nao9_the_norm_of_a_step_is_clipped(text):
    """NAO-9: with `clip_mode="norm"` the published code applied the gradient as it was."""
    for clip, bound in ((0.01, 0.01), (0.0, math.inf)):
        recipe = LanguageRecipe(batch_size=4, window=7, clip=clip, input_dropout=0.0, output_dropout=0.0)
        model, reader = (
            LanguageModel(LSTMCore(1, 8), len(text.vocabulary), recipe, 0),
            TextReader(streams(text.train, 4), 7),
        )
        before = model.arrays()
        train_windows(model, reader, 0, 1, lambda _: 1.0)
        moved = math.sqrt(sum(((model.arrays()[name] - array) ** 2).sum() for name, array in before.items()))
        assert 0.01 * 0.999 <= moved <= bound * 1.001
        assert (moved > 0.02) == (clip == 0.0)


@pytest.mark.parametrize(
    ("losses", "starts"),
    [
        ([9, 8, 7, 6, 5, 9], False),  # too few before
        ([5, 9, 9, 9, 9, 9, 6], True),  # worse than the first of six before
        ([9, 5, 5, 5, 5, 5, 8], False),  # the last five before do not count
        ([9, 5, 9, 9, 9, 9, 9, 6], True),
        ([9, 8, 7, 6, 5, 4, 3], False),
        ([5, 9, 9, 9, 9, 9, 5], False),  # no worse than the best
    ],
)
def test_averaging_starts_when_the_loss_is_above_the_best_before_the_last_five(losses, starts):
    """Merity et al. 2018, as their code has it: `len(before) > 5 and loss > min(before[:-5])`."""
    assert LanguageRecipe(average=True).starts_averaging(losses) == starts
    assert not LanguageRecipe(average=False).starts_averaging(losses)


def test_weight_decay_is_added_to_the_clipped_gradient(text):
    """As published: the optimizer of the authors adds it after the norm was clipped."""
    moved = []
    for decay in (0.0, 0.1):
        recipe = replace(PLAIN, clip=0.01, decay=decay)
        model = LanguageModel(LSTMCore(1, 8), len(text.vocabulary), recipe, 0)
        before = model.arrays()
        train_windows(model, TextReader(streams(text.train, 4), 7), 0, 1, lambda _: 0.5)
        moved.append({name: array - before[name] for name, array in model.arrays().items()})
    for name, array in before.items():
        np.testing.assert_allclose(moved[1][name], moved[0][name] - 0.5 * 0.1 * array, atol=1e-6)


def test_short_texts_are_scored_with_a_state_that_is_carried(text):
    assert [evaluation_streams(words, 35) for words in (20, 1_000, 3_500, 73_760)] == [1, 2, 10, 32]
    model, part = LanguageModel(LSTMCore(1, 8), len(text.vocabulary), PLAIN, 0), text.validation[:50]
    state = model.state()
    state["weights"] = {name: 20 * array for name, array in state["weights"].items()}
    model.restore(state)
    assert model.loss(part) == model.loss(part, count=1) != model.loss(part, count=7)


def test_a_generated_word_costs_no_copy_of_the_weights(text, monkeypatch):
    model = LanguageModel(LSTMCore(1, 8), len(text.vocabulary), PLAIN, 0)
    model.start_averaging()
    train_windows(model, TextReader(streams(text.train, 4), 7), 0, 5, lambda _: 5.0)
    written = generate(model, text.vocabulary, 20)
    monkeypatch.setattr(LanguageModel, "arrays", lambda self: pytest.fail("all weights were copied"))
    assert generate(model, text.vocabulary, 20) == written


def test_losses_of_single_words_are_those_of_the_text(text):
    model, part = LanguageModel(LSTMCore(1, 8), len(text.vocabulary), PLAIN, 0), text.validation[:50]
    losses = np.concatenate(list(model.window_losses(part, count=3)))
    assert len(losses) == 50 and losses.mean() == pytest.approx(model.loss(part, count=3))
