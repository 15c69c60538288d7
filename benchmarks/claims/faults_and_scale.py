"""Many workers, faults and long runs."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.layout import Claim, Result, name, table


def many_workers(results: Mapping[str, Result]) -> str:
    """Where the tables are."""
    return "All of it stands in [scale.md](scale.md#measured-and-simulated)."


def two_workers(results: Mapping[str, Result]) -> str:
    """Trials a minute of two workers and of one process."""
    found = results["ray_workers"]["figures"]
    rows = [["1", f"{found['trials_per_minute_of_one']:.1f}"], ["2", f"{found['trials_per_minute_of_two']:.1f}"]]
    met = "met" if found["times"] >= found["goal"] else "missed"
    return f"{table(['workers', 'trials a minute'], rows)}\n\n{found['times']:.2f} times; goal {found['goal']}: {met}."


def faults(results: Mapping[str, Result]) -> str:
    """Faults by kind, what they cost, and the seconds to continue."""
    result = results["faults"]
    found, digits = result["figures"], result["values"]["seconds_on_digits"]
    kinds = list(found["by_kind"].items())
    half = (len(kinds) + 1) // 2
    rows = [
        [text for kind, count in pair for text in (kind, str(count))]
        for pair in zip(kinds[:half], kinds[half:] + [("", "")])
    ]
    lost = [found[name] for name in ("lost_trials", "unreadable_states", "differing_journals")]
    again, target = found["seconds_to_continue"], found["target_seconds"]
    slow = max(digits, default=0.0)
    said = (
        f"{found['faults']:,} faults: {lost[0]} finished trials lost, {lost[1]} states that could not be read, "
        f"{lost[2]} journals that differ. {found['trained_again']} finished trials were trained again, all of them "
        f"lines or checkpoints that a fault had destroyed. To the next training it took {again['median']} s in the "
        f"median and {again['most']} s at most, kernels included. On digits, after SIGKILL and "
        f"with the import of TensorFlow, {' / '.join(f'{seconds:.1f}' for seconds in digits)} s to the next trained "
        f"child (target: {target:.0f})."
    )
    verdict = "holds" if not any(lost) and slow < target else "does **not** hold"
    return f"{table(['fault', 'times', 'fault', 'times'], rows)}\n\n{said}\n\nVerdict: {verdict}."


def long_run(results: Mapping[str, Result]) -> str:
    """Files, memory and readers of simulated runs, and what controllers cost that know much."""
    figures = results["long_run"]["figures"]
    runs = figures["runs"]
    lines = {
        "minutes to simulate": "minutes",
        "memory after 2,000 trials, MiB": "mib_after_2000",
        "memory at the end, MiB": "mib_at_the_end",
        "journal, MB": "journal_mb",
        "event file, MB": "events_mb",
        "executed notebook, MB": "notebook_mb",
        "looks at the notebook while it ran": "looks",
        "of them at no valid JSON": "looks_that_found_no_notebook",
        "checkpoints, share of the four days": "checkpoint_share_of_four_days",
        "TensorBoard's reader, s": "tensorboard_seconds",
        "runs in TensorBoard": "tensorboard_runs",
        "notebook 05 reads, s": "notebook_05_reads_in_seconds",
        "notebook 05 reads and draws, s": "notebook_05_reads_and_draws_in_seconds",
        "`alphaxenas status`, s": "status_seconds",
    }
    rows = [[label, *(f"{run[key]:,g}" for run in runs)] for label, key in lines.items()]
    known = [f"{count:,}" for count in figures["learned"]]
    costs = [
        [
            name(method),
            *(f"{value:g}" for key in ("proposal_seconds", "state_mb", "state_seconds") for value in cost[key]),
        ]
        for method, cost in figures["costs"].items()
    ]
    header = [f"{what}, {count} known" for what in ("proposal, s", "state, MB", "packing it, s") for count in known]
    head = ["", *(f"{run['trials']:,} trials" for run in runs)]
    return f"{table(head, rows)}\n\n{table(['controller', *header], costs)}"


CLAIMS = (
    Claim(
        "What do many workers cost?",
        "Simulated workers under the real coach, and searches of NAS-Bench-201 with several proposals in flight.",
        many_workers,
        ("scale",),
    ),
    Claim(
        "How much faster are two workers than one?",
        "Children from scratch on digits, one thread each, the same children in both searches.",
        two_workers,
        ("ray_workers",),
    ),
    Claim(
        "What does a run lose when something breaks?",
        "Small searches in processes of their own, some in a notebook under papermill, are hit at random moments and "
        "continued by the same call, until they end; their journals are compared with those of uninterrupted searches, "
        "bit for bit. A hundred such faults are part of every test run.",
        faults,
        ("faults",),
    ),
    Claim(
        "Does a search of four days and many trials stay small?",
        "Evolution on a computed table of rewards under papermill, with all records, checkpoints and curves of a real "
        "search, in memory instead of on a disk; then what a controller costs that knows so many trials.",
        long_run,
        ("long_run",),
    ),
)
