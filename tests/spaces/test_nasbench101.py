"""NAS-Bench-101: the official hash, one sequence per labelled graph, no wasted moves, neighbours of any numbering."""

from __future__ import annotations

from hashlib import md5
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.controllers.history import complete_sequences
from alphaxenas.spaces import NASBench101, NASBench101Cell
from alphaxenas.spaces.nasbench.cell101 import OPERATIONS_101

FULL = NASBench101()
CONV, SMALL, POOL = OPERATIONS_101
SEEDS = st.integers(0, 2**32)


def cells_of(space):
    return [space.decode(tokens) for tokens in complete_sequences(space)]


def renumbered(cell, rng):
    """The adjacency and operations of the same graph, inner vertices in any order, even against the edges."""
    vertices = len(cell.operations) + 2
    order = np.array([0, *(1 + rng.permutation(vertices - 2)), vertices - 1])
    names = np.array(["input", *cell.operations, "output"])
    return cell.matrix()[np.ix_(order, order)], names[order].tolist()


def all_labelled(vertices, edges):
    """Every connected labelled cell of exactly so many vertices and at most so many edges, by trying every matrix."""
    places = [(s, t) for t in range(1, vertices) for s in range(t)]
    for bits in product((0, 1), repeat=len(places)):
        chosen = [place for place, bit in zip(places, bits) if bit]
        if (
            len(chosen) > edges
            or {s for s, _ in chosen} != set(range(vertices - 1))
            or {t for _, t in chosen} != set(range(1, vertices))
        ):
            continue
        for operations in product(OPERATIONS_101, repeat=vertices - 2):
            yield operations, tuple(sorted(chosen))


def smallest_form(cell):
    """The graph by brute force: its smallest labelled form over all numberings."""
    vertices = len(cell.operations) + 2
    forms = []
    for inner in permutations(range(1, vertices - 1)):
        number = dict(zip((0, *inner, vertices - 1), range(vertices)))
        operations = tuple(cell.operations[vertex - 1] for vertex in inner)
        forms.append((operations, tuple(sorted((number[s], number[t]) for s, t in cell.edges))))
    return min(forms)


def hash_by_matrix(cell):
    """The benchmark's hash as its authors describe it, with matrices."""
    matrix = cell.matrix().astype(bool)
    labels = [-1, *(OPERATIONS_101.index(operation) for operation in cell.operations), -2]
    outgoing, incoming = matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist()
    hashes = [md5(str(triple).encode()).hexdigest() for triple in zip(outgoing, incoming, labels)]
    for _ in labels:
        new = []
        for vertex, own in enumerate(hashes):
            sources = sorted(hashes[other] for other in np.flatnonzero(matrix[:, vertex]))
            targets = sorted(hashes[other] for other in np.flatnonzero(matrix[vertex]))
            new.append(md5(("".join(sources) + "|" + "".join(targets) + "|" + own).encode()).hexdigest())
        hashes = new
    return md5(str(sorted(hashes)).encode()).hexdigest()


class TestKey:
    @settings(max_examples=100, deadline=None)
    @given(SEEDS)
    def test_isomorphic_graphs_have_one_key_and_one_feature_vector(self, seed):
        rng = np.random.default_rng(seed)
        cell = FULL.sample(rng)
        other = NASBench101Cell.from_matrix(*renumbered(cell, rng))
        assert FULL.key(other) == FULL.key(cell)
        assert np.array_equal(FULL.features(other), FULL.features(cell))

    @pytest.mark.parametrize(("vertices", "number"), [(3, 7), (4, 91), (5, 2532)])
    def test_keys_are_equal_exactly_for_isomorphic_graphs(self, vertices, number):
        space = NASBench101(vertices)
        key_of, form_of = {}, {}
        for cell in cells_of(space):
            key, form = space.key(cell), smallest_form(cell)
            assert key_of.setdefault(form, key) == key and form_of.setdefault(key, form) == form
        assert len(key_of) == number

    @settings(max_examples=50, deadline=None)
    @given(SEEDS)
    def test_key_is_the_published_recipe(self, seed):
        cell = FULL.sample(np.random.default_rng(seed))
        assert FULL.key(cell) == hash_by_matrix(cell)

    def test_key_of_a_cell_of_the_benchmark(self):
        # From the public table; any other punctuation, code or number of rounds gives another digest.
        cell = FULL.parse(f"{CONV}(0) {POOL}(1) {CONV}(2) {SMALL}(3) {CONV}(0,3,4) output(0,5)")
        assert FULL.key(cell) == "096f593e0f12d65f6220bf8565b764a9"


class TestSequence:
    @pytest.mark.parametrize(("vertices", "edges"), [(3, 9), (4, 9), (4, 4), (5, 9), (5, 5), (3, 2)])
    def test_every_labelled_cell_has_exactly_one_sequence(self, vertices, edges):
        space = NASBench101(vertices, edges)
        expected = {labelled for size in range(2, vertices + 1) for labelled in all_labelled(size, edges)}
        sequences = [(cell.operations, tuple(sorted(cell.edges))) for cell in cells_of(space)]
        assert len(sequences) == len(set(sequences)) == space.size()
        assert set(sequences) == expected

    def test_size_of_the_whole_space_is_exact(self):
        assert FULL.size() == 1_293_208
        assert NASBench101(6).size() == 128_509

    def test_sequences_are_counted_in_ascending_order(self):
        space = NASBench101(4)
        assert [space.encode(cell) for cell in space.architectures()] == list(complete_sequences(space))

    def test_moves_read_as_alphax_does(self):
        cell = FULL.parse(f"{CONV}(0) {POOL}(0,1) output(1,2)")
        moves = [FULL.vocabulary[token] for token in FULL.encode(cell)]
        assert moves == [f"add {CONV}", "0->1", f"add {POOL}", "0->2", "1->2", "1->output", "2->output", "terminate"]

    def test_the_smallest_cell_is_an_edge_from_input_to_output(self):
        tokens = FULL.encode(FULL.parse("output(0)"))
        assert [FULL.vocabulary[token] for token in tokens] == ["0->output", "terminate"]
        assert [FULL.vocabulary[token] for token in FULL.legal_actions(())] == [
            *(f"add {name}" for name in OPERATIONS_101),
            "0->output",
        ]

    def test_moves_that_could_not_be_completed_within_the_limits_are_illegal(self):
        space = NASBench101(7, 4)
        tokens = (0, *(space.vocabulary.index(move) for move in ("0->1", f"add {CONV}", "0->2")))
        # Two edges are left, and vertices 1 and 2 lead nowhere yet: no edge may start elsewhere, and no vertex be
        # added.
        assert [space.vocabulary[token] for token in space.legal_actions(tokens)] == ["1->2", "1->output"]

    def test_no_cell_has_more_vertices_or_edges_than_allowed(self):
        space, rng = NASBench101(5, 6), np.random.default_rng(0)
        cells = [space.sample(rng) for _ in range(300)]
        assert max(len(cell.operations) for cell in cells) == 3 and max(len(cell.edges) for cell in cells) == 6

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            ({"max_vertices": 2}, "`max_vertices`. Expected a whole number from 3 to 7. Received: 2"),
            ({"max_vertices": 8}, "Received: 8"),
            ({"max_vertices": True}, "Received: True"),
            ({"max_vertices": "7"}, "Received: '7'"),
            ({"max_edges": 10}, "`max_edges`. Expected a whole number from 2 to 9"),
            ({"max_edges": 1}, "Received: 1"),
        ],
    )
    def test_limits_outside_the_benchmark_are_refused(self, limits, message):
        with pytest.raises(ValueError, match=message):
            NASBench101(**limits)

    def test_cells_beyond_the_limits_of_a_space_are_refused(self):
        large = FULL.parse(f"{CONV}(0) {CONV}(1) {CONV}(2) output(3)")
        with pytest.raises(ValueError, match="at most 4 vertices and 9 edges. Received: 5 vertices and 4 edges"):
            NASBench101(4).encode(large)


class TestForms:
    def test_pruning_leaves_out_what_lies_on_no_path(self):
        matrix = np.zeros((6, 6), int)
        for source, target in ((0, 1), (1, 5), (0, 2), (3, 5), (2, 4)):
            matrix[source, target] = 1
        pruned = NASBench101Cell.from_matrix(matrix, ["input", CONV, POOL, SMALL, CONV, "output"])
        assert str(pruned) == f"{CONV}(0) output(1)"
        matrix[1, 5] = 0
        assert NASBench101Cell.from_matrix(matrix, ["input", CONV, POOL, SMALL, CONV, "output"]) is None

    def test_a_graph_numbered_in_order_keeps_its_order(self):
        cell = FULL.sample(np.random.default_rng(5))
        assert NASBench101Cell.from_matrix(cell.matrix(), ["input", *cell.operations, "output"]) == cell

    def test_a_cycle_is_refused(self):
        with pytest.raises(ValueError, match="without cycles. Received: a cycle among the vertices"):
            NASBench101Cell.pruned((CONV, CONV), [(0, 1), (1, 2), (2, 1), (2, 3)])

    def test_matrices_of_another_shape_or_content_are_refused(self):
        for matrix in (np.zeros((3, 4)), np.full((3, 3), 2)):
            with pytest.raises(ValueError, match="Expected 0 and 1 of shape"):
                NASBench101Cell.from_matrix(matrix, ["input", CONV, "output"])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "Expected text such as"),
            ("conv3x3-bn-relu(0", "Expected text such as"),
            (f"{CONV}(0)", "end with 'output'"),
            (f"{CONV}(0) output(0)", "every vertex on a path from 0 to 2.*without vertex 1"),
            (f"{CONV}(1) output(1)", "0 <= source < target <= 2"),
            (f"{CONV}(0) output(1,1)", "different pairs"),
            ("conv3x3(0) output(1)", "vertex 1.*Did you mean 'conv3x3-bn-relu'"),
            ('{"vertices": [{"operation": "output"}]}', "vertex 1. Expected an object with operation and inputs"),
            ('{"vertices": [{"operation": "output", "inputs": ["0"]}]}', "vertex 1. Expected whole numbers"),
            ('{"cells": []}', 'Expected {"vertices"'),
            ("{", "valid JSON"),
        ],
    )
    def test_anything_else_is_refused_with_a_message(self, text, message):
        with pytest.raises(ValueError, match=message):
            FULL.parse(text)


class TestNeighbours:
    def test_of_cells_of_equal_size_they_are_those_one_operation_or_edge_away_in_some_numbering(self):
        space = NASBench101(4, 5)
        cells = cells_of(space)
        forms = {}
        for cell in cells:
            forms.setdefault(space.key(cell), []).append(cell)
        for cell in cells:
            expected = set()
            for twin in forms[space.key(cell)]:
                expected |= {space.key(other) for other in flips(twin) if len(other.edges) <= 5}
            found = space.neighbours(cell)
            keys = {space.key(other) for other in found}
            assert expected <= keys and space.key(cell) not in keys
            # All the others have a vertex more, or fewer.
            assert {len(other.operations) for other in found if space.key(other) not in expected} <= {
                len(cell.operations) - 1,
                len(cell.operations) + 1,
                len(cell.operations) - 2,
            }

    def test_a_vertex_can_come_and_go(self):
        space, grown = NASBench101(5), 0
        for cell in list(NASBench101(4).architectures())[::9]:
            for larger in space.neighbours(cell):
                if len(larger.operations) > len(cell.operations):
                    grown += 1
                    assert space.key(cell) in {space.key(other) for other in space.neighbours(larger)}
        assert grown > 100

    def test_every_cell_can_be_reached_from_the_smallest(self):
        space = NASBench101(4)
        waiting = [space.parse("output(0)")]
        known = {space.key(waiting[0])}
        while waiting:
            for other in space.neighbours(waiting.pop()):
                if space.key(other) not in known:
                    known.add(space.key(other))
                    waiting.append(other)
        assert len(known) == 91

    def test_none_is_beyond_the_limits(self):
        space, rng = NASBench101(5, 6), np.random.default_rng(1)
        for _ in range(20):
            for other in space.neighbours(space.sample(rng)):
                assert len(other.operations) <= 3 and len(other.edges) <= 6


def flips(cell):
    """Cells with another operation in a vertex, or an edge more or less, vertices off the paths pruned."""
    names = ["input", *cell.operations, "output"]
    for vertex in range(1, len(names) - 1):
        for operation in set(OPERATIONS_101) - {names[vertex]}:
            yield NASBench101Cell.from_matrix(cell.matrix(), [*names[:vertex], operation, *names[vertex + 1 :]])
    for source in range(len(names)):
        for target in range(source + 1, len(names)):
            matrix = cell.matrix()
            matrix[source, target] ^= 1
            other = NASBench101Cell.from_matrix(matrix, names)
            if other is not None:
                yield other


class TestFeatures:
    def test_flow_and_pairs_mean_what_their_names_say(self):
        space = NASBench101(5)
        cell = space.parse(f"{CONV}(0) {POOL}(0,1) {SMALL}(2) output(0,1,3)")
        named = {
            name: float(value) for name, value in zip(space.feature_names(), space.features(cell), strict=True) if value
        }
        subtrees = sum(value for name, value in named.items() if name.startswith("subtree"))
        assert subtrees == 3 * 5  # every vertex at three depths
        named = {name: value for name, value in named.items() if not name.startswith(("subtree", "log"))}
        assert named == {
            "vertices": 5,
            "edges": 7,
            "number of conv3x3": 1,
            "number of conv1x1": 1,
            "number of maxpool3x3": 1,
            "edges from input": 3,
            "edges to output": 3,
            "input to output": 1,
            "vertices to output": 2,
            "channels of conv3x3": 0.5,
            "channels of conv1x1": 0.5,
            "channels of maxpool3x3": 0.5,
            "longest path by conv3x3": 1,
            "longest path by convolution": 2,
            "longest path by pool": 1,
            "longest path by vertex": 4,
            "shortest path by vertex": 1,
            "paths": 4,
            "input > conv3x3": 1,
            "input > maxpool3x3": 1,
            "input > output": 1,
            "conv3x3 > maxpool3x3": 1,
            "conv3x3 > output": 1,
            "maxpool3x3 > conv1x1": 1,
            "conv1x1 > output": 1,
        }

    def test_parameters_are_those_of_the_benchmark(self):
        import csv
        import gzip

        from tests.data.real import real_table

        space = NASBench101(5)
        parameters = space.feature_names().index("log parameters")
        expected = {}
        with gzip.open(real_table("ecnas_4v_5v.csv.gz"), "rt") as file:
            for row in csv.DictReader(file):
                expected[row["module_hash"]] = np.log(float(row["trainable_params"]))
        rng = np.random.default_rng(0)
        for cell in (space.sample(rng) for _ in range(100)):
            # Batch normalisation and the rounding of channels are left out: at most two per cent of the smallest
            # network.
            assert abs(space.features(cell)[parameters] - expected[space.key(cell)]) < 0.03

    def test_groups_cover_every_feature_once(self):
        groups = [columns for columns, _ in FULL.feature_groups().values()]
        covered = [place for columns in groups for place in range(len(FULL.feature_names()))[columns]]
        assert covered == list(range(len(FULL.feature_names())))
