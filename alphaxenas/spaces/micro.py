"""The micro space of ENAS: a normal cell and a reduction cell, of which a network is stacked.

Each cell is a graph of nodes. Node k takes two inputs from {previous cell, the cell before it, nodes 0..k-1}, applies
an operation to each and adds the two. The outputs of all nodes that no other node uses are concatenated. The reduction
cell halves height and width. The token sequence has four tokens per node (input 1, operation 1, input 2,
operation 2), the order in which ENAS and NAO write architectures, first for the normal cell, then for the reduction
cell.

Text, one line, the normal cell first (`alphaxenas.spaces.notation` explains the cells):

    prev:sep3x3 + prev2:identity; b0:avgpool3x3 + prev:sep5x5 / prev:maxpool3x3 + prev2:sep3x3; prev:identity +
    b0:sep3x3

JSON is `{"normal": {"blocks": [...]}, "reduction": {"blocks": [...]}}`. ENAS and NAO print integers, four a node; there
0 is the cell *before* the previous one and 1 the previous one, which `from_integers` and `to_integers` translate.

Source: Pham et al. 2018, "Efficient neural architecture search via parameter sharing", section 2.3.
Departure: a cell input that no node uses is not concatenated to the output, as in the paper's figures; the published
code of ENAS appends it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.canonical import canonical_form
from alphaxenas.spaces.cell import Block, Cell
from alphaxenas.spaces.checks import NUMBERS, check_code, check_name, check_names, read_fields, read_integers
from alphaxenas.spaces.features import DEPTH, SIZE, cell_cost, cell_features, feature_names, groups_of, stack_features
from alphaxenas.spaces.fixed_length import FixedLengthSpace
from alphaxenas.spaces.notation import OPERATIONS, input_name, write_json, write_text
from alphaxenas.suggestions import check_whole, invalid

TOKENS_PER_NODE = 4
ADD = ("add",)
PARTS = ("normal", "reduction")
STACK = ((0, 1), (0, 1), (1, 2), (0, 2), (0, 2), (1, 4), (0, 4), (0, 4))
"""The network whose size and depth are features, eight cells as ENAS and NAO search: which of `PARTS` each cell is, and
its channels against those of the first.
"""
SEP_REPEATS = 2
"""How often a separable convolution of these networks is applied."""

ENAS_OPERATIONS = ("sep3x3", "sep5x5", "avgpool3x3", "maxpool3x3", "identity")
"""In the order of ENAS's and NAO's codes 0..4."""
MICRO_OPERATIONS = (
    *OPERATIONS,
    "conv1x3-3x1",
    "conv1x7-7x1",
    "dilsep3x3",
    "dilsep5x5",
    "dilsep7x7",
    "maxpool2x2",
    "maxpool5x5",
    "maxpool7x7",
    "avgpool2x2",
    "avgpool5x5",
    "minpool2x2",
)
"""Everything that children of this space know: ENAS's, NAO's 19, and what the cells of NASNet, AmoebaNet and DARTS use.
"""


@dataclass(frozen=True)
class MicroArchitecture:
    """A normal and a reduction cell; each may have any number of nodes and any of `MICRO_OPERATIONS`.

    Attributes:
        normal: The cell that keeps the resolution; its blocks add.
        reduction: The cell that halves it; its blocks add, too.
    """

    normal: Cell
    reduction: Cell

    def __post_init__(self) -> None:
        for part, cell in zip(PARTS, self.cells):
            for number, row in enumerate(cell.rows):
                place = f"block b{number} of the {part} cell"
                for operation in row[2:4]:
                    check_name("operation", operation, MICRO_OPERATIONS, place)
                check_name("combination", row[4], ADD, place)

    def __str__(self) -> str:
        return self.to_text()

    @property
    def cells(self) -> tuple[Cell, Cell]:
        """The normal and the reduction cell."""
        return self.normal, self.reduction

    def to_text(self) -> str:
        """One line: the normal cell, a slash, the reduction cell."""
        return " / ".join(write_text(cell.rows) for cell in self.cells)

    def to_json(self) -> str:
        """JSON text with a line per block; see the module text."""
        parts = (f'  "{part}": ' + write_json(cell.rows).replace("\n", "\n  ") for part, cell in zip(PARTS, self.cells))
        return "{\n" + ",\n".join(parts) + "\n}"

    def to_integers(self) -> str:
        """As ENAS and NAO print it: input, operation, input, operation per node; normal cell, then reduction cell.

        Raises:
            ValueError: An operation is not among ENAS's five.
        """
        numbers: list[int] = []
        for part, cell in zip(PARTS, self.cells):
            for node, (input1, input2, operation1, operation2, _) in enumerate(cell.rows):
                for source, operation in ((input1, operation1), (input2, operation2)):
                    check_name("operation", operation, ENAS_OPERATIONS, f"block b{node} of the {part} cell")
                    numbers += [_exchanged(source), ENAS_OPERATIONS.index(operation)]
        return " ".join(map(str, numbers))

    @classmethod
    def from_integers(cls, text: str, operations: Sequence[str] = ENAS_OPERATIONS) -> MicroArchitecture:
        """The architecture that ENAS or NAO printed as `text`; brackets, commas and line breaks do not matter.

        Args:
            text: Four integers a node, the same number of nodes in both cells: 40 for five nodes.
            operations: What the codes 0, 1, 2, ... mean.

        Raises:
            ValueError: Names the position and what is legal there.
        """
        each = 2 * TOKENS_PER_NODE
        expected = "eight for every node (input, operation, input, operation, in two cells): 40 for five nodes"
        numbers = read_integers(text, range(each, len(text) + 1, each), expected)
        nodes = len(numbers) // each
        cells: list[list[Block]] = [[], []]
        for start in range(0, len(numbers), TOKENS_PER_NODE):
            part, node = divmod(start // TOKENS_PER_NODE, nodes)
            kinds = (("input", node + 2), ("operation", len(operations))) * 2
            for place, (kind, limit) in enumerate(kinds, start):
                check_code(numbers, place, f"{kind} of node {node} of the {PARTS[part]} cell", range(limit))
            input1, first, input2, second = numbers[start : start + TOKENS_PER_NODE]
            sources = _exchanged(input1), _exchanged(input2)
            cells[part].append(Block(*sources, operations[first], operations[second], "add"))
        return cls(*(Cell(tuple(blocks)) for blocks in cells))

    @classmethod
    def parse(
        cls, text: str, operations: Sequence[str] = MICRO_OPERATIONS, codes: Sequence[str] = ENAS_OPERATIONS
    ) -> MicroArchitecture:
        """The architecture of the one-line, the JSON or the integer form.

        Args:
            text: One of the three.
            operations: Names that may occur.
            codes: What integers mean, in order.

        Raises:
            ValueError: Says where what is wrong, what is allowed, and the nearest name.
        """
        if text.lstrip().startswith("{"):
            parts = read_fields(text, '{"normal": ..., "reduction": ...}', normal=object, reduction=object)
            return cls(*(Cell.parse(json.dumps(parts[part]), operations, ADD) for part in PARTS))
        if re.fullmatch(NUMBERS, text):
            return cls.from_integers(text, codes)
        halves = text.split("/")
        if len(halves) != 2:
            example = "prev:sep3x3 + prev2:identity / prev:maxpool3x3 + prev2:sep5x5"
            expected = f"a normal cell, a slash and a reduction cell, such as {example!r}"
            raise invalid("architecture", expected, repr(text.strip()[:80]))
        cells = []
        for part, half in zip(PARTS, halves):
            try:
                cells.append(Cell.parse(half, operations, ADD))
            except ValueError as error:
                raise ValueError(f"In the {part} cell: {error}") from None
        return cls(*cells)


@dataclass(frozen=True)
class MicroSpace(FixedLengthSpace):
    """The rules for pairs of cells of a given number of nodes (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        blocks: Nodes per cell, >= 1.
        operations: Names to choose from, a subset of `MICRO_OPERATIONS`; their order is the order of the tokens and of
            the codes in the integer form.
        vocabulary: Inputs (`prev`, `prev2`, `b0`, ...), then operations.
        max_length: Four tokens per node of both cells.

    Example:
        >>> MicroSpace().size()
        25628906250000000000000000
    """

    blocks: int = 5
    operations: tuple[str, ...] = ENAS_OPERATIONS

    def __post_init__(self) -> None:
        check_whole("blocks", self.blocks)
        operations = check_names("operations", self.operations, MICRO_OPERATIONS)
        inputs = tuple(input_name(index) for index in range(self.blocks + 1))
        codes = tuple(range(len(inputs), len(inputs) + len(operations)))
        cell = [legal for node in range(self.blocks) for legal in (tuple(range(node + 2)), codes) * 2]
        self._define([*cell, *cell], (*inputs, *operations), operations=operations)

    def _build(self, tokens: Tokens) -> MicroArchitecture:
        names = self.vocabulary
        blocks = [
            Block(int(tokens[at]), int(tokens[at + 2]), names[tokens[at + 1]], names[tokens[at + 3]], "add")
            for at in range(0, self.max_length, TOKENS_PER_NODE)
        ]
        return MicroArchitecture(Cell(tuple(blocks[: self.blocks])), Cell(tuple(blocks[self.blocks :])))

    def encode(self, architecture: MicroArchitecture) -> Tokens:
        """The tokens of an architecture; `decode(encode(a)) == a`.

        Raises:
            ValueError: A cell has another number of nodes, or names the operation not declared here.
        """
        self._check(architecture)
        first, tokens = self.blocks + 1, []
        for cell in architecture.cells:
            for input1, input2, operation1, operation2, _ in cell.rows:
                for source, operation in ((input1, operation1), (input2, operation2)):
                    tokens += [source, first + self.operations.index(operation)]
        return tuple(tokens)

    def key(self, architecture: MicroArchitecture) -> str:
        """The text form of the canonical cells: equal for equal pairs of graphs, and only for them."""
        return " / ".join(write_text(canonical_form(cell.rows)) for cell in architecture.cells)

    def features(self, architecture: MicroArchitecture) -> np.ndarray:
        """float32: what `cell_features` tells of the normal cell, then of the reduction cell, then size and depth, see
        `alphaxenas.spaces.features`; equal for equal keys.
        """
        self._check(architecture)
        counts = [cell_features(cell.rows, self.operations, ADD) for cell in architecture.cells]
        costs = [
            cell_cost(cell.rows, SEP_REPEATS, 1 + part, joined=True) for part, cell in enumerate(architecture.cells)
        ]
        flow = stack_features([(width, costs[part]) for part, width in STACK])
        return np.concatenate([*counts, flow]).astype(np.float32)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        counts = tuple(f"{part}: {name}" for part in PARTS for name in feature_names(self.operations, ADD))
        return (*counts, SIZE, DEPTH)

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together: all of a cell are counts."""
        cells = dict.fromkeys(PARTS, (len(feature_names(self.operations, ADD)), "counts"))
        return groups_of(**cells, flow=(2, "numbers"))

    def parse(self, text: str) -> MicroArchitecture:
        """An architecture of this space from its JSON, one-line or integer form.

        Raises:
            ValueError: Says in which cell and block what is wrong, what is allowed, and the nearest name.
        """
        architecture = MicroArchitecture.parse(text, self.operations, self.operations)
        self._check(architecture)
        return architecture

    def _check(self, architecture: MicroArchitecture) -> None:
        """ValueError unless the architecture belongs to this space."""
        for part, cell in zip(PARTS, architecture.cells):
            if len(cell.blocks) != self.blocks:
                raise invalid("architecture", f"{self.blocks} blocks in the {part} cell", len(cell.blocks))
            for number, row in enumerate(cell.rows):
                for operation in row[2:4]:
                    check_name("operation", operation, self.operations, f"block b{number} of the {part} cell")


def _exchanged(source: int) -> int:
    """Our 0 is the previous cell and 1 the one before it; theirs is the other way round."""
    return 1 - source if source < 2 else source
