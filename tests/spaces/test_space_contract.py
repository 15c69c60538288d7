"""What every search space promises, whatever it searches (`alphaxenas.contracts.SearchSpace`)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import chisquare

from alphaxenas.spaces import CellSpace
from alphaxenas.spaces.drawing.registry import draw

rng_seeds = st.integers(0, 2**32)
few = settings(max_examples=30, deadline=None)


def token_sequences(space, tokens=()):
    actions = space.legal_actions(tokens)
    if not actions:
        yield tokens
    for action in actions:
        yield from token_sequences(space, (*tokens, action))


class TestSpaceContract:
    def test_is_a_value(self, space):
        assert hash(space) == hash(type(space)(**{name: getattr(space, name) for name in space.__match_args__}))
        with pytest.raises(AttributeError):
            space.max_length = 1

    def test_random_play_follows_the_rules_to_a_complete_sequence(self, space):
        @few
        @given(rng_seeds)
        def holds(seed):
            rng, tokens = np.random.default_rng(seed), ()
            while actions := space.legal_actions(tokens):
                assert list(actions) == sorted(set(actions))
                assert all(0 <= action < len(space.vocabulary) for action in actions)
                tokens = (*tokens, int(rng.choice(actions)))
            assert len(tokens) <= space.max_length
            assert space.encode(space.decode(tokens)) == tokens

        holds()

    def test_decode_undoes_encode(self, space):
        @few
        @given(rng_seeds)
        def holds(seed):
            architecture = space.sample(np.random.default_rng(seed))
            assert space.decode(space.encode(architecture)) == architecture

        holds()

    def test_every_token_of_a_sample_is_legal_where_it_stands(self, space):
        @few
        @given(rng_seeds)
        def holds(seed):
            tokens = space.encode(space.sample(np.random.default_rng(seed)))
            assert all(type(token) is int for token in tokens)
            assert all(token in space.legal_actions(tokens[:place]) for place, token in enumerate(tokens))
            assert space.legal_actions(tokens) == ()

        holds()

    def test_incomplete_and_illegal_sequences_are_refused(self, space):
        tokens = space.encode(space.sample(np.random.default_rng(0)))
        for wrong in (tokens[:-1], (*tokens, 0), (len(space.vocabulary), *tokens[1:])):
            with pytest.raises(ValueError, match="`tokens`"):
                space.decode(wrong)

    def test_text_and_json_forms_lose_nothing(self, space):
        @few
        @given(rng_seeds)
        def holds(seed):
            architecture = space.sample(np.random.default_rng(seed))
            assert space.parse(str(architecture)) == architecture
            assert space.parse(architecture.to_json()) == architecture
            assert "\n" not in str(architecture)
            json.loads(architecture.to_json())

        holds()

    def test_same_generator_same_samples(self, space):
        one, two = np.random.default_rng(5), np.random.default_rng(5)
        assert [space.sample(one) for _ in range(20)] == [space.sample(two) for _ in range(20)]

    def test_neighbours_are_other_architectures_of_the_space_and_come_once(self, space):
        @settings(max_examples=5, deadline=None)
        @given(rng_seeds)
        def holds(seed):
            architecture = space.sample(np.random.default_rng(seed))
            neighbours = space.neighbours(architecture)
            assert len(set(neighbours)) == len(neighbours) and architecture not in neighbours
            assert all(space.decode(space.encode(other)) == other for other in neighbours)

        holds()

    def test_with_sequences_of_one_length_neighbours_differ_in_one_token(self, tiny_space_of_one_length):
        tiny_space, sequences = tiny_space_of_one_length, list(token_sequences(tiny_space_of_one_length))
        for number in np.random.default_rng(0).integers(len(sequences), size=5):
            expected = [
                sequence for sequence in sequences if sum(a != b for a, b in zip(sequence, sequences[number])) == 1
            ]
            assert (
                sorted(map(tiny_space.encode, tiny_space.neighbours(tiny_space.decode(sequences[number])))) == expected
            )

    def test_features_have_one_length_and_are_finite(self, space):
        rng = np.random.default_rng(1)
        vectors = [space.features(space.sample(rng)) for _ in range(30)]
        assert {vector.shape for vector in vectors} == {vectors[0].shape}
        assert all(vector.dtype == np.float32 and np.isfinite(vector).all() for vector in vectors)

    def test_every_feature_has_a_name_and_belongs_to_one_group(self, space):
        names, length = space.feature_names(), len(space.features(space.sample(np.random.default_rng(1))))
        assert len(names) == len(set(names)) == length and all(names)
        groups = getattr(space, "feature_groups", dict)().values()
        covered = [place for columns, _ in groups for place in range(length)[columns]]
        assert covered == list(range(length))

    def test_draws_the_same_picture_twice_and_another_for_another_architecture(self, space):
        rng = np.random.default_rng(2)
        first = space.sample(rng)
        second = next(other for other in space.neighbours(first) if space.key(other) != space.key(first))
        pictures = []
        for architecture in (first, first, second):
            figure = Figure(figsize=(4, 2), dpi=60)
            draw(space, architecture, figure.add_axes((0, 0, 1, 1)))
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            pictures.append(np.array(canvas.buffer_rgba()))
        assert pictures[0].std() > 5
        assert np.array_equal(pictures[0], pictures[1])
        assert not np.array_equal(pictures[0], pictures[2])

    def test_size_counts_every_complete_sequence(self, tiny_space):
        sequences = list(token_sequences(tiny_space))
        assert tiny_space.size() == len(sequences) == len(set(sequences))

    def test_equal_keys_have_equal_features(self, tiny_space):
        seen = {}
        for number, tokens in enumerate(token_sequences(tiny_space)):
            if number % 3 == 0:
                architecture = tiny_space.decode(tokens)
                features = tiny_space.features(architecture)
                assert np.array_equal(seen.setdefault(tiny_space.key(architecture), features), features)

    def test_every_complete_sequence_is_sampled_equally_often(self, tiny_space):
        sequences = list(token_sequences(tiny_space))
        rng, number = np.random.default_rng(0), dict.fromkeys(sequences, 0)
        for _ in range(40_000):
            number[tiny_space.encode(tiny_space.sample(rng))] += 1
        counts = np.array(list(number.values()))
        # Sequences in groups, so that every group is drawn often enough for the test to hold.
        groups = np.add.reduceat(counts, np.arange(0, len(counts), max(1, len(counts) // 100)))
        sizes = np.add.reduceat(np.ones(len(counts)), np.arange(0, len(counts), max(1, len(counts) // 100)))
        assert chisquare(groups, sizes * counts.sum() / sizes.sum()).pvalue > 1e-3

    def test_that_test_notices_a_bias_of_a_tenth(self):
        space = CellSpace(blocks=1, operations=("conv3x3", "identity", "maxpool3x3"))
        rng, number = np.random.default_rng(0), {sequence: 0 for sequence in token_sequences(space)}
        for _ in range(100 * len(number)):
            number[space.encode(space.sample(rng))] += 1
        assert chisquare(list(number.values())).pvalue > 1e-3
        # The same test notices a bias of a tenth in half of the sequences.
        biased = [count * (1.1 if sequence[0] else 0.9) for sequence, count in number.items()]
        assert chisquare(biased, np.full(len(biased), np.mean(biased))).pvalue < 1e-3
