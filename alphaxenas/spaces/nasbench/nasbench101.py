"""The space of NAS-Bench-101: cells that are directed graphs with an operation in every inner vertex.

The tokens are AlphaX's: add a vertex with its operation, add an edge, terminate. They come in one order: the operation
of vertex 1, its incoming edges in ascending order of their sources, the operation of vertex 2, ..., the edges into the
output, terminate. So every labelled graph has exactly one token sequence. A token is legal if a connected cell (every
vertex on a path from input to output) within the limits can still be completed.

Labelled graphs that are the same graph under another numbering compute the same function. `key` is the benchmark's own
hash, which is equal for them, so they hit the same entry of a table.

Sources: Ying et al. 2019, "NAS-Bench-101: towards reproducible neural architecture search", section 2 (space, hash);
Wang et al. 2020, "Neural architecture search using deep neural networks and Monte Carlo tree search" (AlphaX: tokens).
Departures from AlphaX-NASBench101: adding a vertex keeps the edges, illegal actions do not exist, and tables are asked
by key instead of by the text of one labelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import md5

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.chains.automaton import SequenceAutomaton
from alphaxenas.spaces.checks import set_fields
from alphaxenas.spaces.features import groups_of
from alphaxenas.spaces.nasbench.cell101 import OPERATIONS_101, NASBench101Cell, read_cell
from alphaxenas.spaces.nasbench.features101 import BINS, FLOW, PAIRS, structure
from alphaxenas.spaces.nasbench.mutations101 import changed
from alphaxenas.suggestions import check_whole, invalid

VERTEX_LIMITS = (3, 7)
MOST_EDGES = 9
_INPUT, _OUTPUT = -1, -2
_State = tuple[int, bool, int, int, int]
"""(newest inner vertex, whether the output's edges are being placed, source of the last edge into the present target or
-1, vertices still without outgoing edge as bits, edges so far)."""


@dataclass(frozen=True)
class NASBench101:
    """The rules of NAS-Bench-101 (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        max_vertices: Vertices at most, input and output included, 3..7. The benchmark's own limit is 7.
        max_edges: Edges at most, 2..9. The benchmark's own limit is 9.
        vocabulary: `add conv3x3-bn-relu` and so on, the edges `0->1`, `0->2`, `1->2`, ..., `0->output`, ...,
            `terminate`.
        max_length: Inner vertices, edges and `terminate`.

    Example:
        >>> space = NASBench101()
        >>> cell = space.parse("conv3x3-bn-relu(0) maxpool3x3(0,1) output(1,2)")
        >>> [space.vocabulary[token] for token in space.encode(cell)][:2]
        ['add conv3x3-bn-relu', '0->1']
    """

    max_vertices: int = VERTEX_LIMITS[1]
    max_edges: int = MOST_EDGES
    vocabulary: tuple[str, ...] = field(init=False, repr=False, compare=False)
    max_length: int = field(init=False, repr=False, compare=False)
    _rules: _Rules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, (low, high) in (("max_vertices", VERTEX_LIMITS), ("max_edges", (2, MOST_EDGES))):
            check_whole(name, getattr(self, name), low, high)
        rules = _rules_of(self.max_vertices, self.max_edges)
        set_fields(self, _rules=rules, vocabulary=rules.vocabulary, max_length=rules.max_length)

    @property
    def operations(self) -> tuple[str, ...]:
        """The tokens that add a vertex, one for each operation."""
        return self.vocabulary[: len(OPERATIONS_101)]

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty when the sequence is complete.

        Raises:
            ValueError: The prefix itself is illegal; names its first illegal token.
        """
        return self._rules.automaton.legal_actions(tokens)

    def decode(self, tokens: Tokens) -> NASBench101Cell:
        """The cell of a complete token sequence.

        Raises:
            ValueError: The sequence is not complete, or names the first illegal token and what would be legal there.
        """
        return self._rules.cell(tokens)

    def encode(self, architecture: NASBench101Cell) -> Tokens:
        """The tokens of a cell; `decode(encode(cell)) == cell`.

        Raises:
            ValueError: The cell is beyond the limits of this space.
        """
        self._check(architecture)
        return self._rules.tokens(architecture)

    def key(self, architecture: NASBench101Cell) -> str:
        """The benchmark's hash of the graph, 32 hexadecimal digits: equal for isomorphic cells."""
        return module_hash(architecture)

    def size(self) -> int:
        """Exact number of token sequences: connected labelled cells within the limits."""
        return self._rules.automaton.size

    def sample(self, rng: np.random.Generator) -> NASBench101Cell:
        """A cell drawn uniformly over token sequences."""
        return self._rules.cell(self._rules.automaton.sequence(int(rng.integers(self.size()))))

    def architectures(self) -> Iterator[NASBench101Cell]:
        """Every labelled cell, in ascending order of its token sequence; several per key."""
        return (self._rules.cell(self._rules.automaton.sequence(number)) for number in range(self.size()))

    def neighbours(self, architecture: NASBench101Cell) -> list[NASBench101Cell]:
        """All cells of the space one change away, each labelled cell once.

        A change is another operation in one vertex; an edge more; an edge less (vertices that then lie on no path go
        with it); a vertex more, in the middle of an edge or with an edge from and to two vertices of its own; a vertex
        less, its sources joined to its targets.
        """
        self._check(architecture)
        found = dict.fromkeys(changed(architecture, self.max_vertices - 2, self.max_edges))
        return [cell for cell in found if len(cell.edges) <= self.max_edges]

    def features(self, architecture: NASBench101Cell) -> np.ndarray:
        """What flows through a cell and what it connects, equal for isomorphic cells; see `features101.py`.

        Returns:
            float32 of shape `[len(self.feature_names())]`, read-only.
        """
        self._check(architecture)
        return _features(architecture)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        return (*FLOW, *PAIRS, *(f"subtree {place}" for place in range(BINS)))

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        return groups_of(flow=(len(FLOW), "numbers"), pairs=(len(PAIRS), "numbers"), subtrees=(BINS, "counts"))

    def parse(self, text: str) -> NASBench101Cell:
        """A cell of this space from its one-line text or JSON form.

        Raises:
            ValueError: Says in which vertex what is wrong, what is allowed, and the nearest name.
        """
        cell = read_cell(text)
        self._check(cell)
        return cell

    def _check(self, cell: NASBench101Cell) -> None:
        """ValueError unless the cell is within the limits."""
        vertices, edges = len(cell.operations) + 2, len(cell.edges)
        if vertices > self.max_vertices or edges > self.max_edges:
            expected = f"at most {self.max_vertices} vertices and {self.max_edges} edges"
            raise invalid("architecture", expected, f"{vertices} vertices and {edges} edges")


@lru_cache(maxsize=1 << 18)
def module_hash(cell: NASBench101Cell) -> str:
    """The hash by which NAS-Bench-101 identifies a cell.

    A vertex starts with the hash of (outgoing edges, incoming edges, operation) and then takes in the sorted hashes of
    its neighbours as many times as there are vertices; the cell is the hash of its vertices' sorted hashes.

    Source: Ying et al. 2019, section 2.3 and appendix S1; the digest, the codes and the punctuation are the
    benchmark's.
    """
    vertices = len(cell.operations) + 2
    into: list[list[int]] = [[] for _ in range(vertices)]
    out_of: list[list[int]] = [[] for _ in range(vertices)]
    for source, target in cell.edges:
        into[target].append(source)
        out_of[source].append(target)
    codes = (_INPUT, *map(OPERATIONS_101.index, cell.operations), _OUTPUT)
    hashes = [_digest(str((len(o), len(i), code))) for o, i, code in zip(out_of, into, codes)]
    for _ in range(vertices):
        before = hashes.__getitem__
        hashes = [
            md5(f"{''.join(sorted(map(before, i)))}|{''.join(sorted(map(before, o)))}|{own}".encode()).hexdigest()
            for i, o, own in zip(into, out_of, hashes)
        ]
    return md5(str(sorted(hashes)).encode()).hexdigest()


@cache
def _digest(text: str) -> str:
    return md5(text.encode()).hexdigest()


class _Rules:
    """Legal tokens and numbers of sequences under one pair of limits, and the translation of sequences and cells."""

    def __init__(self, max_vertices: int, max_edges: int) -> None:
        inner, kinds = max_vertices - 2, len(OPERATIONS_101)
        self._inner, self._max_edges = inner, max_edges
        # The output is target -1, because its number depends on how many vertices there will be.
        pairs = [(source, target) for target in range(1, inner + 1) for source in range(target)]
        pairs += [(source, -1) for source in range(inner + 1)]
        self._pairs = dict(enumerate(pairs, start=kinds))
        self._edge_tokens = {pair: token for token, pair in self._pairs.items()}
        self._terminate = kinds + len(pairs)
        names = (f"{source}->{target if target > 0 else 'output'}" for source, target in pairs)
        self.vocabulary = (*(f"add {name}" for name in OPERATIONS_101), *names, "terminate")
        self.max_length = inner + max_edges + 1
        start: _State = (0, False, -1, 1, 0)
        self.automaton = SequenceAutomaton(start, self._following)
        self.cell = lru_cache(maxsize=1 << 16)(self._cell)

    def tokens(self, cell: NASBench101Cell) -> Tokens:
        """The sequence of a cell within the limits."""
        last, edges, tokens = len(cell.operations) + 1, iter(cell.edges), []
        edge: tuple[int, int] | None = next(edges)
        for vertex, operation in enumerate((*cell.operations, None), start=1):
            if operation is not None:
                tokens.append(OPERATIONS_101.index(operation))
            while edge is not None and edge[1] == vertex:
                tokens.append(self._edge_tokens[edge[0], -1 if vertex == last else vertex])
                edge = next(edges, None)
        return (*tokens, self._terminate)

    def _following(self, state: _State | None) -> dict[int, _State | None] | None:
        """Every token that the order of tokens and the limits allow, and the state after it; None after `terminate`."""
        if state is None:
            return None
        newest, to_output, last, unread, edges = state
        found: dict[int, _State | None] = {}
        connected = not to_output and (newest == 0 or last >= 0)
        if connected and newest < self._inner:
            found |= {code: (newest + 1, False, -1, unread | 2 << newest, edges) for code in range(len(OPERATIONS_101))}
        if edges < self._max_edges:
            targets = [] if to_output else [(newest, range(last + 1, newest))]
            if to_output or connected:
                targets.append((-1, range(last + 1 if to_output else 0, newest + 1)))
            for target, sources in targets:
                for source in sources:
                    after = newest, target < 0, source, unread & ~(1 << source), edges + 1
                    found[self._edge_tokens[source, target]] = after
        if to_output and not unread:
            found[self._terminate] = None
        return found

    def _cell(self, tokens: Tokens) -> NASBench101Cell:
        self.automaton.check(tokens)
        operations = tuple(OPERATIONS_101[token] for token in tokens if token < len(OPERATIONS_101))
        last = len(operations) + 1
        pairs = (self._pairs[token] for token in tokens[:-1] if token >= len(OPERATIONS_101))
        return NASBench101Cell(operations, tuple((source, target if target > 0 else last) for source, target in pairs))


@cache
def _rules_of(max_vertices: int, max_edges: int) -> _Rules:
    return _Rules(max_vertices, max_edges)


@lru_cache(maxsize=1 << 16)
def _features(cell: NASBench101Cell) -> np.ndarray:
    vector = structure([OPERATIONS_101.index(operation) for operation in cell.operations], cell.edges)
    vector.flags.writeable = False
    return vector
