"""NAO's network: reconstruction, gradients, legality in every space, dropout, clipping, symmetry."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from alphaxenas.controllers.nao import network
from alphaxenas.controllers.nao.model import Encoded, NAOModel, _lstm_step
from alphaxenas.controllers.nao.quality import fit_and_measure, measured
from alphaxenas.controllers.nao.settings import PRESETS, NetworkSettings
from alphaxenas.controllers.nao.token_arrays import TokenEncoder
from alphaxenas.spaces import CellSpace, NASBench101, NASBench201
from tests.spaces.conftest import SPACES

SMALL = NetworkSettings(embedding=6, units=8, dropout=0.0, learning_rate=0.01)
CELLS = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"))
ADDING = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"), combinations=("add",))


def sequences_of(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(space.encode(space.sample(rng)) for _ in range(4 * count)))[:count]


@pytest.mark.parametrize("name", SPACES)
def test_whatever_is_decoded_is_a_sequence_wherever_in_the_continuous_space(name):
    """Also far from everything that was ever encoded, by a network that learned nothing."""
    space = SPACES[name]
    model, rng = NAOModel(space, SMALL), np.random.default_rng(1)
    for size in (0.0, 1.0, 100.0):
        lengths = rng.integers(1, space.max_length + 1, 12)
        outputs = (size * rng.normal(size=(12, space.max_length, SMALL.units))).astype(np.float32)
        for tokens in model.decode(Encoded(outputs, lengths)) + model.decode(Encoded(outputs, lengths), rng):
            assert space.legal_actions(tokens) == ()
            assert space.encode(space.decode(tokens)) == tokens


def test_sequences_are_drawn_with_the_decoders_own_probabilities():
    space = CellSpace(blocks=1, operations=("conv3x3", "identity"), combinations=("add",))
    model = NAOModel(space, SMALL)
    place = model.encode(sequences_of(space, 1))
    many = Encoded(np.repeat(place.outputs, 4000, 0), np.repeat(place.lengths, 4000))
    drawn = model.decode(many, np.random.default_rng(0))
    arrays = model._encoder.arrays(drawn[:1])
    formulas, tf = network.Network(len(space.vocabulary), space.max_length, SMALL), network.tf
    inside = formulas._inside(arrays.lengths)
    logits = formulas._written(
        formulas.unpacked(tf.constant(model.weights)),
        arrays.tokens,
        tf.constant(place.outputs),
        inside,
        place.embeddings,
        None,
    )
    expected = tf.nn.softmax(tf.where(arrays.legal, logits, -1e9)).numpy()[0, 0]
    shares = np.bincount([tokens[0] for tokens in drawn], minlength=len(space.vocabulary)) / len(drawn)
    np.testing.assert_allclose(shares, expected, atol=0.03)


def test_sequences_of_several_lengths_are_written_again_after_training():
    space = NASBench101(5, 5)
    sequences = sequences_of(space, 24)
    assert len({len(sequence) for sequence in sequences}) > 1
    model = NAOModel(space, replace(SMALL, units=24, embedding=12, trade_off=0.1))
    model.fit(sequences, np.linspace(0, 1, len(sequences)), 300, 24)
    assert np.mean([one == other for one, other in zip(model.reconstruct(sequences), sequences)]) > 0.9


@pytest.mark.parametrize("preset", ["paper", "code"])
def test_the_published_settings_write_every_training_sequence_without_a_fault(preset):
    settings, space = PRESETS[preset], NASBench201()
    sequences = sequences_of(space, 32)
    targets = np.linspace(0, 1, len(sequences))
    model = NAOModel(space, settings.network, variants=settings.variants)
    fit_and_measure(model, list(map(str, sequences)), sequences, targets, settings, np.random.default_rng(0))
    quality = measured(model, sequences, targets)
    assert (quality.hamming, quality.exact) == (0.0, 1.0)


def test_scores_learn_an_order_and_do_not_depend_on_the_company():
    space = NASBench201()
    sequences = sequences_of(space, 60)
    targets = np.array([sum(token == 3 for token in sequence) / 6 for sequence in sequences])
    model = NAOModel(space, replace(SMALL, units=24, embedding=12, trade_off=0.95))
    model.fit(sequences[:40], targets[:40], 150, 20)
    assert np.corrcoef(model.predict(sequences[40:]), targets[40:])[0, 1] > 0.7
    np.testing.assert_allclose(model.predict(sequences)[:3], model.predict(sequences[:3]), rtol=1e-5)


def test_a_sequence_of_few_moves_is_read_as_if_there_were_no_longer_ones():
    """What stands after a sequence's end must not reach embeddings, scores or losses."""
    space = NASBench101(5, 5)
    sequences = sorted(sequences_of(space, 24), key=len)
    model = NAOModel(space, SMALL)
    arrays = model._encoder.arrays(sequences[:1])
    junk = arrays.tokens.copy()
    junk[0, arrays.lengths[0] :] = 3
    assert arrays.lengths[0] < space.max_length
    one, other = (
        model._graphs.encode(model.weights, tokens, arrays.lengths).numpy() for tokens in (arrays.tokens, junk)
    )
    np.testing.assert_array_equal(one, other)
    assert np.all(one[0, arrays.lengths[0] :] == 0) and np.allclose(
        np.linalg.norm(one[0, : arrays.lengths[0]], axis=1), 1, atol=1e-5
    )


def test_the_learning_rate_changes_evenly_from_the_first_to_the_last_step():
    sequences, targets = sequences_of(CELLS, 12), np.linspace(0, 1, 12)
    start, moved = NAOModel(CELLS, SMALL).weights, {}
    for last in (0.0, 1.0, 2.0):
        model = NAOModel(CELLS, SMALL)
        model.fit(sequences, targets, 2, 12, (0.0, last))  # two steps; the first has rate 0
        moved[last] = model.weights - start
    np.testing.assert_array_equal(moved[0.0], 0)
    assert np.abs(moved[1.0]).max() > 0
    np.testing.assert_allclose(moved[2.0], 2 * moved[1.0], rtol=1e-3, atol=1e-6)


def test_gradients_of_scores_are_those_of_finite_differences():
    space = NASBench201()
    model = NAOModel(space, replace(SMALL, layers=(5,)))
    sequences = sequences_of(space, 30)
    model.fit(sequences, np.linspace(0, 1, 30), 5, 10)
    encoded = model.encode(sequences[:2])
    gradients = model.gradients(encoded)
    for place in ((0, 0, 0), (0, 3, 5), (1, 5, 7)):
        ends = []
        for change in (0.01, -0.01):
            outputs = encoded.outputs.copy()
            outputs[place] += change
            ends.append(model.scores(Encoded(outputs, encoded.lengths))[place[0]])
        assert (ends[0] - ends[1]) / 0.02 == pytest.approx(gradients[place], rel=0.05, abs=2e-5)


def test_a_step_along_the_gradient_raises_the_score():
    space = NASBench201()
    model = NAOModel(space, SMALL)
    sequences = sequences_of(space, 40)
    model.fit(sequences, [sum(token == 3 for token in sequence) / 6 for sequence in sequences], 30, 20)
    encoded = model.encode(sequences)
    assert np.all(model.scores(encoded.moved(model.gradients(encoded), 0.5)) > model.scores(encoded))


def test_the_step_of_the_decoder_is_the_one_that_was_trained():
    """Decoding is NumPy, training TensorFlow: both must be the same LSTM."""
    tf = network.tf
    rng = np.random.default_rng(0)
    inputs, start = rng.normal(size=(3, 4, 6)).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32)
    kernel, bias = rng.normal(size=(11, 20)).astype(np.float32), rng.normal(size=20).astype(np.float32)
    none = tf.zeros([5])
    expected = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.constant(3, tf.int64),
        x=inputs,
        cs_prev=start,
        h_prev=start,
        w=kernel,
        wci=none,
        wcf=none,
        wco=none,
        b=bias,
        cell_clip=0.0,
        use_peephole=False,
    ).h.numpy()
    state = cell = start
    for place in range(3):
        state, cell = _lstm_step(inputs[place], state, cell, kernel, bias)
        np.testing.assert_allclose(state, expected[place], rtol=1e-4, atol=1e-5)


def test_same_seed_same_weights_and_another_seed_others():
    sequences, targets = sequences_of(CELLS, 20), np.linspace(0, 1, 20)
    settings = replace(SMALL, dropout=0.2)
    one, other = (NAOModel(CELLS, settings, seed=3) for _ in range(2))
    one.fit(sequences, targets, 3, 8)
    other.fit(sequences, targets, 3, 8)
    np.testing.assert_array_equal(one.weights, other.weights)
    third = NAOModel(CELLS, settings, seed=9)
    third.fit(sequences, targets, 3, 8)
    assert (third.weights != one.weights).any()


def test_functions_are_traced_once_for_all_searches_in_a_space():
    sequences = sequences_of(CELLS, 30)
    for seed, count in ((0, 12), (1, 30), (2, 7)):
        model = NAOModel(CELLS, SMALL, seed=seed)
        model.fit(sequences[:count], np.linspace(0, 1, count), seed + 1, 4 + seed)
        model.predict(sequences[:count])
    assert model._graphs.train.experimental_get_tracing_count() == 1
    assert (
        model._graphs.encode.experimental_get_tracing_count()
        == model._graphs.score.experimental_get_tracing_count()
        == 1
    )


class TestDefectsOfTheSeed:
    def test_nao5_symmetric_sequences_are_input_and_target_alike(self, monkeypatch):
        """NAO-5: the seed swapped the inputs of a node for encoder and target, not for the decoder's own input."""
        sequences = sequences_of(CELLS, 12)
        model = NAOModel(CELLS, SMALL, variants=6)
        seen = {}
        train = model._graphs.train

        def watched(*arguments):
            seen.update(zip(("weights", "moments", "taken", "data", "rows", "rates", "seed"), arguments))
            seen.update(zip(("tokens", "lengths", "targets", "legal"), seen.pop("data")))
            return train(*arguments)

        model._graphs = model._graphs._replace(train=watched)
        targets = np.linspace(0, 1, 12)
        model.fit(sequences, targets, 20, 12)
        # One array of tokens is all that the network gets: encoder input, decoder input and target are cut from it.
        assert (
            sum(
                array.shape == seen["tokens"].shape and array.dtype == np.int32
                for array in seen.values()
                if isinstance(array, np.ndarray)
            )
            == 1
        )
        keys = {CELLS.key(CELLS.decode(sequence)): target for sequence, target in zip(sequences, targets)}
        used = {tuple(seen["tokens"][row].tolist()) for row in seen["rows"].ravel()}
        assert len(used) > 2 * len(sequences), "variants are really drawn"
        for row in set(seen["rows"].ravel().tolist()):
            tokens = tuple(seen["tokens"][row].tolist())
            assert seen["targets"][row] == pytest.approx(keys[CELLS.key(CELLS.decode(tokens))])
            assert all(seen["legal"][row, place, token] for place, token in enumerate(tokens))

    def test_nao5_what_the_decoder_reads_is_what_it_is_to_write_moved_by_one(self):
        """The cross-entropy of a sequence does not change when tokens of another sequence are written after it."""
        tf = network.tf
        formulas = network.Network(len(CELLS.vocabulary), CELLS.max_length, SMALL)
        model = NAOModel(CELLS, SMALL)
        arrays = model._encoder.arrays(sequences_of(CELLS, 2))
        named = formulas.unpacked(tf.constant(model.weights))
        inside = formulas._inside(arrays.lengths)
        outputs = formulas._encoded(named, arrays.tokens, inside, None)
        embedding = formulas._embedded(outputs, inside)
        before = formulas._written(named, arrays.tokens, outputs, inside, embedding, None).numpy()
        changed = arrays.tokens.copy()
        changed[:, 4] = (changed[:, 4] + 1) % len(CELLS.vocabulary)
        after = formulas._written(named, changed, outputs, inside, embedding, None).numpy()
        np.testing.assert_array_equal(before[:, :5], after[:, :5])
        assert np.all(np.any(before[:, 5] != after[:, 5], axis=1))

    def test_nao6_settings_cannot_be_changed_and_are_not(self):
        settings = replace(SMALL, dropout=0.3)
        model = NAOModel(CELLS, settings)
        sequences = sequences_of(CELLS, 12)
        model.fit(sequences, np.linspace(0, 1, 12), 2, 6)
        model.predict(sequences)
        model.reconstruct(sequences)
        assert model.settings == replace(SMALL, dropout=0.3)
        with pytest.raises(FrozenInstanceError):
            settings.dropout = 0.0
        with pytest.raises(FrozenInstanceError):
            PRESETS["code"].pool = 3
        with pytest.raises(TypeError):
            PRESETS["code"] = PRESETS["paper"]

    @pytest.mark.parametrize("layers", [(), (6,)])
    def test_nao6_dropout_acts_in_training_also_after_inference_and_never_in_inference(self, layers):
        """NAO-6: inference switched the dropout of all later trainings off; the predictor's never acted."""
        sequences, targets = sequences_of(CELLS, 12), np.linspace(0, 1, 12)
        first_steps = {}
        for dropout in (0.0, 0.5):
            model = NAOModel(CELLS, replace(SMALL, dropout=dropout, layers=layers, trade_off=1.0), variants=1)
            scores = [model.predict(sequences) for _ in range(2)]
            np.testing.assert_array_equal(*scores)
            first_steps[dropout] = model.fit(sequences, targets, 1, 12)[0, 0]
            if dropout:
                numbers = [
                    model._graphs.train(*_arguments(model, sequences, targets, seed))[2].numpy()[0, 0]
                    for seed in (1, 2)
                ]
                assert numbers[0] != numbers[1], "another seed, another mask"
            else:
                untrained = np.mean((scores[0] - targets) ** 2)
                assert first_steps[dropout] == pytest.approx(untrained, rel=1e-4), (
                    "without dropout the first loss is that of inference"
                )
        assert first_steps[0.0] != first_steps[0.5]

    def test_nao6_dropout_of_the_predictor_alone_acts(self):
        formulas = network.Network(len(CELLS.vocabulary), CELLS.max_length, replace(SMALL, dropout=0.5, layers=(6,)))
        model = NAOModel(CELLS, formulas.settings)
        embedding = model.encode(sequences_of(CELLS, 8)).embeddings
        named = formulas.unpacked(network.tf.constant(model.weights))
        still, dropped = (
            formulas._predicted(named, embedding, seed).numpy() for seed in (None, network.tf.constant([1, 2]))
        )
        assert np.all(still != dropped)

    @pytest.mark.parametrize("bound", [0.001, 0.1])
    def test_nao9_gradients_are_really_clipped(self, bound):
        """NAO-9: the unclipped gradient was applied."""
        gradient, norm = network.clipped(network.tf.constant([3.0, -4.0]), bound)
        assert np.linalg.norm(gradient) == pytest.approx(bound) and float(norm) == pytest.approx(bound)
        gradient, norm = network.clipped(network.tf.constant([3.0, -4.0]), 10.0)
        np.testing.assert_allclose(gradient, [3.0, -4.0])
        sequences = sequences_of(CELLS, 12)
        free, held = (
            NAOModel(CELLS, replace(SMALL, gradient_clip=limit)).fit(sequences, np.linspace(0, 1, 12), 4, 6)[:, 2]
            for limit in (1e9, bound)
        )
        assert free.max() > bound and held.max() <= bound * 1.001
        # Adam's second moment shows the gradient as it was used: after one step 0.001 of its square.
        model = NAOModel(CELLS, replace(SMALL, gradient_clip=bound))
        model.fit(sequences, np.linspace(0, 1, 12), 1, 12)
        assert np.sqrt(model._moments[1].sum() / 1e-3) == pytest.approx(bound, rel=1e-3)


def _arguments(model, sequences, targets, seed):
    arrays = model._encoder.arrays(sequences)
    rows = np.arange(len(sequences), dtype=np.int32)[None]
    return (
        model.weights,
        model._moments,
        np.int32(0),
        (arrays.tokens, arrays.lengths, np.asarray(targets, np.float32), arrays.legal),
        rows,
        np.float32([model.settings.learning_rate]),
        np.array([0, seed], np.int32),
    )


class TestSymmetries:
    def test_swapping_the_inputs_of_a_node_is_found(self):
        """F40: a sequence and its variants compute the same function."""
        encoder = TokenEncoder(ADDING)
        found = encoder.variants(sequences_of(ADDING, 1)[0], 8)
        assert len(found) > 1 and len(set(found)) == len(found)
        assert len({ADDING.key(ADDING.decode(tokens)) for tokens in found}) == 1
        assert any(
            one[0:2] == other[1::-1] and one[2:4] == other[3:1:-1] for one in found for other in found if one != other
        )

    @pytest.mark.parametrize("name", SPACES)
    def test_variants_are_complete_sequences_of_the_same_key_in_every_space(self, name):
        space = SPACES[name]
        encoder = TokenEncoder(space)
        for tokens in sequences_of(space, 5):
            for other in encoder.variants(tokens, 6):
                assert space.legal_actions(other) == () and space.key(space.decode(other)) == space.key(
                    space.decode(tokens)
                )

    def test_a_space_whose_sequences_all_differ_has_none(self):
        encoder = TokenEncoder(NASBench201())
        assert encoder.swaps() == [] and encoder.variants((1, 2, 3, 4, 0, 1), 8) == [(1, 2, 3, 4, 0, 1)]

    def test_a_wrong_token_is_named_with_its_place_and_what_is_legal_there(self):
        encoder = TokenEncoder(CELLS)
        tokens = list(sequences_of(CELLS, 1)[0])
        tokens[2] = 0
        with pytest.raises(ValueError, match=r"at place 2. Expected one of \(3, 4, 5\). Received: 0"):
            encoder.arrays([tuple(tokens)])
        with pytest.raises(ValueError, match="complete sequence"):
            encoder.arrays([sequences_of(CELLS, 1)[0][:4]])


@pytest.mark.parametrize(
    "name, value",
    [
        ("units", 0),
        ("dropout", 1.0),
        ("trade_off", 1.5),
        ("learning_rate", 0.0),
        ("gradient_clip", 0.0),
        ("layers", (3, 0)),
        ("weight_decay", -1.0),
        ("embedding", 0),
    ],
)
def test_impossible_settings_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        NetworkSettings(**{name: value})


def test_there_is_a_target_for_every_sequence():
    with pytest.raises(ValueError, match="as many as targets"):
        NAOModel(CELLS, SMALL).fit(sequences_of(CELLS, 3), [0.5], 1, 2)
