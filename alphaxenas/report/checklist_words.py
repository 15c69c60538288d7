"""What the checklist says of data, space, recipe and budgets, from the parameters of a stored run."""

from __future__ import annotations

from typing import Any

from alphaxenas.report.runs import StoredRun
from alphaxenas.spaces import CellSpace, MacroSpace, MicroSpace, StateSpace


def split_words(run: StoredRun) -> str:
    """Data set and split of a run."""
    chosen = run.parameters
    return f"{chosen['dataset']}, split by seed {chosen['seed']}, fraction {chosen['fraction']} of the training images"


def space_words(run: StoredRun) -> str:
    """Search space of a run."""
    space: Any = run.space
    if isinstance(space, StateSpace):
        kinds = ", ".join(choice.name for choice in space.choices)
        what = f"chains of {space.layers} layers, choices {kinds}{' and skip connections' * space.skips}"
    elif isinstance(space, MacroSpace):
        what = f"chains of {space.layers} layers with skip connections, {len(space.operations)} operations"
    elif isinstance(space, (CellSpace, MicroSpace)):
        pairs = "pairs of " * isinstance(space, MicroSpace)
        what = f"{pairs}cells of {space.blocks} blocks, {len(space.operations)} operations"
    else:
        what = f"the space {run.parameters['space']}"
    return f"{what}, {space.size():.2e} token sequences"


def recipe_words(run: StoredRun) -> str:
    """How a search trains its children."""
    chosen = run.parameters
    return (
        f"{chosen['cells']} cells, {chosen['filters']} filters, batches of {chosen['batch_size']}, "
        f"learning rate {chosen['learning_rate']:g}, and so on"
    )


def length_words(run: StoredRun, epochs: int, fraction: float) -> str:
    """How long a search trains a child: its epochs, or the work that its budget gives.

    Args:
        run: The search.
        epochs: Of the budget.
        fraction: Share of the images in each of them.
    """
    if work := run.parameters.get("child_teraflops", 0.0):
        return f"{work * epochs * fraction:.3g} · 10¹² operations"
    share = "" if fraction == 1 else f" on {fraction:.0%} of the images"
    return f"{epochs} epoch{'s' if epochs > 1 else ''}{share}"


def budget_words(run: StoredRun) -> str:
    """Budgets of a search."""
    chosen = run.parameters
    words = [
        f"{kind} {length_words(run, chosen[f'{kind}_epochs'], chosen[f'{kind}_fraction'])}"
        for kind in ("search", "final")
    ]
    return "; ".join(words) + (", from scratch" if chosen.get("final_weights") == "scratch" else "")
