"""How cells are written: names, the one-line text form, the JSON form, and errors that say what would be right.

Text, one line, `;` between blocks, `+` for add and `|` for concat, data flowing from left to right inside each half:

    prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3

JSON, one line per block:

    {
      "blocks": [
        {"inputs": ["prev", "prev2"], "operations": ["conv3x3", "sep5x5"], "combination": "add"},
        {"inputs": ["b0", "prev"], "operations": ["identity", "maxpool3x3"], "combination": "concat"}
      ]
    }

`prev` is the output of the previous cell, `prev2` that of the cell before it, `b0` that of the first block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from alphaxenas.spaces.checks import check_name, read_fields, write_lines
from alphaxenas.suggestions import invalid

OPERATIONS = (
    "conv1x1",
    "conv3x3",
    "conv5x5",
    "conv7x7",
    "sep3x3",
    "sep5x5",
    "sep7x7",
    "identity",
    "maxpool3x3",
    "avgpool3x3",
)
COMBINATIONS = ("add", "concat")
SYMBOLS = {"add": "+", "concat": "|"}
EXAMPLE = "prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3"

Row = tuple[int, int, str, str, str]
"""One block as (input1, input2, operation1, operation2, combination)."""


def input_name(index: int) -> str:
    """The readable name of input `index`: 0 is `prev`, 1 is `prev2`, 2+j is `bj`."""
    return ("prev", "prev2")[index] if index < 2 else f"b{index - 2}"


def write_text(rows: Sequence[Row]) -> str:
    """The one-line text form of blocks; see the module text."""
    return "; ".join(
        f"{input_name(input1)}:{operation1} {SYMBOLS[combination]} {input_name(input2)}:{operation2}"
        for input1, input2, operation1, operation2, combination in rows
    )


def read_rows(
    text: str, operations: Sequence[str] = OPERATIONS, combinations: Sequence[str] = COMBINATIONS
) -> list[Row]:
    """Blocks from their one-line text or their JSON form; in text, spaces do not matter, and a closing `;` is allowed.

    Args:
        text: As `write_text` or `write_json` writes it.
        operations: Names that may occur.
        combinations: Names that may occur; in text they are written as their symbols.

    Raises:
        ValueError: Says in which block what is wrong, what is allowed, and the nearest name.
    """
    if text.lstrip().startswith(("{", "[")):
        blocks = read_fields(text, 'a JSON object {"blocks": [...]} with at least one block', blocks=list)["blocks"]
        return [_read_json_block(block, number, operations, combinations) for number, block in enumerate(blocks)]
    pieces = text.strip().removesuffix(";").split(";")
    if pieces == [""]:
        raise invalid("architecture", f"text such as {EXAMPLE!r}", repr(text))
    return [_read_block(piece, number, operations, combinations) for number, piece in enumerate(pieces)]


def _read_block(text: str, number: int, operations: Sequence[str], combinations: Sequence[str]) -> Row:
    """One block from `input:operation SYMBOL input:operation`."""
    place = f"block b{number}"
    symbols = re.findall(r"[+|]", text)
    halves = [half.split(":") for half in re.split(r"[+|]", text)]
    if len(symbols) != 1 or any(len(half) != 2 for half in halves):
        form = "two `input:operation` with + (add) or | (concat) between them"
        expected = f"{form}, such as 'prev:conv3x3 + prev2:identity'"
        raise invalid("architecture", expected, repr(text.strip()), f"in {place}")
    combination = next(name for name, symbol in SYMBOLS.items() if symbol == symbols[0])
    check_name("combination", combination, combinations, place)
    names, chosen = zip(*([part.strip() for part in half] for half in halves))
    return _row(names, chosen, combination, number, operations)


def write_json(rows: Sequence[Row]) -> str:
    """The JSON form of blocks, laid out for people; see the module text."""
    blocks = []
    for input1, input2, *operations, combination in rows:
        inputs = [input_name(input1), input_name(input2)]
        blocks.append({"inputs": inputs, "operations": operations, "combination": combination})
    return write_lines(blocks=blocks)


def _read_json_block(block: object, number: int, operations: Sequence[str], combinations: Sequence[str]) -> Row:
    """One block from its JSON object."""
    place = f"block b{number}"
    fields = ("inputs", "operations", "combination")
    if not isinstance(block, dict):
        raise invalid("blocks", f"an object with {', '.join(fields)}", repr(block), f"in {place}")
    for name in block:
        check_name("field", name, fields, place)
    for name in fields:
        if name not in block:
            raise invalid("blocks", f"the field {name!r}", repr(block), f"in {place}")
    for name in ("inputs", "operations"):
        if not isinstance(block[name], list) or len(block[name]) != 2:
            raise invalid(name, "a list of two names", repr(block[name]), f"in {place}")
    combination = check_name("combination", block["combination"], combinations, place)
    return _row(block["inputs"], block["operations"], combination, number, operations)


def _row(names: Sequence[str], chosen: Sequence[str], combination: str, number: int, operations: Sequence[str]) -> Row:
    """Block `number` from names, each checked against what that block may use."""
    place = f"block b{number}"
    allowed = [input_name(index) for index in range(number + 2)]
    first, second = (allowed.index(check_name("input", name, allowed, place)) for name in names)
    operation1, operation2 = (check_name("operation", name, operations, place) for name in chosen)
    return first, second, operation1, operation2, combination
