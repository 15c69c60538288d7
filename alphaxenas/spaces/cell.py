"""The cell space: a cell is a small graph of blocks that a child network repeats many times.

Block k takes two inputs from {previous cell, the cell before it, blocks 0..k-1}, applies an operation to each and
combines the two by addition or concatenation. The outputs of all blocks that no other block uses are concatenated: that
is the cell's output. The token sequence has five tokens per block: input 1, input 2, operation 1, operation 2,
combination.

Source: Zoph et al. 2018, "Learning Transferable Architectures for Scalable Image Recognition", section 3.1.
Departures from the original AlphaXENAS: block k may use every earlier block and both cell inputs (there an index was
off by one, so that block 0 saw one input only and block 3 never saw block 2), and the first input is chosen, not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.canonical import canonical_form
from alphaxenas.spaces.checks import check_name, check_names
from alphaxenas.spaces.features import DEPTH, SIZE, cell_cost, cell_features, feature_names, groups_of, stack_features
from alphaxenas.spaces.fixed_length import FixedLengthSpace
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS, input_name, read_rows, write_json, write_text
from alphaxenas.suggestions import check_whole, invalid

TOKENS_PER_BLOCK = 5
WIDTHS = (1, 1, 2, 2, 4, 4)
"""Channels of the cells of the network whose size and depth are features, against those of the first."""


@dataclass(frozen=True)
class Block:
    """Two inputs, an operation on each, and how the results are combined.

    Attributes:
        input1: 0 = previous cell, 1 = the cell before it, 2+j = block j.
        input2: As `input1`.
        operation1: What is applied to `input1`.
        operation2: What is applied to `input2`.
        combination: `"add"` or `"concat"`.
    """

    input1: int
    input2: int
    operation1: str
    operation2: str
    combination: str

    def __post_init__(self) -> None:
        check_name("combination", self.combination, COMBINATIONS)

    def __str__(self) -> str:
        return write_text([astuple(self)])


@dataclass(frozen=True)
class Cell:
    """A finished architecture of the cell space.

    Attributes:
        blocks: At least one; each uses only blocks before it.
    """

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if not self.blocks:
            raise invalid("blocks", "at least one block", "none")
        for number, block in enumerate(self.blocks):
            for source in (block.input1, block.input2):
                if not isinstance(source, int) or not 0 <= source < number + 2:
                    names = "0 previous cell, 1 the one before, 2 + j an earlier block j"
                    expected = f"a whole number from 0 to {number + 1}: {names}"
                    raise invalid("input", expected, repr(source), f"in block b{number}")

    def __str__(self) -> str:
        return self.to_text()

    @property
    def rows(self) -> list[tuple[int, int, str, str, str]]:
        """The blocks as plain tuples (input1, input2, operation1, operation2, combination)."""
        return [(b.input1, b.input2, b.operation1, b.operation2, b.combination) for b in self.blocks]

    def output_blocks(self) -> tuple[int, ...]:
        """Numbers of the blocks that no other block uses, ascending; the cell's output is their concatenation."""
        used = {source for block in self.blocks for source in (block.input1, block.input2)}
        return tuple(number for number in range(len(self.blocks)) if number + 2 not in used)

    def to_text(self) -> str:
        """One line, e.g. `prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3` (+ adds, | concatenates)."""
        return write_text(self.rows)

    def to_json(self) -> str:
        """JSON text with a line per block; see `alphaxenas.spaces.notation`."""
        return write_json(self.rows)

    @classmethod
    def parse(
        cls, text: str, operations: Sequence[str] = OPERATIONS, combinations: Sequence[str] = COMBINATIONS
    ) -> Cell:
        """The cell of a text or JSON form.

        Args:
            text: As `to_text` or `to_json` writes it.
            operations: Names that may occur.
            combinations: Names that may occur.

        Raises:
            ValueError: Says in which block what is wrong, what is allowed, and the nearest name.
        """
        return cls(tuple(Block(*row) for row in read_rows(text, operations, combinations)))


@dataclass(frozen=True)
class CellSpace(FixedLengthSpace):
    """The rules for cells of a given number of blocks (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        blocks: Blocks per cell, >= 1.
        operations: Names to choose from, a subset of `OPERATIONS`; their order is the order of the tokens.
        combinations: Names to choose from, a subset of `COMBINATIONS`.
        vocabulary: Inputs (`prev`, `prev2`, `b0`, ...), then operations, then combinations.
        max_length: Five tokens per block.

    Example:
        >>> space = CellSpace(blocks=2)
        >>> cell = space.parse("prev:conv3x3 + prev2:sep5x5; b0:identity | prev:conv1x1")
        >>> space.decode(space.encode(cell)).output_blocks()
        (1,)
    """

    blocks: int = 4
    operations: tuple[str, ...] = OPERATIONS
    combinations: tuple[str, ...] = COMBINATIONS

    def __post_init__(self) -> None:
        check_whole("blocks", self.blocks)
        operations = check_names("operations", self.operations, OPERATIONS)
        combinations = check_names("combinations", self.combinations, COMBINATIONS)
        inputs = tuple(input_name(index) for index in range(self.blocks + 1))
        operation_tokens = tuple(range(len(inputs), len(inputs) + len(operations)))
        first = len(inputs) + len(operations)
        combination_tokens = tuple(range(first, first + len(combinations)))
        legal: list[Tokens] = []
        for number in range(self.blocks):
            sources = tuple(range(number + 2))
            legal += [sources, sources, operation_tokens, operation_tokens, combination_tokens]
        vocabulary = (*inputs, *operations, *combinations)
        self._define(legal, vocabulary, operations=operations, combinations=combinations)

    def _build(self, tokens: Tokens) -> Cell:
        names = self.vocabulary
        rows = (tokens[start : start + TOKENS_PER_BLOCK] for start in range(0, self.max_length, TOKENS_PER_BLOCK))
        return Cell(tuple(Block(int(a), int(b), names[c], names[d], names[e]) for a, b, c, d, e in rows))

    def encode(self, architecture: Cell) -> Tokens:
        """The tokens of a cell; `decode(encode(cell)) == cell`.

        Raises:
            ValueError: The cell has another number of blocks, or names the operation or combination not declared here.
        """
        self._check(architecture)
        first_operation, first_combination = self.blocks + 1, self.blocks + 1 + len(self.operations)
        tokens: list[int] = []
        for input1, input2, operation1, operation2, combination in architecture.rows:
            operations = (first_operation + self.operations.index(each) for each in (operation1, operation2))
            tokens += [input1, input2, *operations, first_combination + self.combinations.index(combination)]
        return tuple(tokens)

    def key(self, architecture: Cell) -> str:
        """The text form of the canonical cell: equal for equal graphs, and only for them."""
        return write_text(canonical_form(architecture.rows))

    def features(self, architecture: Cell) -> np.ndarray:
        """float32 of shape `[len(self.feature_names())]`, equal for equal keys; see `alphaxenas.spaces.features`."""
        self._check(architecture)
        cost = cell_cost(architecture.rows)
        flow = stack_features([(width, cost) for width in WIDTHS])
        counts = cell_features(architecture.rows, self.operations, self.combinations)
        return np.append(counts, flow).astype(np.float32)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        return (*feature_names(self.operations, self.combinations), SIZE, DEPTH)

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        return groups_of(graph=(len(self.feature_names()) - 2, "numbers"), flow=(2, "numbers"))

    def parse(self, text: str) -> Cell:
        """A cell of this space from its JSON or one-line text form.

        Raises:
            ValueError: Says in which block what is wrong, what is allowed, and the nearest name.
        """
        cell = Cell.parse(text, self.operations, self.combinations)
        self._check(cell)
        return cell

    def _check(self, cell: Cell) -> None:
        """ValueError unless the cell belongs to this space."""
        if len(cell.blocks) != self.blocks:
            raise invalid("architecture", f"{self.blocks} blocks", len(cell.blocks))
        for number, (_, _, operation1, operation2, combination) in enumerate(cell.rows):
            for operation in (operation1, operation2):
                check_name("operation", operation, self.operations, f"block b{number}")
            check_name("combination", combination, self.combinations, f"block b{number}")
