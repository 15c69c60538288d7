"""Cells: forms, canonical keys, errors that help."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.controllers.history import complete_sequences
from alphaxenas.spaces import COMBINATIONS, OPERATIONS, Block, Cell, CellSpace
from alphaxenas.spaces.canonical import canonical_form

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED_EXAMPLE = "prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3"


@st.composite
def cells(draw, most_blocks=6, operations=OPERATIONS):
    """Cells of few blocks; few operations make twins and symmetric graphs likely."""
    number = draw(st.integers(1, most_blocks))
    chosen = draw(st.integers(1, len(operations)))
    names, signs = st.sampled_from(operations[:chosen]), st.sampled_from(COMBINATIONS)
    sources = [st.integers(0, k + 1) for k in range(number)]
    return Cell(tuple(Block(draw(s), draw(s), draw(names), draw(names), draw(signs)) for s in sources))


def renumbered(cell, order):
    """The same graph with block `order[p]` at place p; None when a block would come before one that it uses."""
    numbering = {0: 0, 1: 1} | {2 + old: 2 + new for new, old in enumerate(order)}
    blocks = [
        Block(numbering[b.input1], numbering[b.input2], b.operation1, b.operation2, b.combination)
        for b in (cell.blocks[old] for old in order)
    ]
    legal = all(max(b.input1, b.input2) < place + 2 for place, b in enumerate(blocks))
    return Cell(tuple(blocks)) if legal else None


def written(**changes):
    """The JSON form of a cell of one block with fields changed, or left out where the change is `...`."""
    fields = {"inputs": ["prev", "prev2"], "operations": ["sep3x3", "identity"], "combination": "add"} | changes
    return json.dumps({"blocks": [{name: value for name, value in fields.items() if value is not ...}]})


def turned(block):
    return Block(block.input2, block.input1, block.operation2, block.operation1, block.combination)


def disguised(cell, rng):
    """The same graph, numbered at random, with the halves of random blocks exchanged."""
    order, waiting = [], list(range(len(cell.blocks)))
    while waiting:
        ready = [k for k in waiting if all(s < 2 or s - 2 in order for s in cell.rows[k][:2])]
        order.append(int(rng.choice(ready)))
        waiting.remove(order[-1])
    other = renumbered(cell, order)
    return Cell(tuple(turned(block) if rng.integers(2) else block for block in other.blocks))


def smallest_form(cell):
    """The key by brute force: every legal numbering, halves sorted, the smallest in dictionary order."""
    forms = []
    for order in permutations(range(len(cell.blocks))):
        if (other := renumbered(cell, order)) is not None:
            forms.append(
                [(sorted([(b.input1, b.operation1), (b.input2, b.operation2)]), b.combination) for b in other.blocks]
            )
    return str(min(forms))


class TestKeys:
    @settings(max_examples=200, deadline=None)
    @given(cells(), st.integers(0, 2**32))
    def test_key_and_features_survive_swapping_and_renumbering(self, cell, seed):
        space = CellSpace(blocks=len(cell.blocks))
        other = disguised(cell, np.random.default_rng(seed))
        assert space.key(other) == space.key(cell)
        assert np.array_equal(space.features(other), space.features(cell))
        rows = canonical_form(cell.rows)
        assert canonical_form(other.rows) == rows == canonical_form(rows)

    @settings(max_examples=100, deadline=None)
    @given(cells())
    def test_key_is_the_text_of_the_same_graph(self, cell):
        space = CellSpace(blocks=len(cell.blocks))
        twin = space.parse(space.key(cell))
        assert smallest_form(twin) == smallest_form(cell)

    @pytest.mark.parametrize(
        "space",
        [
            CellSpace(blocks=2, operations=("conv3x3", "identity")),
            CellSpace(blocks=3, operations=("conv3x3",)),
            CellSpace(blocks=4, operations=("conv3x3",), combinations=("add",)),
        ],
        ids=["2 blocks", "3 blocks", "4 blocks"],
    )
    def test_keys_are_equal_exactly_for_equal_graphs(self, space):
        key_of, form_of = {}, {}
        for tokens in complete_sequences(space):
            cell = space.decode(tokens)
            key, form = space.key(cell), smallest_form(cell)
            assert key_of.setdefault(form, key) == key, "one graph, two keys"
            assert form_of.setdefault(key, form) == form, "two graphs, one key"
        assert 1 < len(key_of) < space.size()

    def test_using_one_twin_twice_is_not_using_each_once(self):
        space = CellSpace(blocks=3)
        twins = "prev:conv3x3 + prev:conv3x3; prev:conv3x3 + prev:conv3x3; "
        twice, each = space.parse(twins + "b0:identity + b0:identity"), space.parse(twins + "b0:identity + b1:identity")
        other_twice = space.parse(twins + "b1:identity + b1:identity")
        assert space.key(twice) == space.key(other_twice) != space.key(each)

    def test_operations_stay_with_their_inputs(self):
        space = CellSpace(blocks=1)
        one, two = space.parse("prev:conv3x3 + prev2:identity"), space.parse("prev:identity + prev2:conv3x3")
        assert space.key(one) != space.key(two)
        assert space.key(one) == space.key(space.parse("prev2:identity + prev:conv3x3"))

    def test_the_two_cell_inputs_and_the_two_combinations_are_different(self):
        space = CellSpace(blocks=1)
        texts = ("prev:identity + prev:identity", "prev2:identity + prev2:identity", "prev:identity | prev:identity")
        assert len({space.key(space.parse(text)) for text in texts}) == 3

    def test_many_twins_are_numbered_without_trying_every_order(self, monkeypatch):
        from alphaxenas.spaces import canonical

        calls = []
        code = canonical._code
        monkeypatch.setattr(canonical, "_code", lambda *arguments: calls.append(1) or code(*arguments))
        canonical_form([(0, 0, "conv3x3", "conv3x3", "add")] * 12)
        assert len(calls) < 10_000


class TestForms:
    def test_the_text_form_reads_as_documented(self):
        cell = CellSpace(blocks=2).parse(PUBLISHED_EXAMPLE)
        assert cell.blocks == (Block(0, 1, "conv3x3", "sep5x5", "add"), Block(2, 0, "identity", "maxpool3x3", "concat"))
        assert cell.to_text() == str(cell) == PUBLISHED_EXAMPLE
        assert cell.output_blocks() == (1,)

    def test_spaces_do_not_matter_in_text(self):
        space = CellSpace(blocks=2)
        assert space.parse(PUBLISHED_EXAMPLE.replace(" ", "")) == space.parse(f"\n {PUBLISHED_EXAMPLE} ;\n")

    def test_the_json_form_has_a_line_per_block(self):
        lines = Cell.parse(PUBLISHED_EXAMPLE).to_json().splitlines()
        assert (
            lines[2] == '    {"inputs": ["prev", "prev2"], "operations": ["conv3x3", "sep5x5"], "combination": "add"},'
        )
        assert len(lines) == 6

    @settings(max_examples=100, deadline=None)
    @given(cells())
    def test_both_forms_lose_nothing(self, cell):
        assert Cell.parse(cell.to_text()) == cell
        assert Cell.parse(cell.to_json()) == cell

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(st.text(), st.text(alphabet="prev2b01:+|; conv3x{}[]\"',")))
    def test_any_other_text_is_refused_with_a_message(self, text):
        try:
            cell = CellSpace(blocks=1).parse(text)
        except ValueError as error:
            assert str(error).startswith("Invalid value for `")
        else:
            assert CellSpace(blocks=1).parse(cell.to_text()) == cell

    def test_output_blocks_are_the_blocks_nobody_uses(self):
        chain = Cell.parse("prev:identity + prev:identity; b0:identity + b0:identity; b0:identity + prev:identity")
        assert chain.output_blocks() == (1, 2)


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (
                "prev:conv3 + prev:identity",
                ("`operation` in block b0", "conv3x3, conv5x5", "'conv3'", "mean 'conv3x3'?"),
            ),
            ("prev:MaxPool3x3 + prev:identity", ("Did you mean 'maxpool3x3'?",)),
            ("b0:conv3x3 + prev:identity", ("`input` in block b0", "prev, prev2", "'b0'")),
            ("prev1:conv3x3 + prev:identity", ("'prev1'", "Did you mean 'prev'?")),
            ("prev:conv3x3 prev:identity", ("block b0", "+ (add) or | (concat)")),
            ("prev:conv3x3 + prev:identity + prev:identity", ("block b0",)),
            ("conv3x3 + prev:identity", ("block b0", "input:operation")),
            ("", ("Expected text such as 'prev:conv3x3",)),
            ("prev:conv3x3 + prev:identity; prev:conv1x1 + prev:conv1x1", ("Expected 1 blocks. Received: 2",)),
            (written(operations=["sep3", "identity"]), ("'sep3x3'?",)),
            (written(operations=["sep3x3", ["x"]]), ("Received: ['x'].",)),
            (written(combination="sum"), ("`combination`", "add, concat", "'sum'")),
            (written(operation=["sep3x3", "identity"]), ("`field`", "'operations'?")),
            (written(combination=...), ("field 'combination'",)),
            (written(inputs=["prev"]), ("list of two names",)),
            (written(inputs=["prev", 3]), ("Received: 3.",)),
            ('{"blocks": []}', ("at least one block",)),
            ('{"blocks": [7]}', ("Received: 7",)),
            ("[1, 2]", ("JSON object",)),
            ('{"blocks": [', ("valid JSON",)),
        ],
    )
    def test_bad_text_says_where_what_is_allowed_and_the_nearest(self, text, words):
        with pytest.raises(ValueError) as raised:
            CellSpace(blocks=1).parse(text)
        assert all(word in str(raised.value) for word in words), raised.value

    def test_what_is_allowed_is_what_this_space_declares(self):
        space = CellSpace(blocks=1, operations=("conv3x3", "identity"), combinations=("add",))
        with pytest.raises(ValueError, match="Expected one of conv3x3, identity. Received: 'sep3x3'"):
            space.parse("prev:sep3x3 + prev:identity")
        with pytest.raises(ValueError, match="Expected one of add. Received: 'concat'"):
            space.parse("prev:conv3x3 | prev:identity")
        with pytest.raises(ValueError, match="in block b0. Expected one of conv3x3, identity"):
            space.encode(Cell.parse("prev:sep3x3 + prev:identity"))

    @pytest.mark.parametrize(
        ("settings_", "words"),
        [
            ({"blocks": 0}, "`blocks`. Expected a whole number >= 1. Received: 0"),
            ({"blocks": 2.5}, "`blocks`"),
            ({"operations": ["conv3x4"]}, "Received: 'conv3x4'. Did you mean 'conv3x3'?"),
            ({"operations": []}, "`operations`. Expected a list of names"),
            ({"operations": "conv3x3"}, "`operations`. Expected a list of names"),
            ({"operations": ["conv3x3", "conv3x3"]}, "'conv3x3' more than once"),
            ({"combinations": ["sum"]}, "`combinations`. Expected one of add, concat"),
        ],
    )
    def test_impossible_spaces_are_refused(self, settings_, words):
        with pytest.raises(ValueError) as raised:
            CellSpace(**settings_)
        assert words in str(raised.value)

    def test_a_block_cannot_use_itself_or_a_later_one(self):
        with pytest.raises(ValueError, match="`input` in block b1. Expected a whole number from 0 to 2"):
            Cell((Block(0, 0, "identity", "identity", "add"), Block(3, 0, "identity", "identity", "add")))
        with pytest.raises(ValueError, match="at least one block"):
            Cell(())


class TestSpace:
    def test_default_size_is_the_closed_formula(self):
        assert CellSpace().size() == (2 * 3 * 4 * 5) ** 2 * 10**8 * 2**4 == 23_040_000_000_000

    def test_size_is_exact_beyond_floats(self):
        assert CellSpace(blocks=12).size() % (10**24) == 0
        assert CellSpace(blocks=12).size() > 2**100

    def test_vocabulary_is_inputs_then_operations_then_combinations(self):
        space = CellSpace(blocks=3)
        assert space.vocabulary == ("prev", "prev2", "b0", "b1", *OPERATIONS, "add", "concat")
        assert space.max_length == 15

    def test_every_block_may_use_both_cell_inputs_and_every_earlier_block(self):
        space = CellSpace(blocks=4)
        for number in range(4):
            prefix = space.encode(space.sample(np.random.default_rng(number)))[: 5 * number]
            assert space.legal_actions(prefix) == space.legal_actions((*prefix, 0)) == tuple(range(number + 2))

    def test_lists_from_a_profile_are_as_good_as_tuples(self):
        assert CellSpace(4, list(OPERATIONS), ["add", "concat"]) == CellSpace()

    def test_a_sequence_too_long_is_refused(self):
        with pytest.raises(ValueError, match="at most 5 tokens"):
            CellSpace(blocks=1).legal_actions((0,) * 6)

    def test_spaces_and_random_search_load_without_tensorflow_or_matplotlib(self):
        program = (
            "import sys, alphaxenas.spaces, alphaxenas.controllers.baselines.random_search;"
            "print(sorted({'tensorflow', 'matplotlib', 'keras'} & set(sys.modules)))"
        )
        answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "[]"


class TestFeatures:
    def test_entries_mean_what_their_names_say(self):
        space = CellSpace(blocks=3, operations=("conv3x3", "identity"))
        cell = space.parse("prev:conv3x3 + prev2:identity; b0:conv3x3 | b0:identity; prev:identity + b1:conv3x3")
        named = dict(zip(space.feature_names(), space.features(cell), strict=True))
        assert named["conv3x3"] == named["identity"] == 3
        assert named["prev > conv3x3"] == 1 and named["prev > identity"] == 1 and named["block > conv3x3"] == 2
        assert named["conv3x3 > conv3x3"] == 2 and named["identity > conv3x3"] == 2 and named["conv3x3 > identity"] == 1
        assert named["conv3x3 with identity"] == 3
        assert named["identity in add"] == 2 and named["identity in concat"] == 1 and named["add > output"] == 1
        assert named["add"] == 2 and named["concat"] == 1
        assert named["longest path by block"] == 3 and named["output blocks"] == 1 and named["reused blocks"] == 1
        # Paths: prev and prev2 through b0, each through either half of b1, then b2; and prev straight into b2.
        assert named["paths"] == 5
        assert named["mean path length"] == pytest.approx((4 * 3 + 1) / 5)
        assert named["conv3x3 per path"] == pytest.approx((3 + 2 + 2 + 1 + 0) / 5)
        assert named["conv3x3 > output"] == 1

    def test_they_tell_nearly_all_neighbours_apart(self):
        space = CellSpace(blocks=4)
        cell = space.sample(np.random.default_rng(0))
        found = {space.key(other): space.features(other).tobytes() for other in [cell, *space.neighbours(cell)]}
        assert len(set(found.values())) > 0.95 * len(found)
