"""Stage `study`, what notebook 06 runs: from a checked configuration to searches on tables.

Kept apart from the other stages, which load TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.config import PROJECT_ROOT, Config
from alphaxenas.pipelines.stages import open_stage
from alphaxenas.runs import RunFolder
from alphaxenas.runs.machine import usable_cores
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import (
    CHAINS_TABLE,
    DIGITS_TABLE,
    ControllerChoice,
    TableChoice,
    parse_controllers,
    parse_table,
)
from alphaxenas.tabular.digits_table import digits_table
from alphaxenas.tabular.study import STAGE, check_study, make, run_search, run_study

STORED_TABLE = PROJECT_ROOT / "exp" / "reference-chain-table" / "chain_table.csv.gz"
"""The 1,296 networks, each trained once on CIFAR-10 at a small budget; see benchmarks/chain_table.py."""
DIGITS_COLUMNS: dict[str, Any] = {
    "code": "code",
    "signal": "validation_probability",
    "report": "test_accuracy",
    "cost": "seconds",
    "name": DIGITS_TABLE,
}


def table_choice(config: Config, text: str) -> TableChoice:
    """The table that a text names.

    Args:
        config: Says where data lie; the table of digits is trained now if it does not lie there yet.
        text: As in the parameter `tables`.

    Raises:
        FileNotFoundError: The stored table of chains is missing.
    """
    if text == DIGITS_TABLE:
        return TableChoice(str(digits_table(config.data.data_dir, study_processes(config))), **DIGITS_COLUMNS)
    if text == CHAINS_TABLE:
        if not STORED_TABLE.is_file():
            raise FileNotFoundError(f"There is no table {STORED_TABLE}. benchmarks/chain_table.py makes one.")
        return TableChoice(str(STORED_TABLE), "code", "validation_accuracy", cost="seconds", name=CHAINS_TABLE)
    return parse_table(text, PROJECT_ROOT)


def study_tables(config: Config) -> list[TableChoice]:
    """The configured tables."""
    return [table_choice(config, text) for text in config.study.tables]


def study_controllers(config: Config) -> list[ControllerChoice]:
    """All controllers of the study, those of the ablation included, each once."""
    choices = [*parse_controllers(config.study.study_controllers), *parse_controllers(config.study.ablation)]
    return list(dict.fromkeys(choices))


def study_processes(config: Config) -> int:
    """How many searches run at the same time."""
    return config.study.processes or usable_cores()


def study_path(config: Config) -> Path:
    """Where the study is stored, `exp/<run>/study/`."""
    return Path(config.run.exp_dir) / config.run.run / STAGE


def run_configured_study(config: Config, tables: Sequence[TableChoice]) -> dict[str, str]:
    """Runs or continues the configured study.

    Args:
        config: The configuration.
        tables: As `study_tables` returns them.

    Returns:
        Why searches failed, by journal; raises as `alphaxenas.tabular.study.run_study`.
    """
    return run_study_in(config, STAGE, tables, study_controllers(config))[1]


def run_study_in(
    config: Config,
    stage: str,
    tables: Sequence[TableChoice],
    controllers: Sequence[ControllerChoice],
    about: Mapping[str, Any] | None = None,
) -> tuple[RunFolder, dict[str, str]]:
    """Runs or continues a study in a stage of its own; nothing is opened or emptied for an impossible one.

    Args:
        config: The configuration: seeds, cap, target and processes.
        stage: Name of the stage.
        tables: What is searched.
        controllers: Who searches.
        about: What run.json records besides cap and target.

    Returns:
        The closed run folder, and why searches failed, by journal.
    """
    seeds = range(config.study.study_seeds)
    limits: dict[str, Any] = {"cap": config.study.cap, "target": config.study.target}
    check_study(tables, controllers, seeds, **limits)
    with open_stage(config, stage, {**limits, **(about or {})}) as folder:
        return folder, run_study(folder, tables, controllers, seeds, **limits, processes=study_processes(config))


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
        `(queries, tree)` as `alphaxenas.report.sample_efficiency.tree_figures.tree_growth` takes them; empty for a
        controller without a tree.
    """
    controller = make(choice, table, seed)
    snapshot: Callable[[], Any] = getattr(controller, "tree_snapshot", lambda: None)
    if snapshot() is None:
        return []
    seen, found = 0, []
    for moment in moments:
        trace = run_search(table, controller, moment - seen)
        seen += len(trace.rows)
        found.append((seen, snapshot()))
        if trace.ended != "cap":
            break
    return found
