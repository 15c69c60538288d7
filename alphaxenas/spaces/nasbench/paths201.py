"""Architectures as the operation sequences on their paths from input to output: equal for equal graphs.

A path is written as a number: the sequences of `kinds` operations are the nodes of a tree in which every node has
`kinds` children, numbered level by level from the root. The empty sequence is 0, and operation `o` after sequence `i`
is `kinds * i + o + 1`. So shorter sequences come first, and the numbers of all sequences up to a length are contiguous.

Source: White, Neiswanger, Savani 2021, "BANANAS: Bayesian optimization with neural architectures for neural
architecture search", section 4.1 (path encoding).
"""

from __future__ import annotations

from collections.abc import Sequence


def path_numbers(kinds: int, longest: int) -> int:
    """How many sequences of at most `longest` out of `kinds` operations there are: 1 + kinds + ... + kinds**longest.

    Args:
        kinds: How many operations there are.
        longest: Operations of the longest sequence.
    """
    return sum(kinds**length for length in range(longest + 1))


def extended(path: int, operation: int, kinds: int) -> int:
    """The number of a sequence with one more operation at its end.

    Args:
        path: The number of the sequence without it.
        operation: Code of the new operation, 0 <= operation < kinds.
        kinds: How many operations there are.
    """
    return kinds * path + operation + 1


def path_name(path: int, operations: Sequence[str]) -> str:
    """A path's operations, readable: `conv > pool`; the empty sequence is `direct`.

    Args:
        path: The number of the sequence.
        operations: Names of the operations by code.
    """
    names: list[str] = []
    while path:
        path, operation = divmod(path - 1, len(operations))
        names.append(operations[operation])
    return " > ".join(reversed(names)) or "direct"
