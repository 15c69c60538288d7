"""Journals of a study as `alphaxenas.tabular.study` writes them, with chosen numbers."""

import json


def write_journal(
    folder, table, controller, seed, signals, reports=None, costs=None, ended="found", cap=100, diagnostics=()
):
    """Writes one journal; the table's best signal and best report are 0.9."""
    header = {
        "format": 1,
        "table": {"name": table},
        "controller": controller,
        "seed": seed,
        "cap": cap,
        "target": "optimum",
        "rows": 1000,
        "goals": 1,
        "threshold": 0.9,
        "optimum": 0.9,
        "best_report": 0.9 if reports else None,
    }
    columns = [signals, reports or [None] * len(signals), costs or [None] * len(signals)]
    lines = [[row, *values] for row, values in enumerate(zip(*columns))]
    for after, values in sorted(diagnostics, reverse=True):
        lines.insert(after, {"after": after, "diagnostics": values})
    last = (
        {"ended": ended, "queries": len(signals), "missing": 0, "cpu_seconds": 0.25}
        if ended != "failed"
        else {"ended": ended, "reason": "on purpose"}
    )
    path = folder / "journals" / table / controller.replace(":", ",") / f"seed{seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines, last)))
    return path
