"""Reads the line that DARTS and its many descendants log: `Genotype(normal=[('sep_conv_3x3', 1), ...], ...)`.

Two pairs a node, each an operation and what it reads: 0 is the cell before the previous one, 1 the previous cell, 2 the
first node. `normal_concat` and `reduce_concat` say which of these make the output.

Source: Liu, Simonyan, Yang 2019, "DARTS: Differentiable architecture search", section 2.1, and its published code.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any

from alphaxenas.spaces.cell import Block, Cell
from alphaxenas.spaces.checks import check_name
from alphaxenas.spaces.micro import MicroArchitecture
from alphaxenas.suggestions import invalid

OPERATIONS_READ = {
    "sep_conv_3x3": "sep3x3",
    "sep_conv_5x5": "sep5x5",
    "sep_conv_7x7": "sep7x7",
    "dil_conv_3x3": "dilsep3x3",
    "dil_conv_5x5": "dilsep5x5",
    "max_pool_3x3": "maxpool3x3",
    "avg_pool_3x3": "avgpool3x3",
    "skip_connect": "identity",
    "conv_1x1": "conv1x1",
    "conv_3x3": "conv3x3",
    "conv_7x1_1x7": "conv1x7-7x1",
}
"""DARTS' operations and ours; `none` has no place in a finished cell."""
_PARTS = ("normal", "reduce")


@dataclass(frozen=True)
class Genotype:
    """A pair of cells each of which concatenates all its nodes, as DARTS' do.

    Attributes:
        architecture: The two cells.
    """

    architecture: MicroArchitecture
    concat_all = True

    @property
    def normal(self) -> Cell:
        """The cell that keeps the resolution."""
        return self.architecture.normal

    @property
    def reduction(self) -> Cell:
        """The cell that halves it."""
        return self.architecture.reduction

    def __str__(self) -> str:
        written = {ours: theirs for theirs, ours in OPERATIONS_READ.items()}
        parts = []
        for part, cell in zip(_PARTS, self.architecture.cells):
            pairs = [
                f"({written[operation]!r}, {1 - source if source < 2 else source})"
                for row in cell.rows
                for source, operation in zip(row[:2], row[2:4])
            ]
            parts += [f"{part}=[{', '.join(pairs)}]", f"{part}_concat=range(2, {2 + len(cell.rows)})"]
        return f"Genotype({', '.join(parts)})"

    def to_json(self) -> str:
        """The line as JSON."""
        return json.dumps({"genotype": str(self)}, indent=2)


def is_genotype(text: str) -> bool:
    """Whether a text holds such a line."""
    return "Genotype(" in text


def read_genotype(text: str) -> Genotype | MicroArchitecture:
    """The architecture of a logged line; what stands before and after it does not matter.

    Returns:
        A `Genotype`, or a `MicroArchitecture` where the output concatenates the nodes that no other node uses.

    Raises:
        ValueError: Names the place and what is legal there.
    """
    line = text[text.index("Genotype(") : text.rfind(")") + 1]
    try:
        call = ast.parse(line, mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        fields = {word.arg: _literal(word.value) for word in call.keywords}
        cells = [_cell(fields[part], part) for part in _PARTS]
        concats: list[Any] = [fields[f"{part}_concat"] for part in _PARTS]
    except (SyntaxError, AssertionError, KeyError, TypeError) as error:
        raise invalid(
            "architecture",
            "Genotype(normal=[(operation, input), ...], normal_concat=..., reduce=[...], reduce_concat=...)",
            f"{line[:80]!r} ({type(error).__name__}: {error})",
        ) from None
    architecture = MicroArchitecture(*cells)
    everything = [list(range(2, 2 + len(cell.blocks))) for cell in cells]
    unused = [[2 + number for number in cell.output_blocks()] for cell in cells]
    sorted_concats = [sorted(concat) for concat in concats]
    if sorted_concats == unused:
        return architecture
    if sorted_concats == everything:
        return Genotype(architecture)
    raise invalid(
        "architecture",
        f"normal_concat and reduce_concat to name all nodes, {everything}, or those that no node uses, {unused}",
        concats,
    )


def _literal(node: ast.expr) -> object:
    """A list, a tuple, a text, a number, or `range(a, b)`; nothing is executed."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name) and node.func.id in ("range", "list") and not node.keywords, "range"
        values = [_literal(argument) for argument in node.args]
        if node.func.id == "list":
            return values[0]
        assert 1 <= len(values) <= 2 and all(isinstance(value, int) and 0 <= value <= 99 for value in values), "range"
        return list(range(*values))  # type: ignore[call-overload]
    return ast.literal_eval(node)


def _cell(pairs: object, part: str) -> Cell:
    if not isinstance(pairs, (list, tuple)) or not pairs or len(pairs) % 2:
        raise invalid("architecture", "two (operation, input) for each node", str(pairs)[:80], f"in {part}")
    sides = []
    for place, pair in enumerate(pairs):
        where, most = f"pair {place} of {part}", place // 2 + 1
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise invalid("architecture", "(operation, input)", repr(pair), f"in {where}")
        operation = OPERATIONS_READ[check_name("operation", pair[0], OPERATIONS_READ, where)]
        if type(pair[1]) is not int or not 0 <= pair[1] <= most:
            raise invalid("architecture", f"an input from 0 to {most}", repr(pair[1]), f"in {where}")
        sides.append((1 - pair[1] if pair[1] < 2 else pair[1], operation))
    blocks = zip(sides[::2], sides[1::2])
    return Cell(tuple(Block(one, two, first, second, "add") for (one, first), (two, second) in blocks))
