"""Stage `study` of the suite, what notebook 06 runs: from a checked configuration to searches on tables.

Kept apart from the other stages, which load TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.config import PROJECT_ROOT, Config
from alphaxenas.runs import RunFolder
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import DIGITS_TABLE, ControllerChoice, TableChoice, parse_controllers, parse_table
from alphaxenas.tabular.digits_table import digits_table
from alphaxenas.tabular.study import STAGE, check_study, make, play, run_study

DIGITS_COLUMNS = {
    "code": "code",
    "signal": "validation_probability",
    "report": "test_accuracy",
    "cost": "seconds",
    "name": DIGITS_TABLE,
}


def study_tables(config: Config) -> list[TableChoice]:
    """The configured tables; the one of digits is trained now if it does not lie in the data folder yet."""
    return [
        TableChoice(str(digits_table(config.data.data_dir, study_processes(config))), **DIGITS_COLUMNS)
        if text == DIGITS_TABLE
        else parse_table(text, PROJECT_ROOT)
        for text in config.study.tables
    ]


def study_controllers(config: Config) -> list[ControllerChoice]:
    """All controllers of the study, those of the ablation included, each once."""
    choices = [*parse_controllers(config.study.study_controllers), *parse_controllers(config.study.ablation)]
    return list(dict.fromkeys(choices))


def study_processes(config: Config) -> int:
    """How many searches run at the same time."""
    return config.study.processes or len(os.sched_getaffinity(0))


def study_path(config: Config) -> Path:
    """Where the study is stored, `exp/<run>/study/`."""
    return Path(config.run.exp_dir) / config.run.run / STAGE


def open_study(config: Config, overwrite: bool = False) -> RunFolder:
    """The study's run folder; with `overwrite` it is emptied first."""
    run, parameters = config.run, {"cap": config.study.cap, "target": config.study.target}
    return RunFolder.open(run.run, STAGE, parameters, run.exp_dir, run.tensorboard_dir, overwrite)


def run_configured_study(config: Config, tables: Sequence[TableChoice]) -> dict[str, str]:
    """Runs or continues the configured study; returns and raises as `alphaxenas.tabular.study.run_study`."""
    chosen, controllers, seeds = config.study, study_controllers(config), range(config.study.study_seeds)
    check_study(tables, controllers, seeds, chosen.cap, chosen.target)
    with open_study(config, config.run.overwrite) as folder:
        return run_study(folder, tables, controllers, seeds, chosen.cap, chosen.target, study_processes(config))


def record_tree_snapshots(
    table: BenchmarkTable, choice: ControllerChoice, seed: int, moments: Sequence[int]
) -> list[tuple[int, dict[str, np.ndarray]]]:
    """One search, beyond the optimum if need be, with its tree at several moments.

    Args:
        table: Where to search.
        choice: Who searches.
        seed: Of the search.
        moments: Numbers of queries, ascending; none beyond the end of the space.

    Returns:
        `(queries, tree)` as `alphaxenas.report.sample_efficiency.figures.tree_growth` takes them; empty for a
        controller without a tree.
    """
    controller = make(choice, table, seed)
    tree = getattr(getattr(controller, "strategy", None), "tree", None)
    if tree is None:
        return []
    seen, found = 0, []
    for moment in moments:
        trace = play(table, controller, moment - seen)
        seen += len(trace.rows)
        found.append((seen, tree() if callable(tree) else edges_as_nodes(tree.state())))
        if trace.ended != "cap":
            break
    return found


def edges_as_nodes(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The `state()` of a `controllers.tree.Tree` with a row for every walked edge, complete games included.

    Returns:
        `parent` (-1 for the root), `action`, `visits` and `total`, each of shape `[walked edges + 1]`, parents first.
    """
    counts = np.asarray(state["node_edges"])
    starts = np.cumsum(counts) - counts
    visits, sums = np.asarray(state["edge_visits"]), np.asarray(state["edge_sum"])
    rows = [(-1, 0, int(visits[: counts[0]].sum()), float(sums[: counts[0]].sum()), 0)] if len(counts) else []
    for place, (*_, node) in enumerate(rows):  # grows while it is walked
        if node < 0:
            continue
        for edge in range(starts[node], starts[node] + counts[node]):
            if visits[edge]:
                rows.append(
                    (
                        place,
                        int(state["edge_action"][edge]),
                        int(visits[edge]),
                        float(sums[edge]),
                        int(state["edge_child"][edge]),
                    )
                )
    columns = list(zip(*rows)) if rows else [()] * 4
    return {name: np.array(column) for name, column in zip(("parent", "action", "visits", "total"), columns)}
