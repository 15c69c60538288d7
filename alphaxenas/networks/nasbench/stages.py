"""The three stages of the networks of both benchmarks."""

from __future__ import annotations

from alphaxenas.suggestions import invalid

STAGES = 3
"""Of equal length, each with half the resolution and twice the channels of the one before it."""


def first_cells(cells: int) -> tuple[int, ...]:
    """Numbers of the cells that begin the second and the third stage, evenly spaced.

    Raises:
        ValueError: There are fewer cells than stages.
    """
    if cells < STAGES:
        raise invalid("cells", f"a whole number >= {STAGES}", cells)
    return tuple(cells * stage // STAGES for stage in range(1, STAGES))
