"""Declared spaces: sizes, conditions, constraints, skip connections, and what is wrong with a declaration."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alphaxenas.controllers.history import TrialHistory
from alphaxenas.report.pictures import drawings
from alphaxenas.spaces import Chain, Layer, StateSpace
from alphaxenas.spaces.chains.presets import MNIST_BY_HAND, convolution_chains, mnist_chains
from alphaxenas.spaces.drawing.chain import _arranged
from alphaxenas.spaces.drawing.registry import natural_size

KERNELS = StateSpace(2).add("kernel", [1, 3]).add("filters", [16, 32, 64])


def sequences_of(space, tokens=()):
    actions = space.legal_actions(tokens)
    return (
        [sequence for action in actions for sequence in sequences_of(space, (*tokens, action))] if actions else [tokens]
    )


def layer(**values) -> Layer:
    return Layer(tuple(values.items()))


class TestSizes:
    def test_titu1994_has_1296_networks_and_a_sequence_of_eight_moves(self):
        space = convolution_chains()
        assert (space.size(), space.max_length, len(sequences_of(space))) == (1296, 8, 1296)

    def test_the_chains_of_wallarm_hold_the_network_of_its_blog(self):
        space = mnist_chains()
        assert space.size() == (4 * 4 * 4 * 4) ** 2
        assert space.parse(MNIST_BY_HAND).layers[1] == layer(kernel=5, filters=64, pool=2, dropout=0.0)

    def test_skip_connections_double_the_sequences_for_every_pair_of_layers(self):
        assert StateSpace(6, skips=True).add("kernel", [1, 3, 5]).size() == 3**6 * 2 ** (6 * 5 // 2)

    def test_big_spaces_are_counted_exactly(self):
        space = StateSpace(40, skips=True).add("kernel", [1, 3]).add("filters", [16, 32, 64])
        assert space.size() == 6**40 * 2**780

    def test_a_space_is_not_changed_by_adding_to_it(self):
        before = StateSpace(2).add("kernel", [1, 3])
        after = before.add("filters", [8])
        assert (before.size(), after.size()) == (4, 4) and before != after and len(before.choices) == 1


class TestConditions:
    SPACE = (
        StateSpace(1)
        .add("kind", ["conv", "pool"])
        .add("filters", [8, 16, 32], when={"kind": "conv"})
        .add("size", [2, 3], when={"kind": ["pool"]})
    )

    def test_a_choice_exists_only_under_its_condition(self):
        assert {str(self.SPACE.decode(sequence)) for sequence in sequences_of(self.SPACE)} == {
            "kind=conv, filters=8",
            "kind=conv, filters=16",
            "kind=conv, filters=32",
            "kind=pool, size=2",
            "kind=pool, size=3",
        }

    def test_a_neighbour_with_another_kind_takes_every_value_of_the_new_choice_and_loses_the_old(self):
        found = {str(other) for other in self.SPACE.neighbours(self.SPACE.parse("kind=conv, filters=8"))}
        assert found == {"kind=conv, filters=16", "kind=conv, filters=32", "kind=pool, size=2", "kind=pool, size=3"}

    def test_neighbours_are_mutual(self):
        chains = [self.SPACE.decode(sequence) for sequence in sequences_of(self.SPACE)]
        for one in chains:
            for other in self.SPACE.neighbours(one):
                assert one in self.SPACE.neighbours(other)

    def test_conditions_may_hang_on_conditions(self):
        space = StateSpace(1).add("a", [0, 1]).add("b", [0, 1], when={"a": 1}).add("c", [0, 1], when={"b": 1})
        assert space.size() == 1 + 1 + 2

    def test_a_choice_that_should_not_exist_is_refused(self):
        with pytest.raises(ValueError, match="layer 0. Expected the choices kind, filters"):
            self.SPACE.parse("kind=conv, size=2")


class TestConstraints:
    def test_what_leads_into_a_dead_end_is_no_legal_move(self):
        growing = (
            StateSpace(3)
            .add("width", [1, 2, 3])
            .constrain("width", lambda before, layer: layer["width"] > before["width"], over="pair")
        )
        assert growing.size() == 1
        assert growing.legal_actions(()) == (0,) and growing.legal_actions((0,)) == (1,)

    def test_a_constraint_on_all_layers_so_far(self):
        space = (
            StateSpace(4)
            .add("width", [1, 2, 3])
            .constrain("width", lambda layers: sum(each["width"] for each in layers) <= 6, over="prefix")
        )
        expected = sum(sum(widths) <= 6 for widths in np.ndindex(3, 3, 3, 3) for widths in [np.array(widths) + 1])
        assert space.size() == len(sequences_of(space)) == expected

    def test_a_constraint_sees_the_choices_of_the_layer_up_to_its_own(self):
        seen = set()
        KERNELS.constrain("kernel", lambda layer: seen.add(tuple(layer)) or True)
        assert seen == {("kernel",)}

    def test_neighbours_and_samples_keep_constraints(self):
        space = KERNELS.constrain("filters", lambda layer: layer["kernel"] == 1 or layer["filters"] < 64)
        assert space.size() == 25
        rng = np.random.default_rng(0)
        for _ in range(20):
            for chain in (space.sample(rng), *space.neighbours(space.sample(rng))):
                assert all(each["kernel"] == 1 or each["filters"] < 64 for each in chain.layers)

    def test_what_a_constraint_forbids_is_refused(self):
        space = KERNELS.constrain("filters", lambda layer: layer["filters"] < 64)
        with pytest.raises(ValueError, match="constraints allow"):
            space.parse("kernel=1, filters=64; kernel=1, filters=16")


class TestBadDeclarations:
    @pytest.mark.parametrize("layers", [0, -1, True, 1.5, "4"])
    def test_layers_below_one(self, layers):
        with pytest.raises(ValueError, match="`layers`. Expected a whole number >= 1"):
            StateSpace(layers)

    def test_an_empty_choice_is_named(self):
        with pytest.raises(ValueError, match="choice 'kernel'. Expected at least one value"):
            StateSpace(1).add("kernel", [])

    @pytest.mark.parametrize("values", [[1, 3, 1], [1, 1.0], [True, 1], ["1", 1]])
    def test_a_value_given_twice_is_named(self, values):
        with pytest.raises(ValueError, match="choice 'kernel'. Expected every value once"):
            StateSpace(1).add("kernel", values)

    def test_a_choice_declared_twice_is_named(self):
        with pytest.raises(ValueError, match="Expected every choice once. Received: 'kernel'"):
            KERNELS.add("kernel", [5])

    @pytest.mark.parametrize("values", ["abc", [None], [float("nan")], ["a,b"], [" a"], [[1]]])
    def test_values_that_cannot_be_written_are_refused(self, values):
        with pytest.raises(ValueError, match="choice 'kernel'. Expected"):
            StateSpace(1).add("kernel", values)

    @pytest.mark.parametrize("name", ["", "skips", "a=b", " a", 3])
    def test_names_that_cannot_be_written_are_refused(self, name):
        with pytest.raises(ValueError, match="`name`"):
            StateSpace(1).add(name, [1])

    def test_a_condition_on_an_unknown_choice_or_value_names_the_nearest(self):
        with pytest.raises(ValueError, match="Did you mean 'kernel'"):
            KERNELS.add("rate", [0.1], when={"kernal": 3})
        with pytest.raises(ValueError, match="when of filters.*Did you mean '32'"):
            KERNELS.add("rate", [0.1], when={"filters": 33})

    def test_a_constraint_that_leaves_nothing_legal_names_the_choice(self):
        with pytest.raises(ValueError, match="nothing is left legal for the choice 'filters' in layer 0"):
            KERNELS.constrain("filters", lambda layer: False)
        with pytest.raises(ValueError, match="nothing is left legal for the choice 'kernel' in layer 1"):
            KERNELS.constrain("kernel", lambda before, layer: False, over="pair")

    def test_a_constraint_that_tells_too_much_apart_names_the_choice(self, monkeypatch):
        monkeypatch.setattr("alphaxenas.spaces.chains.automaton.MOST_STATES", 50)
        with pytest.raises(ValueError, match="constraint on 'filters': more than 50 prefixes"):
            StateSpace(3).add("filters", list(range(10))).constrain("filters", lambda layers: True, over="prefix")

    def test_a_space_without_choices_says_so(self):
        with pytest.raises(ValueError, match="Expected at least one; add it with `add`"):
            StateSpace(3).legal_actions(())


class TestForms:
    SPACE = (
        StateSpace(3, skips=True)
        .add("kernel", [1, 3])
        .add("act", ["relu", "tanh"])
        .add("drop", [True, False])
        .add("rate", [0.0, 0.25])
    )
    TEXT = (
        "kernel=3, act=relu, drop=True, rate=0.25; kernel=1, act=tanh, drop=False, rate=0.0, skips=0; "
        "kernel=1, act=relu, drop=True, rate=0.0, skips=none"
    )

    def test_values_come_back_in_their_own_types(self):
        chain = self.SPACE.parse(self.TEXT)
        assert str(chain) == self.TEXT
        assert [type(value) for value in chain.layers[0].values()] == [int, str, bool, float]
        assert json.loads(chain.to_json())["layers"][1] == {
            "kernel": 1,
            "act": "tanh",
            "drop": False,
            "rate": 0.0,
            "skips": [0],
        }

    def test_layers_that_feed_and_layers_that_feed_nothing(self):
        chain = self.SPACE.parse(self.TEXT)
        assert [chain.inputs(number) for number in range(3)] == [(), (0,), ()]
        assert chain.output_layers() == (1, 2)
        plain = Chain(chain.layers)
        assert [plain.inputs(number) for number in range(3)] == [(), (0,), (1,)] and plain.output_layers() == (2,)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("kernel=1, filters=16", "Expected 2 layers. Received: 1"),
            ("kernel=1, filters=16; kernel=2, filters=16", "`kernel` in layer 1. Expected one of 1, 3"),
            ("kernel=1, filters=16; kernal=1, filters=16", "layer 1.*Did you mean 'kernel'"),
            ("kernel=1; kernel=1, filters=16", "layer 0. Expected the choices kernel, filters"),
            ("kernel=1, kernel=3; kernel=1, filters=16", "layer 0. Expected every choice once"),
            ("kernel 1; kernel=1, filters=16", "layer 0. Expected `NAME=VALUE`"),
            ("kernel=1, filters=16; kernel=1, filters=16, skips=0", "`skips` in layer 1"),
            ('{"layers": 3}', "Expected"),
            ('{"layers": [', "valid JSON"),
        ],
    )
    def test_what_is_wrong_with_a_text_is_said(self, text, message):
        with pytest.raises(ValueError, match=message):
            KERNELS.parse(text)

    @pytest.mark.parametrize("skips", [0, "0", [2], ["x"], [[0]]])
    def test_skip_connections_that_are_none_are_refused(self, skips):
        content = json.loads(self.SPACE.parse(self.TEXT).to_json())
        content["layers"][1]["skips"] = skips
        with pytest.raises(ValueError, match="`skips` in layer 1"):
            self.SPACE.parse(json.dumps(content))

    def test_a_layer_is_a_mapping(self):
        one = layer(kernel=3, filters=16)
        assert dict(one) == {"kernel": 3, "filters": 16} and one.get("pool", 1) == 1 and "filters" in one
        with pytest.raises(KeyError):
            one["pool"]

    def test_features_hold_every_choice_and_their_groups_cover_them(self):
        features, names = self.SPACE.features(self.SPACE.parse(self.TEXT)), self.SPACE.feature_names()
        value = dict(zip(names, features))
        assert (
            value["0: kernel=3"],
            value["1: kernel=3"],
            value["number of kernel=1"],
            value["1: skips 0"],
            value["0: level of rate"],
        ) == (1, 0, 2, 1, 1)
        groups = self.SPACE.feature_groups()
        assert sum(part.stop - part.start for part, _ in groups.values()) == len(names)


class TestPictures:
    def test_arcs_that_overlap_have_lanes_of_their_own(self):
        space = StateSpace(4, skips=True).add("kernel", [1])
        chain = space.parse("kernel=1; kernel=1, skips=none; kernel=1, skips=0+1; kernel=1, skips=0+2")
        lanes = _arranged(chain).edges
        # Node 0 is the input, node k + 1 layer k, node 5 the output.
        assert set(lanes) == {(0, 1), (0, 2), (1, 3), (2, 3), (1, 4), (3, 4), (4, 5)}
        assert {edge for edge, lane in lanes.items() if lane} == {(0, 2), (1, 3), (1, 4)}
        assert len({lanes[edge] for edge in ((0, 2), (1, 3), (1, 4))}) == 3

    def test_pictures_of_chains_stand_below_each_other_at_their_natural_size(self):
        short, long = StateSpace(1).add("kernel", [1, 3]), StateSpace(5).add("kernel", [1, 3])
        chains = [space.decode((0,) * space.max_length) for space in (short, long)]
        assert natural_size(chains[0])[0] < natural_size(chains[1])[0]
        figure = drawings(chains, [short, long], ["short", "long"])
        first, second = (axes.get_position() for axes in figure.axes)
        assert first.y0 > second.y1 and first.width < second.width


class TestPrior:
    def test_weights_stand_at_the_tokens_of_their_values(self):
        space = StateSpace(2).add("kernel", [1, 3, 5], prior=[1, 4, 2]).add("filters", [8, 16])
        assert space.token_weights.tolist() == [1, 4, 2, 1, 1]
        assert StateSpace(2).add("kernel", [1, 3]).token_weights is None

    @pytest.mark.parametrize("prior", [[1, 2], [1, 0, 1], [1, -1, 1], [1, float("nan"), 1], ["a", 1, 1]])
    def test_a_weight_above_0_for_every_value_is_expected(self, prior):
        with pytest.raises(ValueError, match="`prior` of choice 'kernel'. Expected 3 weights above 0"):
            StateSpace(1).add("kernel", [1, 3, 5], prior=prior)

    def test_first_draws_follow_it_and_later_ones_forget_it(self):
        space = StateSpace(4).add("kernel", [1, 3, 5], prior=[1, 8, 1])
        history = TrialHistory(space)
        rng, shares = np.random.default_rng(0), []
        for _ in range(75):
            tokens = history.draw(rng)
            shares.append(np.mean(np.equal(tokens, 1)))
            history.observe(tokens, 0.5)
        assert history.prior.exponent == 10 / 75
        assert np.mean(shares[:10]) > 0.55 and np.mean(shares[40:]) < 0.4
        assert history.prior.preference([(1, 1, 1, 1)])[0] > 0 > history.prior.preference([(0, 0, 0, 0)])[0]
