"""Reads how NAO writes its larger cells: graphs in JSON, and sixty tokens.

A graph names its nodes, the older cell input `node_1`, the previous cell's output `node_2`, and each operation by kind
and size:

    {"conv_dag": {"node_1": ["node_1", null, null, null, null], "node_2": [...],
                  "node_3": ["node_3", "node_1", "node_2", "conv 3x3", "avg_pool 5x5"], ...}, "reduc_dag": {...}}

Tokens are six a node (input 1, kind, size, input 2, kind, size), the normal cell first: 60 for five nodes. Inputs are
1, 2, 3 ..., kinds 7 to 13, sizes 14 to 20. Not every kind goes with every size: there are 19 operations.

Source: Luo et al. 2018, "Neural architecture optimization", and the published code of its full search.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alphaxenas.spaces.cell import Block, Cell
from alphaxenas.spaces.checks import check_code, check_name, read_fields, read_integers
from alphaxenas.spaces.micro import PARTS, MicroArchitecture
from alphaxenas.suggestions import invalid

KINDS = {
    "identity": "identity",
    "sep_conv": "sep",
    "conv": "conv",
    "dil_sep_conv": "dilsep",
    "avg_pool": "avgpool",
    "max_pool": "maxpool",
    "min_pool": "minpool",
}
"""NAO's kinds in the order of their tokens, and ours."""
SIZES = ("1x1", "2x2", "3x3", "5x5", "7x7", "1x3+3x1", "1x7+7x1")
FIRST_KIND, FIRST_SIZE = 7, 14
TOKENS_PER_NODE = 6

NAO_NAMES = {
    "identity": ("1x1",),
    "sep_conv": ("3x3", "5x5", "7x7"),
    "avg_pool": ("2x2", "3x3", "5x5"),
    "max_pool": ("2x2", "3x3", "5x5", "7x7"),
    "min_pool": ("2x2",),
    "conv": ("1x1", "3x3", "1x3+3x1", "1x7+7x1"),
    "dil_sep_conv": ("3x3", "5x5", "7x7"),
}
"""The sizes that go with each kind."""
NAO_OPERATIONS = tuple(
    "identity" if kind == "identity" else KINDS[kind] + size.replace("+", "-")
    for kind, sizes in NAO_NAMES.items()
    for size in sizes
)
"""The 19 operations of NAO's larger cell by our names: `MicroSpace(5, NAO_OPERATIONS)` is its search space."""
_PAIRS = [(kind, size) for kind, sizes in NAO_NAMES.items() for size in sizes]
_READ = dict(zip(("identity" if kind == "identity" else f"{kind} {size}" for kind, size in _PAIRS), NAO_OPERATIONS))
_GRAPHS = dict(zip(PARTS, ("conv_dag", "reduc_dag")))


def from_nao_graph(text: str) -> MicroArchitecture:
    """The architecture of a graph as NAO stores it in JSON, `{"conv_dag": {...}, "reduc_dag": {...}}`.

    Raises:
        ValueError: Names the node and what is legal there.
    """
    content = read_fields(text, "the fields conv_dag, reduc_dag", conv_dag=object, reduc_dag=object)
    return MicroArchitecture(*(_read_graph(content[graph], graph) for graph in _GRAPHS.values()))


def from_nao_tokens(text: str) -> MicroArchitecture:
    """The architecture of NAO's token sequence.

    Raises:
        ValueError: Names the position, counted from 0, and what is legal there.
    """
    each = 2 * TOKENS_PER_NODE
    expected = "twelve for every node (input, kind, size, input, kind, size, in two cells): 60 for five nodes"
    numbers = read_integers(text, range(each, len(text) + 1, each), expected)
    nodes = len(numbers) // each
    cells: list[list[Block]] = [[], []]
    for start in range(0, len(numbers), TOKENS_PER_NODE):
        part, node = divmod(start // TOKENS_PER_NODE, nodes)
        sides = []
        for at in (start, start + TOKENS_PER_NODE // 2):
            place = f"node_{node + 3} of the {PARTS[part]} cell"
            source = check_code(numbers, at, f"input of {place}", range(1, node + 3))
            kind = tuple(KINDS)[
                check_code(numbers, at + 1, f"kind of {place}", range(FIRST_KIND, FIRST_SIZE)) - FIRST_KIND
            ]
            sizes = [FIRST_SIZE + SIZES.index(size) for size in NAO_NAMES[kind]]
            size = SIZES[check_code(numbers, at + 2, f"size of {place}, {kind}", sizes) - FIRST_SIZE]
            sides.append((_source(source), _READ["identity" if kind == "identity" else f"{kind} {size}"]))
        (input1, operation1), (input2, operation2) = sides
        cells[part].append(Block(input1, input2, operation1, operation2, "add"))
    return MicroArchitecture(*(Cell(tuple(blocks)) for blocks in cells))


def _read_graph(nodes: Any, graph: str) -> Cell:
    names = [f"node_{number}" for number in range(1, len(nodes) + 1)] if isinstance(nodes, Mapping) else []
    if len(names) < 3 or set(nodes) - {"loose_ends"} != set(names[: len(set(nodes) - {"loose_ends"})]):
        raise invalid(graph, "an object with node_1, node_2, node_3 and so on", str(nodes)[:80])
    blocks = []
    for number, name in enumerate(names[2 : len(set(nodes) - {"loose_ends"})]):
        written, legal = nodes[name], names[: number + 2]
        if not isinstance(written, list) or len(written) != 5 or written[0] != name:
            raise invalid(name, f"[{name!r}, input, input, operation, operation]", repr(written), f"of {graph}")
        place = f"{name} of {graph}"
        read = [check_name("input", source, legal, place) for source in written[1:3]]
        operations = [_READ[check_name("operation", operation, _READ, place)] for operation in written[3:]]
        input1, input2 = (_source(int(node.removeprefix("node_"))) for node in read)
        blocks.append(Block(input1, input2, operations[0], operations[1], "add"))
    return Cell(tuple(blocks))


def _source(node: int) -> int:
    """Our input of NAO's node: its 1 is the older cell, 2 the previous one."""
    return {1: 1, 2: 0}.get(node, node - 1)
