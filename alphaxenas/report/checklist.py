"""The best-practice checklist for architecture search, answered from the records.

Source of the items: Lindauer & Hutter 2020, "Best practices for scientific research on neural architecture search",
Journal of Machine Learning Research 21(243); the wording is ours. An item is `yes` only when the records prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas

from alphaxenas.config.declarations import with_role
from alphaxenas.config.networks import TrainingConfig
from alphaxenas.report.checklist_words import budget_words, recipe_words, space_words, split_words
from alphaxenas.report.equal_cost import common_end, cumulative_cost, is_trained
from alphaxenas.report.runs import NAMES, StoredRun, Suite, differing_parameters
from alphaxenas.report.statistics import FEWEST_SEEDS

_DATA, _SPACE, _BUDGETS, _METHOD = with_role("data"), with_role("space"), with_role("budget"), with_role("method")
_RECIPE = tuple(name for name in with_role("recipe") if name not in TrainingConfig.model_fields)
_TRAINING = tuple(name for name in with_role("recipe") if name in TrainingConfig.model_fields)


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes:
        theme: Code, comparison or report.
        asked: What good practice asks for.
        answer: `"yes"`, `"partly"` or `"no"`.
        evidence: Where the records show it, or what is missing.
    """

    theme: str
    asked: str
    answer: str
    evidence: str


def checklist(suite: Suite, others: Sequence[Suite] = (), studies: Sequence[StoredRun] = ()) -> list[Item]:
    """All items for a suite.

    Args:
        suite: The suite under review.
        others: Further suites shown beside it; searches that differ in the method are its ablations.
        studies: Studies on tables, see `runs.load_studies`.
    """
    code, comparison, report = "code", "comparison", "report"
    return [
        Item(
            code,
            "Code that trains and scores the final networks is public.",
            *_code(suite.runs, "training loop, children and DenseNet"),
        ),
        Item(
            code,
            "Code of the search space is public.",
            *_code(suite.searches, space_words(suite.searches[0]) if suite.searches else ""),
        ),
        Item(code, "Settings and seeds of the final training are given.", *_final_settings(suite)),
        Item(code, "Code of the search method is public.", *_code(suite.searches, "controllers and coach")),
        Item(code, "Settings and seeds of the search are given.", *_search_settings(suite)),
        Item(
            comparison,
            "All methods use the same data with the same split.",
            *_same(suite.runs, ("seed", *_DATA), "data set and split", split_words),
        ),
        Item(comparison, "All methods search the same space.", *_same(suite.searches, _SPACE, "space", space_words)),
        Item(
            comparison,
            "All methods train children by the same code and recipe.",
            *_same(suite.searches, _RECIPE, "recipe of the children", recipe_words),
        ),
        Item(comparison, "The searched network and the baseline are trained alike.", *_trained_alike(suite)),
        Item(
            comparison,
            "The same protocol rates all methods.",
            *_same(suite.searches, _BUDGETS, "budgets", budget_words),
        ),
        Item(comparison, "Hardware, library versions and running time do not confound.", *_confounders(suite.runs)),
        Item(comparison, "Ablations show which part of the method matters.", *_ablations(suite, others)),
        Item(comparison, "Performance is compared over time, not at one point alone.", *_over_time(suite)),
        Item(comparison, "Random search is among the methods.", *_random(suite)),
        Item(comparison, "Searches are repeated with several seeds, and the seeds are given.", *_repeated(suite)),
        Item(comparison, "Tabular or surrogate benchmarks back the comparison.", *_tabular(suite, studies)),
        Item(
            report,
            "How the method's own settings were tuned, and what that cost.",
            "no",
            "Not recorded: no stored run shows how default settings were found. GuidedSearch's features and constants "
            "were tuned on tables of trained architectures; on which of them is not recorded.",
        ),
        Item(report, "The time from start to final network, not of the search alone.", *_total_time(suite)),
        Item(report, "Test data were used once, after everything was chosen.", *_test_once(suite)),
        Item(report, "All details of the setup are recorded.", *_details(suite.runs)),
    ]


def as_table(items: Sequence[Item]) -> pandas.DataFrame:
    """The checklist as a frame."""
    table = pandas.DataFrame([asdict(item) for item in items]).rename(columns={"asked": "what is asked"})
    return table.set_index(["theme", "what is asked"])


def summary(items: Sequence[Item]) -> dict[str, int]:
    """How many items got which answer."""
    return {answer: sum(item.answer == answer for item in items) for answer in ("yes", "partly", "no")}


def _code(runs: Sequence[StoredRun], what: str) -> tuple[str, str]:
    revisions = {run.description["revision"] for run in runs if run.description.get("revision") is not None}
    if not runs:
        return "no", "There is no such run."
    if any(run.description.get("revision") is None for run in runs):
        return "partly", f"In this repository ({what}), but a run was made outside git: its revision is unknown."
    named = ", ".join(sorted(revision[:10] + ("+" if revision.endswith("+") else "") for revision in revisions))
    if any(revision.endswith("+") for revision in revisions):
        return (
            "partly",
            f"In this repository ({what}), revision {named}; + means that files differed from the revision.",
        )
    return "yes", f"In this repository ({what}), revision {named}."


def _final_settings(suite: Suite) -> tuple[str, str]:
    trainings = [run for run in (suite.final, suite.densenet) if run is not None]
    if not trainings:
        return "no", "No network has been trained in full."
    stages = ", ".join(f"{run.stage}/run.json ({len(run.parameters)} parameters, seed {run.seed})" for run in trainings)
    return ("yes", f"{stages}.") if len(trainings) == 2 else ("partly", f"{stages}; the other training is missing.")


def _search_settings(suite: Suite) -> tuple[str, str]:
    if not suite.searches:
        return "no", "There is no search."
    seeds = "; ".join(f"{label}: {_listed(run.seed for run in runs)}" for label, runs in suite.groups().items())
    return "yes", f"run.json of every search, {len(suite.searches[0].parameters)} parameters each. Seeds: {seeds}."


def _same(
    runs: Sequence[StoredRun], names: Sequence[str], what: str, words: Callable[[StoredRun], str]
) -> tuple[str, str]:
    """Whether all runs agree in these parameters; comparing takes two."""
    if len({run.controller for run in runs}) < 2:
        return "no", "There is nothing to compare with."
    differing = {name: values for name, values in differing_parameters(runs).items() if name in names}
    if differing:
        return "no", f"They differ in the {what}: " + "; ".join(
            f"{name} {_listed(values, ' or ')}" for name, values in differing.items()
        ) + "."
    return "yes", f"Same {what} in the records of all {len(runs)} runs: {words(runs[0])}."


def _trained_alike(suite: Suite) -> tuple[str, str]:
    if suite.final is None or suite.densenet is None:
        return "no", "The searched network or the baseline has not been trained in full."
    differing = differing_parameters([suite.final, suite.densenet])
    found = [f"{name} {_listed(differing[name], ' or ')}" for name in (*_DATA, *_TRAINING) if name in differing]
    epochs = [
        run.parameters.get(name) for run, name in ((suite.final, "train_epochs"), (suite.densenet, "densenet_epochs"))
    ]
    if found:
        return "no", f"They differ: {'; '.join(found)}."
    if epochs[0] != epochs[1]:
        return (
            "partly",
            f"Same data and recipe, but {epochs[0]} epochs for the searched network and {epochs[1]} for the baseline.",
        )
    return "yes", f"Same data, recipe and number of epochs ({epochs[0]})."


def _confounders(runs: Sequence[StoredRun]) -> tuple[str, str]:
    if not runs:
        return "no", "There is no run."
    hardware = [run.description["machine"] for run in runs]
    machines = {(each.get("processor"), each.get("cores"), *each.get("gpus", ())) for each in hardware}
    versions = {tuple(sorted(run.description["versions"].items())) for run in runs}
    revisions = {run.description.get("revision") for run in runs}
    about = "; ".join(
        f"{cores} cores of {processor}" + "".join(f", {gpu}" for gpu in gpus)
        for processor, cores, *gpus in sorted(machines, key=str)
    )
    kinds: dict[str, set[Any]] = {
        "machines": machines,
        "sets of library versions": versions,
        "revisions of the code": revisions,
    }
    found = [f"{len(values)} different {name}" for name, values in kinds.items() if len(values) > 1]
    if found:
        return (
            "partly",
            f"{'; '.join(found)}. Machines: {about}. "
            "Trials and images trained do not depend on the machine, seconds do.",
        )
    versions_text = ", ".join(
        f"{name} {version}" for name, version in next(iter(versions)) if name in ("python", "tensorflow", "numpy")
    )
    return (
        "yes",
        f"All {len(runs)} runs on {about}; {versions_text}. What else the machine did meanwhile is not recorded.",
    )


def _ablations(suite: Suite, others: Sequence[Suite]) -> tuple[str, str]:
    ours, found = suite.leading, []
    for other in others:
        theirs = [run for run in other.searches if run.controller == ours[0].controller] if ours else []
        differing = differing_parameters([*ours, *theirs]) if ours and theirs else {}
        changed = [name for name in differing if name in _METHOD]
        if changed and set(differing) <= set(_METHOD):
            words = "; ".join(f"{name} {_listed(differing[name], ' or ')}" for name in changed)
            found.append(f"{other.name} ({words})")
    if found:
        return "partly", f"Shown with it: {'; '.join(found)}. Parts that no run leaves out are not covered."
    return (
        "no",
        "No run without a part of the method (such as prior='uniform') is shown with it; `compare_with` adds one.",
    )


def _over_time(suite: Suite) -> tuple[str, str]:
    if len(suite.groups()) < 2:
        return "no", "There is nothing to compare with."
    trials = int(common_end(suite.searches, "trials"))
    return (
        "yes",
        f"Curves against trained children, images trained and seconds, up to {trials} trained children, "
        "where the cheapest run ends.",
    )


def _random(suite: Suite) -> tuple[str, str]:
    runs = suite.groups().get(NAMES["random"], ())
    if not runs:
        return "no", "No run of random search."
    counts = [sum(map(is_trained, run.records)) for run in runs]
    same = "yes" if all(run.results is not None for run in runs) else "partly"
    return (
        same,
        f"Same coach, evaluator and budgets; {_listed(counts)} trained children "
        f"with seeds {_listed(run.seed for run in runs)}.",
    )


def _repeated(suite: Suite) -> tuple[str, str]:
    groups = suite.groups()
    if not groups:
        return "no", "There is no search."
    seeds = {label: [run.seed for run in runs] for label, runs in groups.items()}
    fewest = min(map(len, seeds.values()))
    text = "; ".join(f"{label}: {len(found)} ({_listed(found)})" for label, found in seeds.items())
    if fewest < 2:
        return "no", f"{text}. One seed shows nothing about a difference."
    return (
        ("yes", f"{text}.")
        if fewest >= FEWEST_SEEDS
        else ("partly", f"{text}. Fewer than {FEWEST_SEEDS} are too few to show a difference.")
    )


def _tabular(suite: Suite, studies: Sequence[StoredRun]) -> tuple[str, str]:
    """Whether whoever searches here was compared on tables as well, with enough seeds."""
    compared = list(dict.fromkeys(run.controller for run in suite.searches))
    rows = [(study, row) for study in studies for row in (study.results or {}).get("queries", ())]
    if not rows:
        missing = (
            f"{_listed(f'{study.suite}/{study.stage}' for study in studies)} has no results yet"
            if studies
            else "There is no study on tables"
        )
        return "no", f"{missing}. Notebook 06 makes one."
    found = []
    for study in dict.fromkeys(study for study, _ in rows):
        mine = [row for other, row in rows if other is study]
        names = _listed(dict.fromkeys(NAMES.get(row["controller"], row["controller"]) for row in mine))
        seeds = sorted({row["seeds"] for row in mine})
        counts = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else seeds[0]
        found.append(
            f"{study.suite}/{study.stage}: tables {_listed(dict.fromkeys(row['table'] for row in mine))}; "
            f"{names}; {counts} seeds each"
        )
    covered = {row["controller"] for _, row in rows if row["seeds"] >= FEWEST_SEEDS}
    absent = [NAMES.get(name, name) for name in compared if name not in covered]
    if absent or not compared:
        return (
            "partly",
            f"{'. '.join(found)}. Not on a table with {FEWEST_SEEDS} seeds or more: "
            f"{_listed(absent) or 'there is no search here to compare with'}.",
        )
    return "yes", f"{'. '.join(found)}."


def _total_time(suite: Suite) -> tuple[str, str]:
    searches = suite.leading
    if not searches:
        return "no", "There is no search."
    search = float(np.mean([cumulative_cost(run, "seconds")[-1] for run in searches]))
    if suite.final is None or suite.final.results is None:
        return "partly", f"Search {search:,.0f} s a seed; there is no finished final training."
    final = suite.final.results["seconds"]
    return (
        "yes",
        f"Search {search:,.0f} s a seed, failed children included, and final training {final:,.0f} s: "
        f"{search + final:,.0f} s in all.",
    )


def _test_once(suite: Suite) -> tuple[str, str]:
    trainings = [run for run in (suite.final, suite.densenet) if run is not None and run.results is not None]
    if not trainings:
        return "no", "No network has been scored on test data yet."
    scored = "; ".join(
        f"{run.stage}: {run.models[run.outcome['chosen']]['name']} of {len(run.models)}, chosen by validation accuracy"
        for run in trainings
    )
    return "yes", f"One network per training was scored ({scored}). Searches are rewarded by validation images alone."


def _details(runs: Sequence[StoredRun]) -> tuple[str, str]:
    wanted = ("parameters", "versions", "machine", "revision", "created")
    missing = sorted({name for run in runs for name in wanted if not run.description.get(name)})
    if not runs or missing:
        return "partly", f"Missing in a run.json: {', '.join(missing) or 'everything'}."
    return "yes", (
        "run.json: every parameter, seed, versions, machine, revision. trials.jsonl: every child that was tried. "
        "results.json: what came out."
    )


def _listed(values: Any, between: str = ", ") -> str:
    return between.join(str(value) for value in values)
