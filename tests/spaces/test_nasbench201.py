"""NAS-Bench-201: forms, identity, and features that see through skip connections and dead edges."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alphaxenas.spaces import NASBench201, NASBench201Cell
from alphaxenas.spaces.nasbench.nasbench201 import EDGES, FLOW_201, OPERATIONS_201

SPACE = NASBench201()
STRING = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


def named_features(code):
    return {
        name: value
        for name, value in zip(SPACE.feature_names(), SPACE.features(SPACE.parse(code)), strict=True)
        if value
    }


def paths(code):
    return {name: value for name, value in named_features(code).items() if "=" not in name and name not in FLOW_201}


def flow(code):
    return {name: float(value) for name, value in named_features(code).items() if name in FLOW_201}


class TestForms:
    def test_the_string_the_digits_and_json_are_the_same_cell(self):
        cell = SPACE.parse(STRING)
        assert str(cell) == STRING == SPACE.key(cell)
        assert SPACE.parse("421211") == SPACE.parse(f"  {STRING} ") == SPACE.parse(cell.to_json()) == cell
        assert SPACE.encode(cell) == (4, 2, 1, 2, 1, 1)
        assert list(json.loads(cell.to_json())["edges"]) == ["0->1", "0->2", "1->2", "0->3", "1->3", "2->3"]

    def test_there_are_fifteen_thousand_six_hundred_and_twenty_five_strings(self):
        keys = {
            SPACE.key(SPACE.decode((a, b, c, d, e, f)))
            for a in range(5)
            for b in range(5)
            for c in range(5)
            for d in range(5)
            for e in range(5)
            for f in range(5)
        }
        assert len(keys) == SPACE.size() == 15_625

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("42121", "six digits from 0 to 4"),
            ("421215", "six digits from 0 to 4"),
            ("|none~0|", "Expected a string such as"),
            (STRING.replace("~2", "~1"), r"at edge 2->3. Expected `operation~2`. Received: 'skip_connect~1'"),
            (STRING.replace("avg_pool", "avg_pol"), r"edge 0->1.*Did you mean 'avg_pool_3x3'"),
            ('{"edges": {"0->1": "none"}}', "with the edges 0->1, 0->2"),
            ('{"edges": ', "valid JSON"),
            ("", "Expected a string such as"),
        ],
    )
    def test_anything_else_is_refused_with_a_message(self, text, message):
        with pytest.raises(ValueError, match=message):
            SPACE.parse(text)

    def test_a_cell_has_six_known_operations(self):
        with pytest.raises(ValueError, match="Expected 6 names. Received: 2"):
            NASBench201Cell(("none", "none"))
        with pytest.raises(ValueError, match="edge 2->3"):
            NASBench201Cell((*["none"] * 5, "conv"))

    def test_a_move_changes_the_operation_of_its_edge(self):
        for place, edge in enumerate(EDGES):
            cell = SPACE.decode(tuple(3 if other == place else 0 for other in range(6)))
            assert cell.operations[EDGES.index(edge)] == OPERATIONS_201[3] and cell.operations.count("none") == 5

    def test_wrong_sequences_are_refused_by_name(self):
        for tokens, message in (((0,) * 5, "Expected 6 tokens"), ((0, 0, 7, 0, 0, 0), "at place 2")):
            with pytest.raises(ValueError, match=message):
                SPACE.decode(tokens)
        with pytest.raises(ValueError, match="at most 6 tokens"):
            SPACE.legal_actions((0,) * 7)


class TestFeatures:
    def test_paths_are_counted_without_skips_and_end_at_none(self):
        # Paths: direct 3x3; 1x1 then skip; skip then none, so no route; 1x1, avg, none, so no route.
        assert paths("214310") == {"nor_conv_1x1": 1, "nor_conv_3x3": 1}
        assert paths("333333") == {
            "nor_conv_3x3": 1,
            "nor_conv_3x3 > nor_conv_3x3": 2,
            " > ".join(["nor_conv_3x3"] * 3): 1,
        }
        assert paths("111111") == {"direct": 4}
        assert paths("000000") == {}

    def test_the_same_function_written_twice_has_the_same_paths_and_another_key(self):
        one, other = SPACE.parse("130030"), SPACE.parse("000300")
        assert paths("130030") == paths("000300") == {"nor_conv_3x3": 1}
        assert SPACE.key(one) != SPACE.key(other)
        assert not np.array_equal(SPACE.features(one), SPACE.features(other))

    def test_flow_counts_live_edges_alone(self):
        # 0->1 1x1, 0->2 none, 1->2 3x3, 0->3 avg, 1->3 none, 2->3 skip: the routes are avg, and 1x1 > 3x3.
        found = flow("203401")
        assert found.pop("log parameters") == pytest.approx(np.log(1 + 1 + 9))
        assert found == {
            "number of skip_connect": 1,
            "number of nor_conv_1x1": 1,
            "number of nor_conv_3x3": 1,
            "number of avg_pool_3x3": 1,
            "paths": 2,
            "longest path by conv3x3": 1,
            "mean path by conv3x3": 0.5,
            "longest path by convolution": 2,
            "mean path by convolution": 1,
            "longest path by pool": 1,
            "mean path by pool": 0.5,
            "longest path by operation": 2,
            "shortest path by operation": 1,
            "mean path by operation": 1.5,
        }
        assert flow("333000") == {} == flow("000000")  # nothing gets to the output
        assert [flow(code)["log parameters"] for code in ("333301", "303301")] == pytest.approx(
            [np.log(1 + 36), np.log(1 + 27)]
        )

    def test_order_matters_along_a_path(self):
        assert paths("200030") == {"nor_conv_1x1 > nor_conv_3x3": 1} != paths("300020")

    def test_every_cell_has_its_own_vector_and_nobody_can_change_it(self):
        rng = np.random.default_rng(0)
        cells = {SPACE.sample(rng) for _ in range(500)}
        assert len({SPACE.features(cell).tobytes() for cell in cells}) == len(cells)
        with pytest.raises(ValueError, match="read-only"):
            SPACE.features(SPACE.parse("000000"))[0] = 1
