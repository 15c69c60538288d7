"""The best-practice checklist for architecture search, answered from the records.

Source of the items: Lindauer & Hutter 2020, "Best practices for scientific research on neural architecture search",
Journal of Machine Learning Research 21(243); the wording is ours. An item is `yes` only when the records prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas

from alphaxenas.config.declarations import with_role
from alphaxenas.config.networks import TrainingConfig
from alphaxenas.report.checklist_words import budget_words, recipe_words, space_words, split_words
from alphaxenas.report.equal_cost import common_end, cumulative_cost, differing_parameters, is_trained
from alphaxenas.report.runs import NAMES, StoredRun, Suite
from alphaxenas.report.statistics import FEWEST_SEEDS

_DATA, _SPACE, _BUDGETS, _METHOD = with_role("data"), with_role("space"), with_role("budget"), with_role("method")
_RECIPE = tuple(name for name in with_role("recipe") if name not in TrainingConfig.model_fields)
_TRAINING = tuple(name for name in with_role("recipe") if name in TrainingConfig.model_fields)
_TUNING = (
    "no",
    "Not recorded: no stored run shows how default settings were found. The constants of GuidedSearch were chosen "
    "while looking at the tables of docs/results.md.",
)


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
    searches, space = suite.searches, space_words(suite.searches[0]) if suite.searches else ""
    same_data = _same(suite.runs, ("seed", *_DATA), "data set and split", split_words)
    answers: dict[str, dict[str, tuple[str, str]]] = {
        "code": {
            "Code that trains and scores the final networks is public.": _code(
                suite.runs, "training loop, children and DenseNet"
            ),
            "Code of the search space is public.": _code(searches, space),
            "Settings and seeds of the final training are given.": _final_settings(suite),
            "Code of the search method is public.": _code(searches, "controllers and coach"),
            "Settings and seeds of the search are given.": _search_settings(suite),
        },
        "comparison": {
            "All methods use the same data with the same split.": same_data,
            "All methods search the same space.": _same(searches, _SPACE, "space", space_words),
            "All methods train children by the same code and recipe.": _same(
                searches, _RECIPE, "recipe of the children", recipe_words
            ),
            "The searched network and the baseline are trained alike.": _trained_alike(suite),
            "The same protocol rates all methods.": _same(searches, _BUDGETS, "budgets", budget_words),
            "Hardware, library versions and running time do not confound.": _confounders(suite.runs),
            "Ablations show which part of the method matters.": _ablations(suite, others),
            "Performance is compared over time, not at one point alone.": _over_time(suite),
            "Random search is among the methods.": _random(suite),
            "Searches are repeated with several seeds, and the seeds are given.": _repeated(suite),
            "Tabular or surrogate benchmarks back the comparison.": _tabular(suite, studies),
        },
        "report": {
            "How the method's own settings were tuned, and what that cost.": _TUNING,
            "The time from start to final network, not of the search alone.": _total_time(suite),
            "Test data were used once, after everything was chosen.": _test_once(suite),
            "All details of the setup are recorded.": _details(suite.runs),
        },
    }
    return [Item(theme, asked, *found) for theme, part in answers.items() for asked, found in part.items()]


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
    if "+" in named:
        return (
            "partly",
            f"In this repository ({what}), revision {named}; + means that files differed from the revision.",
        )
    return "yes", f"In this repository ({what}), revision {named}."


def _final_settings(suite: Suite) -> tuple[str, str]:
    trainings = suite.trainings
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
    if found := _differences(differing_parameters(runs), names):
        return "no", f"They differ in the {what}: {found}."
    return "yes", f"Same {what} in the records of all {len(runs)} runs: {words(runs[0])}."


def _trained_alike(suite: Suite) -> tuple[str, str]:
    if suite.final is None or suite.densenet is None:
        return "no", "The searched network or the baseline has not been trained in full."
    differing = differing_parameters([suite.final, suite.densenet])
    found = _differences(differing, (*_DATA, *_TRAINING))
    ours, theirs = suite.final.parameters.get("train_epochs"), suite.densenet.parameters.get("densenet_epochs")
    if found:
        return "no", f"They differ: {found}."
    if ours != theirs:
        return (
            "partly",
            f"Same data and recipe, but {ours} epochs for the searched network and {theirs} for the baseline.",
        )
    return "yes", f"Same data, recipe and number of epochs ({ours})."


def _confounders(runs: Sequence[StoredRun]) -> tuple[str, str]:
    if not runs:
        return "no", "There is no run."
    hardware = [run.description["machine"] for run in runs]
    machines = {(each.get("processor"), each.get("cores"), *each.get("gpus", ())) for each in hardware}
    versions = {tuple(sorted(run.description["versions"].items())) for run in runs}
    revisions = {run.description.get("revision") for run in runs}
    about = "; ".join(
        ", ".join((f"{cores} cores of {processor}", *gpus)) for processor, cores, *gpus in sorted(machines, key=str)
    )
    kinds: dict[str, set[Any]] = {
        "machines": machines,
        "sets of library versions": versions,
        "revisions of the code": revisions,
    }
    if found := [f"{len(values)} different {name}" for name, values in kinds.items() if len(values) > 1]:
        on_time = "Trials and images trained do not depend on the machine, seconds do."
        return "partly", f"{'; '.join(found)}. Machines: {about}. {on_time}"
    used = dict(next(iter(versions)))
    named = ", ".join(f"{name} {used[name]}" for name in ("numpy", "python", "tensorflow") if name in used)
    unknown = "What else the machine did meanwhile is not recorded."
    return "yes", f"All {len(runs)} runs on {about}; {named}. {unknown}"


def _ablations(suite: Suite, others: Sequence[Suite]) -> tuple[str, str]:
    ours, found = suite.leading, []
    for other in others:
        theirs = [run for run in other.searches if run.controller == ours[0].controller] if ours else []
        differing = differing_parameters([*ours, *theirs]) if ours and theirs else {}
        if differing and set(differing) <= set(_METHOD):
            found.append(f"{other.name} ({_differences(differing, _METHOD)})")
    if found:
        return "partly", f"Shown with it: {'; '.join(found)}. Parts that no run leaves out are not covered."
    return "no", "No run without a part of the method (such as prior='uniform') is shown with it: see `compare_with`."


def _over_time(suite: Suite) -> tuple[str, str]:
    if len(suite.groups()) < 2:
        return "no", "There is nothing to compare with."
    trials = int(common_end(suite.searches, "trials"))
    axes = "trained children, images trained and seconds"
    return "yes", f"Curves against {axes}, up to {trials} trained children, where the cheapest run ends."


def _random(suite: Suite) -> tuple[str, str]:
    runs = suite.groups().get(NAMES["random"], ())
    if not runs:
        return "no", "No run of random search."
    counts = [sum(map(is_trained, run.records)) for run in runs]
    whole = "yes" if all(run.results is not None for run in runs) else "partly"
    seeds = _listed(run.seed for run in runs)
    return whole, f"Same coach, evaluator and budgets; {_listed(counts)} trained children with seeds {seeds}."


def _repeated(suite: Suite) -> tuple[str, str]:
    groups = suite.groups()
    if not groups:
        return "no", "There is no search."
    seeds = {label: [run.seed for run in runs] for label, runs in groups.items()}
    fewest = min(map(len, seeds.values()))
    text = "; ".join(f"{label}: {len(found)} ({_listed(found)})" for label, found in seeds.items())
    if fewest < 2:
        return "no", f"{text}. One seed shows nothing about a difference."
    if fewest < FEWEST_SEEDS:
        return "partly", f"{text}. Fewer than {FEWEST_SEEDS} are too few to show a difference."
    return "yes", f"{text}."


def _tabular(suite: Suite, studies: Sequence[StoredRun]) -> tuple[str, str]:
    """Whether whoever searches here was compared on tables as well, with enough seeds."""
    rows = [
        (f"{study.suite}/{study.stage}", row) for study in studies for row in (study.results or {}).get("queries", ())
    ]
    if not rows:
        stored = _listed(f"{study.suite}/{study.stage}" for study in studies)
        return (
            "no",
            f"{f'{stored} has no results yet' if stored else 'There is no study on tables'}. Notebook 06 makes one.",
        )
    found = []
    for study in dict.fromkeys(study for study, _ in rows):
        mine = [row for other, row in rows if other == study]
        tables = _listed(dict.fromkeys(row["table"] for row in mine))
        names = _named(dict.fromkeys(row["controller"] for row in mine))
        seeds = sorted({row["seeds"] for row in mine})
        counts = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else seeds[0]
        found.append(f"{study}: tables {tables}; {names}; {counts} seeds each")
    covered = {row["controller"] for _, row in rows if row["seeds"] >= FEWEST_SEEDS}
    absent = [name for name in dict.fromkeys(run.controller for run in suite.searches) if name not in covered]
    if absent or not suite.searches:
        missing = _named(absent) or "there is no search here to compare with"
        return "partly", f"{'. '.join(found)}. Not on a table with {FEWEST_SEEDS} seeds or more: {missing}."
    return "yes", f"{'. '.join(found)}."


def _total_time(suite: Suite) -> tuple[str, str]:
    searches = suite.leading
    if not searches:
        return "no", "There is no search."
    search = float(np.mean([cumulative_cost(run, "seconds")[-1] for run in searches]))
    if suite.final is None or suite.final.results is None:
        return "partly", f"Search {search:,.0f} s a seed; there is no finished final training."
    final = suite.final.results["seconds"]
    parts = f"Search {search:,.0f} s a seed, failed children included, and final training {final:,.0f} s"
    return "yes", f"{parts}: {search + final:,.0f} s in all."


def _test_once(suite: Suite) -> tuple[str, str]:
    trainings = [run for run in suite.trainings if run.results is not None]
    if not trainings:
        return "no", "No network has been scored on test data yet."
    scored = "; ".join(
        f"{run.stage}: {run.models[run.outcome['chosen']]['name']} of {len(run.models)}, chosen by validation accuracy"
        + "".join(f", and {model['name']} beside it, never chosen" for model in run.models if "test_accuracy" in model)
        for run in trainings
    )
    return "yes", f"Test data chose nothing: {scored}. Searches are rewarded by validation images alone."


def _details(runs: Sequence[StoredRun]) -> tuple[str, str]:
    wanted = ("parameters", "versions", "machine", "revision", "created")
    missing = sorted({name for run in runs for name in wanted if not run.description.get(name)})
    if not runs or missing:
        return "partly", f"Missing in a run.json: {', '.join(missing) or 'everything'}."
    return "yes", (
        "run.json: every parameter, seed, versions, machine, revision. trials.jsonl: every child that was tried. "
        "results.json: what came out."
    )


def _differences(differing: Mapping[str, Sequence[Any]], names: Sequence[str]) -> str:
    """These parameters with their different values."""
    return "; ".join(f"{name} {_listed(differing[name], ' or ')}" for name in names if name in differing)


def _named(controllers: Iterable[str]) -> str:
    return _listed(NAMES.get(name, name) for name in controllers)


def _listed(values: Any, between: str = ", ") -> str:
    return between.join(str(value) for value in values)
