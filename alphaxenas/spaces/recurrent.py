"""The space of recurrent cells of ENAS, DARTS and NAO: a tree of highway connections.

State s0 is a highway connection from the previous hidden state, computed from the input and that state. Each of the
nodes 1..n reads one earlier state s_p and adds a highway connection with an activation of its choice:

    c, h = split(s_p W_i);    s_i = s_p + sigmoid(c) * (activation(h) - s_p)

The new hidden state is the mean of the nodes' states. The token sequence has, for every node in turn, the token of its
input and the token of its activation; where the activation of s0 is chosen, too, its token comes first.

Text, one line, activations with the number of the state that they read: `tanh(0); relu(1); relu(1)`. Two things are
written only where they are not the usual ones: another activation of s0 (`s0=relu; tanh(0)`), and a hidden state that
is the mean of the unused nodes alone (`tanh(0); relu(1) -> unused`).

Sources: Pham et al. 2018, section 2.1 (12 nodes, the first of which is s0); Liu et al. 2019 (DARTS), section 3.2;
Luo et al. 2018 (NAO), section 4.1 (11 nodes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import (
    NUMBERS,
    check_code,
    check_name,
    check_object,
    read_fields,
    read_integers,
    write_lines,
)
from alphaxenas.spaces.features import groups_of
from alphaxenas.spaces.fixed_length import FixedLengthSpace
from alphaxenas.suggestions import check_whole, invalid

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
"""In the order of the codes 0..3 that NAO prints."""
ENAS_ACTIVATIONS = ("tanh", "relu", "identity", "sigmoid")
"""In the order of the codes 0..3 that ENAS prints, by its description and its code."""
OUTPUTS = ("all", "unused")
"""Which nodes the hidden state is the mean of: all (DARTS, NAO), or those that no other node reads (ENAS)."""
_EXAMPLE = "tanh(0); relu(1); relu(1)"
_NODE = re.compile(r"\s*(\w+)\s*\(\s*s?(\d+)\s*\)\s*")
_DARTS = re.compile(r"\(\s*'(\w+)'\s*,\s*(\d+)\s*\)")


@dataclass(frozen=True)
class RecurrentNode:
    """One node.

    Attributes:
        activation: One of `ACTIVATIONS`.
        input: Number of the state that it reads; 0 is s0, i is the state of node i.
    """

    activation: str
    input: int

    def __str__(self) -> str:
        return f"{self.activation}({self.input})"


@dataclass(frozen=True)
class RecurrentCell:
    """A recurrent cell.

    Attributes:
        nodes: At least one; node i (from 1) reads one of the states 0..i-1.
        first: Activation of s0.
        output: One of `OUTPUTS`.
    """

    nodes: tuple[RecurrentNode, ...]
    first: str = "tanh"
    output: str = "all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        check_name("first", self.first, ACTIVATIONS, "s0")
        check_name("output", self.output, OUTPUTS)
        if not self.nodes:
            raise invalid("nodes", "at least one node", "none")
        for number, node in enumerate(self.nodes, 1):
            check_name("activation", node.activation, ACTIVATIONS, f"node {number}")
            if isinstance(node.input, bool) or not 0 <= node.input < number:
                raise invalid("input", f"0 to {number - 1}", node.input, f"in node {number}")

    @property
    def inputs(self) -> tuple[int, ...]:
        """State that each node reads."""
        return tuple(node.input for node in self.nodes)

    @property
    def activations(self) -> tuple[str, ...]:
        """Activation of s0, then of each node."""
        return (self.first, *(node.activation for node in self.nodes))

    @property
    def output_nodes(self) -> tuple[int, ...]:
        """Numbers of the nodes whose mean is the hidden state, ascending."""
        used = set(self.inputs) if self.output == "unused" else set()
        return tuple(number for number in range(1, len(self.nodes) + 1) if number not in used)

    @property
    def depths(self) -> tuple[int, ...]:
        """Nodes on the way from s0 to each state, itself included; 0 for s0."""
        depths = [0]
        for node in self.nodes:
            depths.append(depths[node.input] + 1)
        return tuple(depths)

    def parameters(self, units: int) -> int:
        """Weights of the cell where embedding and hidden state have `units` numbers: (2u)^2 for s0, 2u^2 a node."""
        return (2 * units) ** 2 + len(self.nodes) * 2 * units**2

    def __str__(self) -> str:
        first = "" if self.first == "tanh" else f"s0={self.first}; "
        return first + "; ".join(map(str, self.nodes)) + ("" if self.output == "all" else f" -> {self.output}")

    def to_json(self) -> str:
        """JSON text with a line per node."""
        return write_lines(first=self.first, output=self.output, nodes=list(map(vars, self.nodes)))

    def to_darts(self) -> str:
        """As DARTS prints it; the activation of s0 is always tanh there.

        Raises:
            ValueError: s0 has another activation.
        """
        if self.first != "tanh":
            raise invalid("first", "'tanh' in DARTS's form", repr(self.first))
        recurrent = ", ".join(f"('{node.activation}', {node.input})" for node in self.nodes)
        concat = f"range(1, {len(self.nodes) + 1})" if self.output == "all" else str(list(self.output_nodes))
        return f"Genotype(recurrent=[{recurrent}], concat={concat})"

    def to_integers(self, with_first: bool = False) -> str:
        """As NAO prints it: input and code of the activation, node by node.

        Args:
            with_first: As ENAS prints it: the code of s0's activation comes first, and codes are ENAS's.
        """
        names = ENAS_ACTIVATIONS if with_first else ACTIVATIONS
        first = [names.index(self.first)] if with_first else []
        pairs = [number for node in self.nodes for number in (node.input, names.index(node.activation))]
        return " ".join(map(str, first + pairs))

    @classmethod
    def from_integers(cls, text: str) -> RecurrentCell:
        """The cell that ENAS (an odd number of integers) or NAO (an even number) printed.

        ENAS's hidden state is the mean of the unused nodes, NAO's of all; codes 2 and 3 mean `ENAS_ACTIVATIONS` in the
        one and `ACTIVATIONS` in the other.

        Raises:
            ValueError: Names the position and what is legal there.
        """
        numbers = read_integers(text, range(2, len(text) + 1), "2 a node (NAO), or 1 + 2 a node (ENAS)")
        enas = len(numbers) % 2
        for place in range(len(numbers)):
            node = (place - enas) // 2 + 1
            if place >= enas and (place - enas) % 2 == 0:
                check_code(numbers, place, f"input of node {node}", range(node))
            else:
                check_code(numbers, place, "code of an activation", range(len(ACTIVATIONS)))
        pairs, names = numbers[enas:], ENAS_ACTIVATIONS if enas else ACTIVATIONS
        nodes = [RecurrentNode(names[code], state) for state, code in zip(pairs[::2], pairs[1::2])]
        return cls(tuple(nodes), names[numbers[0]] if enas else "tanh", "unused" if enas else "all")

    @classmethod
    def parse(cls, text: str) -> RecurrentCell:
        """The cell of the one-line form, of JSON, of DARTS's `Genotype(...)`, or of ENAS's or NAO's integers.

        Raises:
            ValueError: Says in which node what is wrong, what is allowed, and the nearest name.
        """
        written = text.strip()
        if written.startswith("{"):
            return _from_json(written)
        if "recurrent" in written:
            return _from_darts(written)
        if re.fullmatch(NUMBERS, written):
            return cls.from_integers(written)
        return _from_line(written)


@dataclass(frozen=True)
class RecurrentSpace(FixedLengthSpace):
    """The rules for cells of a given number of nodes (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        nodes: Nodes besides s0, >= 1: 11 in NAO; also in ENAS, which counts s0 as the first of 12.
        choose_first: Whether the activation of s0 is chosen, too (ENAS), or is tanh (DARTS, NAO).
        output: One of `OUTPUTS`.
        vocabulary: The states s0 to s(n-1), then the activations.
        max_length: Of every token sequence.

    Example:
        >>> from math import factorial
        >>> RecurrentSpace().size() == factorial(11) * 4**11
        True
    """

    nodes: int = 11
    choose_first: bool = False
    output: str = "all"

    def __post_init__(self) -> None:
        check_whole("nodes", self.nodes)
        check_name("output", self.output, OUTPUTS)
        activations = tuple(range(self.nodes, self.nodes + len(ACTIVATIONS)))
        legal = [activations] * self.choose_first
        for number in range(1, self.nodes + 1):
            legal += [tuple(range(number)), activations]
        self._define(legal, (*(f"s{number}" for number in range(self.nodes)), *ACTIVATIONS))

    def _build(self, tokens: Tokens) -> RecurrentCell:
        start = int(self.choose_first)
        first = ACTIVATIONS[tokens[0] - self.nodes] if start else "tanh"
        pairs = zip(tokens[start::2], tokens[start + 1 :: 2])
        nodes = tuple(RecurrentNode(ACTIVATIONS[token - self.nodes], state) for state, token in pairs)
        return RecurrentCell(nodes, first, self.output)

    def encode(self, architecture: RecurrentCell) -> Tokens:
        """The tokens of a cell; `decode(encode(a)) == a`. Raises ValueError for a cell of another space."""
        self._check(architecture)
        pairs = [(node.input, self.nodes + ACTIVATIONS.index(node.activation)) for node in architecture.nodes]
        first = [self.nodes + ACTIVATIONS.index(architecture.first)] * self.choose_first
        return tuple(first + [token for pair in pairs for token in pair])

    def key(self, architecture: RecurrentCell) -> str:
        """The tree in a standard order: equal for cells that differ in the numbering of their nodes alone.

        Every node reads one state, so a cell is a tree, and sorting the subtrees below every state makes equal trees
        equal texts (Aho, Hopcroft and Ullman 1974, example 3.2).
        """
        below: list[list[str]] = [[] for _ in range(len(architecture.nodes) + 1)]
        written = ""
        for number in range(len(architecture.nodes), -1, -1):
            written = f"{architecture.activations[number]}[{','.join(sorted(below[number]))}]"
            if number:
                below[architecture.nodes[number - 1].input].append(written)
        return f"{written}->{architecture.output}"

    def features(self, architecture: RecurrentCell) -> np.ndarray:
        """float32 counts that no numbering of the nodes changes; see `feature_groups`."""
        self._check(architecture)
        count, codes = len(ACTIVATIONS), [ACTIVATIONS.index(name) for name in architecture.activations]
        depths, inputs = np.array(architecture.depths), architecture.inputs
        children = np.bincount(inputs, minlength=self.nodes + 1)
        kinds, leaves, pairs = np.zeros(count), np.zeros(count), np.zeros((count, count))
        for number, source in enumerate(inputs, 1):
            kinds[codes[number]] += 1
            leaves[codes[number]] += children[number] == 0
            pairs[codes[source], codes[number]] += 1
        by_depth = np.bincount(depths[1:], minlength=self.nodes + 1)[1:]
        first = np.eye(count)[codes[0]]
        shape = [depths.max(), depths[1:].mean(), (children[1:] == 0).sum(), children.max(), children[0]]
        return np.concatenate([kinds, leaves, pairs.ravel(), by_depth, first, shape]).astype(np.float32)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means; `tanh > relu` reads "tanh feeds relu". All cells of a space have equally
        many parameters, so there is no entry for them.
        """
        return (
            *ACTIVATIONS,
            *(f"{name} unused" for name in ACTIVATIONS),
            *(f"{before} > {after}" for before in ACTIVATIONS for after in ACTIVATIONS),
            *(f"nodes at depth {depth}" for depth in range(1, self.nodes + 1)),
            *(f"s0={name}" for name in ACTIVATIONS),
            "depth",
            "mean depth",
            "unused nodes",
            "largest reuse",
            "uses of s0",
        )

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        count = len(ACTIVATIONS)
        groups = {
            "activations": (count, "counts"),
            "activations of unused nodes": (count, "counts"),
            "activation after activation": (count**2, "counts"),
            "nodes by depth": (self.nodes, "counts"),
            "s0": (count, "one-hot"),
        }
        return groups_of(**groups, shape=(5, "numbers"))

    def parse(self, text: str) -> RecurrentCell:
        """A cell of this space from any form that `RecurrentCell.parse` reads; ValueError as there."""
        cell = RecurrentCell.parse(text)
        self._check(cell)
        return cell

    def _check(self, cell: RecurrentCell) -> None:
        """ValueError unless the cell belongs to this space."""
        expected = f"{self.nodes} nodes, output {self.output}" + ("" if self.choose_first else ", tanh for s0")
        if (
            len(cell.nodes) != self.nodes
            or cell.output != self.output
            or not (self.choose_first or cell.first == "tanh")
        ):
            received = f"{len(cell.nodes)} nodes, output {cell.output}, {cell.first} for s0"
            raise invalid("architecture", expected, received)


def _from_line(text: str) -> RecurrentCell:
    body, _, output = text.partition("->")
    pieces = body.strip().removesuffix(";").split(";")
    first = re.fullmatch(r"\s*s0\s*=\s*(\w+)\s*", pieces[0])
    nodes = []
    for number, piece in enumerate(pieces[1:] if first else pieces, 1):
        found = _NODE.fullmatch(piece)
        if not found:
            others = "DARTS's Genotype(recurrent=...), or the integers of ENAS or NAO"
            expected = f"text such as {_EXAMPLE!r}, {others}"
            raise invalid("architecture", expected, repr(piece.strip()), f"in node {number}")
        nodes.append(RecurrentNode(found[1], int(found[2])))
    return RecurrentCell(tuple(nodes), first[1] if first else "tanh", output.strip() or "all")


def _from_darts(text: str) -> RecurrentCell:
    recurrent, _, concat = text.partition("concat")
    nodes = tuple(RecurrentNode(name, int(state)) for name, state in _DARTS.findall(recurrent))
    numbers = [int(number) for number in re.findall(r"\d+", concat)]
    if "range" in concat and len(numbers) == 2:
        numbers = list(range(*numbers))
    for output in OUTPUTS:
        cell = RecurrentCell(nodes, output=output)
        if sorted(numbers) == list(cell.output_nodes):
            return cell
    raise invalid("concat", f"all nodes, or those that no other reads: {list(cell.output_nodes)}", numbers)


def _from_json(text: str) -> RecurrentCell:
    fields = read_fields(text, '{"first": "tanh", "output": "all", "nodes": [...]}', first=str, output=str, nodes=list)
    nodes = []
    for number, node in enumerate(fields["nodes"], 1):
        nodes.append(RecurrentNode(**check_object(node, "nodes", f"in node {number}", activation=str, input=int)))
    return RecurrentCell(tuple(nodes), fields["first"], fields["output"])
