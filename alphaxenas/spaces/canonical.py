"""One standard way to number the blocks of a cell, so that equal graphs are written equally.

Two cells are the same graph when one becomes the other by swapping the two halves of blocks and by renumbering blocks.
Blocks own their weights, so two blocks with the same inputs and operations stay two: using one of them twice is not the
same as using each once. The standard numbering is the one whose sequence of blocks is smallest in dictionary order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alphaxenas.spaces.notation import Row

Code = tuple[tuple[int, str], tuple[int, str], str]


def canonical_form(rows: Sequence[Row]) -> list[Row]:
    """The blocks of the same graph in standard numbering, halves of each block in ascending order.

    Every legal numbering is an order in which blocks come after the blocks they use. The smallest sequence is built
    block by block: all orders that begin with the smallest codes so far are kept, because only later blocks can tell
    twins (blocks with equal inputs and operations, but other users) apart. Exact, without heuristics; the number of
    kept orders stays small because exchangeable twins are tried once.

    Args:
        rows: Blocks of a cell, each using only blocks before it.

    Returns:
        Equal lists for equal graphs, and only for them. Idempotent.
    """
    orders: list[tuple[int, ...]] = [()]
    codes: list[Code] = []
    for _ in rows:
        extended: list[tuple[Code, tuple[int, ...]]] = []
        for order in orders:
            numbering = {0: 0, 1: 1} | {2 + block: 2 + place for place, block in enumerate(order)}
            ready = [
                (_code(row, numbering), block)
                for block, row in enumerate(rows)
                if block not in order and row[0] in numbering and row[1] in numbering
            ]
            smallest = min(code for code, _ in ready)
            twins = [block for code, block in ready if code == smallest]
            extended += [(smallest, (*order, block)) for block in _without_exchangeable(twins, rows)]
        smallest = min(code for code, _ in extended)
        orders = [order for code, order in extended if code == smallest]
        codes.append(smallest)
    return [(first[0], second[0], first[1], second[1], combination) for first, second, combination in codes]


def _code(row: Row, numbering: Mapping[int, int]) -> Code:
    """A block in a given numbering of its inputs, its halves in ascending order."""
    input1, input2, operation1, operation2, combination = row
    first, second = sorted(((numbering[input1], operation1), (numbering[input2], operation2)))
    return first, second, combination


def _without_exchangeable(twins: Sequence[int], rows: Sequence[Row]) -> list[int]:
    """Twins without those whose exchange with a kept one leaves every block as it is."""
    kept: list[int] = []
    for twin in twins:
        if not any(_exchangeable(twin, other, rows) for other in kept):
            kept.append(twin)
    return kept


def _exchangeable(one: int, other: int, rows: Sequence[Row]) -> bool:
    """Whether all blocks read the same with the names of two twins exchanged."""
    same = {index: index for index in range(len(rows) + 2)}
    exchanged = same | {2 + one: 2 + other, 2 + other: 2 + one}
    return all(_code(row, same) == _code(row, exchanged) for row in rows)
