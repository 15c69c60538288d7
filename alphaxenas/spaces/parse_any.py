"""Reads an architecture in any known form: our text and JSON, a zoo name, or what ENAS and NAO print."""

from __future__ import annotations

import json
import re

from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.checks import NUMBERS
from alphaxenas.spaces.convnet import ConvNet, is_convnet_text
from alphaxenas.spaces.micro import PARTS, MicroArchitecture
from alphaxenas.spaces.nao_notation import FIRST_SIZE, TOKENS_PER_NODE, from_nao_graph, from_nao_tokens
from alphaxenas.spaces.notation import input_name
from alphaxenas.spaces.zoo import PREFIX, ZooCell, zoo_cell
from alphaxenas.suggestions import invalid

ParsedArchitecture = Cell | MicroArchitecture | ZooCell | ConvNet

_NAME = r"[A-Za-z][\w-]*"


def parse_architecture(text: str) -> ParsedArchitecture:
    """The architecture that a person wrote or copied.

    Args:
        text: A cell (`prev:conv3x3 + prev2:identity; ...` or JSON), a normal and a reduction cell (the same with a
            slash, or JSON), the name of a zoo cell (`zoo:darts_v2` or `darts_v2`), ENAS's and NAO's integers (eight for
            every node: 40 for five), NAO's tokens (twelve: 60), NAO's graph in JSON, or a plain convolution net
            (`64 conv pool conv; ...`, JSON, or `airbench93`).

    Returns:
        A `Cell`, a `MicroArchitecture`, a `ZooCell` or a `ConvNet`.

    Raises:
        ValueError: Says where what is wrong and what is legal there.
    """
    written = text.strip()
    if is_convnet_text(written):
        return ConvNet.parse(written)
    if written.startswith(PREFIX) or re.fullmatch(_NAME, written):
        return zoo_cell(written)
    if written.startswith(("{", "[")) and not re.fullmatch(NUMBERS, written):
        architecture = _from_json(written)
    elif re.fullmatch(NUMBERS, written):
        numbers = list(map(int, re.findall(r"\d+", written)))
        # A size token is in every sequence of NAO's, and no number of the shorter form is as large for up to twelve
        # nodes.
        tokens = max(numbers, default=0) >= FIRST_SIZE or len(numbers) == 2 * TOKENS_PER_NODE * 5
        architecture = from_nao_tokens(written) if tokens else MicroArchitecture.from_integers(written)
    elif "/" in written:
        architecture = MicroArchitecture.parse(written)
    else:
        architecture = Cell.parse(written)
    if isinstance(architecture, MicroArchitecture):
        _check_inputs_are_read(architecture)
    return architecture


def _from_json(written: str) -> Cell | MicroArchitecture:
    try:
        content = json.loads(written)
    except json.JSONDecodeError:
        content = None
    fields = set(content) if isinstance(content, dict) else set()
    if fields & {"conv_dag", "reduc_dag"}:
        return from_nao_graph(written)
    return MicroArchitecture.parse(written) if fields & set(PARTS) else Cell.parse(written)


def _check_inputs_are_read(architecture: MicroArchitecture) -> None:
    """Refuses pairs of cells that leave the previous cell out: computed from the older ones alone, every other cell
    would be in vain.
    """
    for part, cell in zip(PARTS, architecture.cells):
        if not any(0 in row[:2] for row in cell.rows):
            read = "; ".join(
                f"b{number} reads {', '.join(map(input_name, row[:2]))}" for number, row in enumerate(cell.rows)
            )
            names = "prev; 1 in ENAS's integers, 2 in NAO's tokens"
            expected = f"at least one block of the {part} cell that reads the previous cell ({names})"
            raise invalid("architecture", expected, f"a cell that ignores it, {read}")
