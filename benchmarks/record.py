"""Results of benchmarks as files: `benchmarks/results/NAME.json`, and which code each of them depends on.

A result holds what was run, when, on which machine and with which code, the figures, and the value of every seed:

    {"name": ..., "benchmark": ..., "command": ..., "date": ..., "revision": ..., "machine": {...}, "versions": {...},
     "seconds": ..., "code": {path: hash}, "figures": {...}, "values": {...}}

`docs/results.md` and the table in the README are generated from these files by `benchmarks.results`. A result is stale
when a file that it depends on has changed since. A benchmark of several methods may measure some of them alone: the
others are kept, and `earlier` says when, with which command and with which code they were measured. Files are compared
by the hash that git gives their content, which needs neither git nor its history, so a shallow clone or a downloaded
archive tells the same. Where searches depend on their seed alone, a change of code that changes nothing need not cost a
whole measurement: `confirm` runs the first seeds again and, where every value is the recorded one, notes the code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alphaxenas.runs import Journal

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
_TABLES = (
    "alphaxenas/contracts.py",
    "alphaxenas/seeds.py",
    "alphaxenas/controllers",
    "alphaxenas/spaces/canonical.py",
    "alphaxenas/spaces/chains/automaton.py",
    "alphaxenas/spaces/checks.py",
    "alphaxenas/spaces/features.py",
    "alphaxenas/spaces/fixed_length.py",
    "alphaxenas/spaces/listed",
    "alphaxenas/spaces/nasbench",
    "alphaxenas/tabular",
)
_CHILDREN = (
    "alphaxenas/networks",
    "-alphaxenas/networks/language",
    "alphaxenas/spaces/cell.py",
    "alphaxenas/spaces/micro.py",
)
_IMAGES = (
    *_CHILDREN,
    "alphaxenas/data",
    "-alphaxenas/data/text.py",
    "alphaxenas/evaluators",
    "-alphaxenas/evaluators/language.py",
    "alphaxenas/coach.py",
)
CODE: dict[str, tuple[str, ...]] = {
    "cifar10_control": (
        "benchmarks/cifar10_cpu.py",
        *_IMAGES,
        "alphaxenas/spaces/convnet.py",
        "alphaxenas/controllers/baselines/random_search.py",
        "alphaxenas/controllers/history.py",
        "alphaxenas/controllers/promotion.py",
    ),
    "cifar10_cpu": (*_IMAGES, "alphaxenas/spaces/convnet.py", "alphaxenas/controllers"),
    "chain_table": (*_IMAGES, "alphaxenas/spaces/chains"),
    "enas_micro": (*_IMAGES, "alphaxenas/supernet", "alphaxenas/controllers/policy_gradient"),
    "faults": ("alphaxenas/coach.py", "alphaxenas/runs", "alphaxenas/workers", "tests/faults"),
    "fresh_architecture": (*_CHILDREN, "alphaxenas/supernet"),
    "image_truth": ("benchmarks/image_truth", *_IMAGES, *_TABLES, "alphaxenas/proxies", "alphaxenas/supernet"),
    "image_folder": ("alphaxenas/data",),
    "import_time": ("alphaxenas/__init__.py", "alphaxenas/spaces/__init__.py", "alphaxenas/runs/__init__.py"),
    "input_pipeline": ("alphaxenas/data",),
    "language_step": ("alphaxenas/networks/language",),
    "long_run": ("alphaxenas/coach.py", "alphaxenas/runs", "alphaxenas/report/runs.py", "alphaxenas/controllers"),
    "memory": _IMAGES,
    "nao_reconstruction": ("alphaxenas/controllers/nao", "alphaxenas/spaces/micro.py"),
    "pareto": ("alphaxenas/spaces/user_space.py", *_TABLES),
    "process_settings": ("benchmarks/roofline.py", *_CHILDREN),
    "proxies": (
        "alphaxenas/proxies",
        "alphaxenas/networks/bank.py",
        "alphaxenas/networks/layers.py",
        "alphaxenas/networks/outline.py",
        "alphaxenas/networks/nasbench/nasbench201.py",
        "alphaxenas/networks/training/initial.py",
    ),
    "recurrent_ptb": (
        "alphaxenas/networks/language",
        "alphaxenas/data/text.py",
        "alphaxenas/spaces/recurrent.py",
        "alphaxenas/spaces/recurrent_zoo.py",
        "alphaxenas/pipelines/language_training.py",
        "alphaxenas/pipelines/recurrent.py",
    ),
    "recurrent_search": (
        "alphaxenas/pipelines/recurrent.py",
        "alphaxenas/networks/language",
        "alphaxenas/data/text.py",
        "alphaxenas/spaces/recurrent.py",
        "alphaxenas/spaces/fixed_length.py",
        "alphaxenas/evaluators/language.py",
        "alphaxenas/controllers",
        "alphaxenas/coach.py",
    ),
    "roofline": (*_CHILDREN, "alphaxenas/spaces/convnet.py", "alphaxenas/data/pipeline.py"),
    "rivals": ("alphaxenas/spaces/nasbench", "alphaxenas/tabular", "benchmarks/rivals", "benchmarks/tables.py"),
    "ray_workers": ("alphaxenas/workers", "alphaxenas/coach.py", "alphaxenas/pipelines/raters"),
    "scale": ("alphaxenas/workers", "alphaxenas/coach.py", "alphaxenas/runs", *_TABLES),
    "search_synthetic": ("alphaxenas/controllers", "alphaxenas/spaces/cell.py"),
    "search_vs_random": (*_IMAGES, "alphaxenas/controllers", "alphaxenas/report/equal_cost.py"),
    "step_time": (*_CHILDREN, "benchmarks/torch_peer.py"),
    "tables": _TABLES,
    "tree_speed": ("alphaxenas/controllers/mcts", "alphaxenas/spaces/cell.py"),
}
"""By benchmark: the files and folders of Python code whose change makes its results stale, with its own module; those
after a minus do not.
"""


_ORIGIN = ("command", "date", "revision", "machine", "versions", "seconds", "code")
"""What says where numbers come from."""


def parser(text: str | None, results: str = "") -> argparse.ArgumentParser:
    """An argument parser that shows a benchmark's module text and knows `--record`; from here on SIGTERM is a failure.

    Args:
        text: The text of the benchmark's module.
        results: What is recorded, where a benchmark has several results.
    """
    signal.signal(signal.SIGTERM, _ended)
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--record", action="store_true", help=f"write {results or 'the result'} to benchmarks/results/ [print it only]"
    )
    return made


def cores_of(core: int | None) -> int:
    """Keeps this process, and those that it starts, to one core; call it before TensorFlow is imported.

    Args:
        core: Number of the core; None for all.

    Returns:
        How many cores it has.

    Raises:
        SystemExit: The process may not use that core.
    """
    from alphaxenas.runs.machine import usable_cores

    if core is not None:
        if core not in os.sched_getaffinity(0):
            sys.exit(f"--core {core}: this process may use the cores {sorted(os.sched_getaffinity(0))}")
        os.sched_setaffinity(0, {core})
    return usable_cores()


def finish(
    benchmark: str,
    record: bool,
    started: float,
    figures: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
    name: str | None = None,
    arguments: Sequence[str] | None = None,
    keep: bool = False,
) -> dict[str, Any]:
    """Prints the result of a benchmark as the last line and, if asked to, writes its file.

    Args:
        benchmark: A name in `CODE`.
        record: Whether to write `benchmarks/results/<name>.json`.
        started: `time.perf_counter()` when the measurement began.
        figures: What was found, as JSON values.
        values: The value of every seed, repetition or network, as JSON values.
        name: Of the result; by default that of the benchmark.
        arguments: Of the command that repeats it; by default those of this process.
        keep: Whether methods of the recorded result that were not measured now stay in it. Then `values` and
            `figures["methods"]` are by method.

    Returns:
        The result.
    """
    from alphaxenas.runs import provenance, write_json

    origin = provenance()
    origin["machine"].pop("host", None)
    result = {
        "name": name or benchmark,
        "benchmark": benchmark,
        "command": " ".join(
            [
                f"python -m benchmarks.{benchmark}",
                *map(_without_folder, sys.argv[1:] if arguments is None else arguments),
            ]
        ),
        "date": time.strftime("%Y-%m-%d"),
        **origin,
        "seconds": round(time.perf_counter() - started, 1),
        "code": code_state(benchmark),
        "figures": figures,
        "values": values or {},
    }
    if record:
        RESULTS.mkdir(exist_ok=True)
        old = load(RESULTS).get(result["name"]) if keep else None
        result = result if old is None else merged(result, old)
        write_json(RESULTS / f"{result['name']}.json", result)
    print(json.dumps(figures), flush=True)
    return result


def merged(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """A result with the methods of an earlier one that it does not measure, and where those come from.

    Args:
        new: `values` and `figures["methods"]` are by method.
        old: A result of the same name.

    Raises:
        ValueError: The rest of the figures (goal, cap, table) differs, so the methods cannot stand together.
    """
    rest = [{key: value for key, value in one["figures"].items() if key != "methods"} for one in (new, old)]
    if rest[0] != rest[1]:
        raise ValueError(f"The recorded {old['name']} was measured otherwise: {rest[1]}. Now: {rest[0]}")
    earlier, again = [], set(new["values"])
    confirmed = [
        {**part, "methods": [m for m in part["methods"] if m not in again]} for part in old.get("confirmed", [])
    ]
    for part in origins(old):
        kept = [method for method in part["methods"] if method not in new["values"]]
        if kept:
            earlier.append({**{key: part[key] for key in _ORIGIN}, "methods": kept})
    confirmed = [part for part in confirmed if part["methods"]]
    order = [*old["values"], *(method for method in new["values"] if method not in old["values"])]
    values = {**old["values"], **new["values"]}
    methods = {**old["figures"]["methods"], **new["figures"]["methods"]}
    return {
        **new,
        "figures": {**new["figures"], "methods": {method: methods[method] for method in order}},
        "values": {method: values[method] for method in order},
        "earlier": earlier,
        **({"confirmed": confirmed} if confirmed else {}),
    }


def confirm(
    result: Mapping[str, Any], values: Mapping[str, Mapping[str, Sequence[Any]]], date: str, revision: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Notes that today's code gives the recorded values, as far as it was run again.

    Args:
        result: A recorded result whose values are by method, column and seed.
        values: The first values of some methods, by seed or trial, measured now; columns of times are left out.
        date: Of today.
        revision: Of today's code.

    Returns:
        The result with what is confirmed, and by method where its values differ.
    """
    differing, equal = {}, list[str]()
    for method, columns in values.items():
        recorded = result["values"][method]
        wrong = [name for name, found in columns.items() if list(recorded[name][: len(found)]) != list(found)]
        if wrong:
            differing[method] = f"{wrong[0]}: {recorded[wrong[0]][: len(columns[wrong[0]])]}, now {columns[wrong[0]]}"
        else:
            equal.append(method)
    seeds = min((len(found) for columns in values.values() for found in columns.values()), default=0)
    kept = [{**one, "methods": [m for m in one["methods"] if m not in values]} for one in result.get("confirmed", [])]
    noted = {"date": date, "revision": revision, "seeds": seeds, "code": code_state(result["benchmark"])}
    parts = [one for one in [*kept, {**noted, "methods": equal}] if one["methods"]]
    return {**{key: one for key, one in result.items() if key != "confirmed"}, "confirmed": parts}, differing


def origins(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measurements that a result consists of, the latest first, each with the `methods` it measured."""
    earlier = list(result.get("earlier", []))
    before = {method for part in earlier for method in part["methods"]}
    methods = [method for method in result.get("values") or {} if method not in before]
    return [{**{key: result[key] for key in _ORIGIN if key in result}, "methods": methods}, *earlier]


def note_confirmed(
    name: str, values: Mapping[str, Mapping[str, Sequence[Any]]], recorded: Mapping[str, Any] | None = None
) -> None:
    """Notes which recorded methods today's code gives the same values; the others stay stale and are named.

    Args:
        name: Of the recorded result.
        values: See `confirm`.
        recorded: The recorded values in that form, where they are in another.
    """
    from alphaxenas.runs import provenance, write_json

    old = load()[name]
    compared = {**old, "values": recorded or old["values"]}
    result, differing = confirm(compared, values, time.strftime("%Y-%m-%d"), provenance()["revision"])
    write_json(RESULTS / f"{name}.json", {**result, "values": old["values"]})
    for method, difference in differing.items():
        print(f"{name}: {method} is to be measured again. {difference}", flush=True)
    print(f"{name}: {len(values) - len(differing)} of {len(values)} methods are confirmed", flush=True)


def journal_of(path: Path, settings: Mapping[str, Any]) -> Journal:
    """A journal that begins with its settings, for a measurement that goes on where it was stopped.

    Args:
        path: The file.
        settings: What its first line says or has to say.

    Raises:
        SystemExit: It holds results of other settings.
    """
    from alphaxenas.runs import Journal

    journal = Journal(path)
    stored = journal.read()
    if not stored:
        journal.append(settings)
    elif stored[0] != settings:
        sys.exit(f"{path} holds results of other settings: {stored[0]}. Received: {settings}")
    return journal


def load(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """All recorded results by name, by default those of `RESULTS`."""
    files = sorted((folder or RESULTS).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def code_state(benchmark: str) -> dict[str, str]:
    """Hash by path of every file of code that the results of a benchmark depend on, paths relative to the project."""
    found = {}
    own = () if (ROOT / "benchmarks" / benchmark).is_dir() else (f"benchmarks/{benchmark}.py",)
    for declared in (*own, *(place for place in CODE[benchmark] if place[0] != "-")):
        place = ROOT / declared
        for path in [place] if place.suffix else sorted(place.rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not _left_out(benchmark, name):
                found[name] = blob_hash(path.read_bytes())
    return found


def _left_out(benchmark: str, path: str) -> bool:
    return any(place[0] == "-" and f"{path}/".startswith(f"{place[1:]}/") for place in CODE[benchmark])


def blob_hash(content: bytes) -> str:
    """The first 12 digits of the hash that git gives a file; line ends count as line feeds."""
    content = content.replace(b"\r\n", b"\n")
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()[:12]


def changed_since(result: Mapping[str, Any]) -> list[str]:
    """The files that were changed, added or removed since a result was recorded; empty when it is up to date."""
    now, changed = code_state(result["benchmark"]), set()
    confirmed = {method: part["code"] for part in result.get("confirmed", []) for method in part["methods"]}
    for part in origins(result):
        states = [confirmed.get(method, part["code"]) for method in part["methods"]] or [part["code"]]
        for then in states:
            changed |= {path for path in then.keys() | now.keys() if then.get(path) != now.get(path)}
    return sorted(path for path in changed if not _left_out(result["benchmark"], path))


def _ended(number: int, frame: object) -> None:
    """Ends a benchmark and its processes at once, with the exit code of its signal and not that of a success."""
    for process in multiprocessing.active_children():
        process.kill()
    print("Ended by SIGTERM before there was a result: nothing was recorded.", file=sys.stderr, flush=True)
    os._exit(128 + number)


def _without_folder(word: str) -> str:
    """An argument without the folders of this machine: `/home/me/tables.csv` is recorded as `tables.csv`."""
    return Path(word).name if Path(word).is_absolute() else word
