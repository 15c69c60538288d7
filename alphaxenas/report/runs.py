"""Stored runs, found by their folder names and loaded for reading; nothing is locked, changed or made here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphaxenas.coach import place_of_choice
from alphaxenas.contracts import SearchSpace
from alphaxenas.controllers.catalogue import DISPLAY_NAMES
from alphaxenas.runs import Journal, read_json
from alphaxenas.runs.description import compared_runs
from alphaxenas.spaces.from_parameters import space_from_parameters
from alphaxenas.suggestions import invalid
from alphaxenas.workers.flight import own_and_imported

if TYPE_CHECKING:
    from alphaxenas.config import Config

NAMES = {**DISPLAY_NAMES, "densenet": "DenseNet-BC"}
"""How controllers and baselines are called in figures and tables."""
CONTROLS = ("random", "ranked", "static")
"""Controllers that learn nothing from rewards, which every other search has to beat."""
NO_SEARCH = "AlphaXENAS without a search"
"""AlphaXENAS with `uniform_share` = 1, a control as well: the same harness, all children drawn uniformly."""
_SEARCH = re.compile(r"(?P<controller>[^-]+)-seed(?P<seed>\d+)")
"""Not `recurrent-<controller>-seed<n>`, the searches of notebook 09, which rate language models."""


@dataclass(frozen=True, eq=False)
class StoredRun:
    """The records of one run: a search, or the training of final networks.

    Attributes:
        suite: Name of the suite it belongs to.
        stage: `alphaxenas-seed0`, `densenet`, `final` ...
        description: run.json: parameters, versions, machine, revision.
        records: The journal, oldest first.
        results: results.json; None while the run is not finished.
        imported: Lines of the journal about trials of another search, which are not this run's own.
    """

    suite: str
    stage: str
    description: dict[str, Any]
    records: tuple[dict[str, Any], ...]
    results: dict[str, Any] | None
    imported: tuple[dict[str, Any], ...] = ()

    @property
    def controller(self) -> str:
        """Who searched: the stage without its seed."""
        match = _SEARCH.fullmatch(self.stage)
        return match["controller"] if match else self.stage

    @property
    def name(self) -> str:
        """Who searched, as figures and tables call it."""
        uniform = self.controller == "alphaxenas" and self.description["parameters"].get("uniform_share") == 1.0
        return NO_SEARCH if uniform else NAMES.get(self.controller, self.controller)

    @property
    def is_control(self) -> bool:
        """Whether it is a search that learns nothing from rewards."""
        return self.controller in CONTROLS or self.name == NO_SEARCH

    @property
    def seed(self) -> int:
        """The run's seed, from the stage's name or else from run.json."""
        match = _SEARCH.fullmatch(self.stage)
        return int(match["seed"] if match else self.description["seed"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that its results depend on."""
        return self.description["parameters"]

    @property
    def outcome(self) -> dict[str, Any]:
        """The results of a run that is finished; reading those of another is a mistake of the caller."""
        if self.results is None:
            raise invalid("run", "a finished run", f"{self.suite}/{self.stage}")
        return self.results

    @property
    def models(self) -> tuple[dict[str, Any], ...]:
        """The networks that a full training ended with; empty for searches and unfinished runs."""
        return tuple((self.results or {}).get("models", ()))

    @property
    def finals(self) -> list[dict[str, Any]]:
        """Records of the children that were rated at the final budget."""
        return [record for record in self.records if record["purpose"] == "final" and record["status"] == "ok"]

    @property
    def space(self) -> SearchSpace:
        """The search space of a search run."""
        return space_from_parameters(self.parameters)


@dataclass(frozen=True, eq=False)
class Suite:
    """All stored runs of one suite.

    Attributes:
        name: Folder below the folder of all runs.
        searches: One run per controller and seed, in this order; those without any record are left out.
        final: Full training of the best found; None if there is none.
        densenet: Full training of the baseline; None if there is none.
    """

    name: str
    searches: tuple[StoredRun, ...]
    final: StoredRun | None
    densenet: StoredRun | None

    def groups(self, among: str | None = None) -> dict[str, tuple[StoredRun, ...]]:
        """The searches by who searched.

        Args:
            among: Added to the labels, in brackets, to tell several suites apart.

        Returns:
            Readable label to the runs of all seeds.
        """
        found: dict[str, list[StoredRun]] = {}
        for run in self.searches:
            found.setdefault(f"{run.name} ({among})" if among else run.name, []).append(run)
        return {label: tuple(runs) for label, runs in found.items()}

    @property
    def leading(self) -> tuple[StoredRun, ...]:
        """The searches that the report is about, all seeds of one controller.

        It is the one that met the architecture trained in full; without such, AlphaXENAS or the first that is no
        control.
        """
        trained = self.final.parameters.get("trained", ())[:1] if self.final else ()

        def rank(run: StoredRun) -> tuple[bool, bool]:
            met = any(record["architecture"] in trained for record in run.records)
            return not met, run.is_control

        chosen = min(self.searches, key=rank).controller if self.searches else ""
        return tuple(run for run in self.searches if run.controller == chosen)

    @property
    def trainings(self) -> tuple[StoredRun, ...]:
        """The full trainings that there are."""
        return tuple(run for run in (self.final, self.densenet) if run is not None)

    @property
    def runs(self) -> tuple[StoredRun, ...]:
        """Searches and trainings together."""
        return self.searches + self.trainings

    def remarks(self) -> list[str]:
        """What a reader has to know before trusting the numbers: unfinished runs, missing parts."""
        going_on = [run for run in self.runs if run.results is None]
        remarks = [f"`{run.stage}` is not finished: {len(run.records)} records so far." for run in going_on]
        remarks += [f"`{r.stage}`: {len(r.imported)} imported trials, not counted." for r in self.runs if r.imported]
        kinds = {run.is_control for run in self.searches}
        missing = [] if True in kinds else [NAMES["random"]]
        missing += [] if False in kinds else [f"a search other than {NAMES['random']}"]
        remarks += [f"There is no run of {what}, so nothing can be said about the difference." for what in missing]
        absent = {"final", "densenet"} - {run.stage for run in self.trainings}
        remarks += [f"There is no run `{stage}`: its numbers are missing below." for stage in sorted(absent)[::-1]]
        return remarks


Groups = Mapping[str, Sequence[StoredRun]]
"""Label of a search to its runs, one per seed."""


def choose_suite(run: str, exp_dir: Path | str) -> tuple[str, str]:
    """The suite to show: the one asked for or, in a fresh clone, a reference suite: its own, that of `quick`, or any.

    Args:
        run: Name of the suite asked for.
        exp_dir: Folder of all runs.

    Returns:
        Its name, and a sentence that says what is shown and why.

    Raises:
        FileNotFoundError: Neither is stored; says which suites are, and how to make one.
    """
    exp_dir = Path(exp_dir)
    if _holds_records(exp_dir / run):
        return run, f"Shown: the run `{run}`."
    stored = sorted(path.name for path in exp_dir.glob("*") if _holds_records(path))
    references = [one for one in stored if one.startswith("reference-") and [*(exp_dir / one).glob("*-seed*")]]
    if references:
        wanted = (f"reference-{run}", "reference-quick", references[0])
        reference = next(one for one in wanted if one in references)
        instead = f"Shown instead: the stored reference run `{reference}`. `./run_all.sh` makes your own."
        return reference, f"There is no run `{run}` here yet. {instead}"
    known = f" Stored are: {', '.join(stored)}." if stored else ""
    raise FileNotFoundError(
        f"Invalid value for `run`. Expected a stored run in {exp_dir}. Received: {run!r}.{known} "
        "./run_all.sh makes one."
    )


def load_suite(name: str, exp_dir: Path | str) -> Suite:
    """Reads all runs of a suite.

    Args:
        name: The suite.
        exp_dir: Folder of all runs.

    Raises:
        FileNotFoundError: There is no record of that name.
        StorageError: A record is damaged; names the file.
    """
    folder = Path(exp_dir) / name
    if not _holds_records(folder):
        raise FileNotFoundError(f"Invalid value for `run`. Expected a stored run in {exp_dir}. Received: {name!r}")
    runs = {path.parent.name: load_run(path.parent) for path in sorted(folder.glob("*/run.json"))}
    searches = [run for stage, run in runs.items() if _SEARCH.fullmatch(stage) and run.records]
    # In the order of NAMES; seeds as numbers, so that seed 10 follows seed 9.
    order = [*NAMES, *sorted({run.controller for run in searches} - {*NAMES})]
    searches.sort(key=lambda run: (order.index(run.controller), run.seed))
    return Suite(name, tuple(searches), runs.get("final"), runs.get("densenet"))


def load_others(names: str, exp_dir: Path | str) -> list[Suite]:
    """The suites named in `compare_with`, as `load_suite`.

    Args:
        names: Names with commas between them; empty for none.
        exp_dir: Folder of all runs.

    Raises:
        FileNotFoundError: One of them is not stored; names the nearest that is.
    """
    try:
        wanted = compared_runs(names, Path(exp_dir), _holds_records)
    except ValueError as error:
        raise FileNotFoundError(str(error)) from None
    return [load_suite(name, exp_dir) for name in wanted]


def load_studies(exp_dir: Path | str) -> list[StoredRun]:
    """The studies on tables, `<suite>/study`, of all suites; see notebook 06."""
    return [load_run(path.parent) for path in sorted(Path(exp_dir).glob("*/study/run.json"))]


def load_groups(suite: Suite, others: Sequence[Suite]) -> dict[str, tuple[StoredRun, ...]]:
    """The searches of several suites by who searched.

    Args:
        suite: The suite under review.
        others: Further suites; their labels carry the name of the suite and follow those of the first.
    """
    groups = suite.groups()
    for other in others:
        groups |= other.groups(other.name)
    return groups


def stored_searches(config: Config, part: str) -> dict[str, tuple[StoredRun, ...]]:
    """The stored searches of a part of notebook 07, as `figures.search_curves` takes them.

    Args:
        config: The configuration.
        part: `"mnist"` or `"chains"`.

    Returns:
        Runs by the displayed name of their controller.
    """
    run = config.run
    seeds, controllers = config.search.seeds or (run.seed,), config.search.controllers
    if part == "mnist":
        seeds, controllers = (run.seed,), ("reinforce",)
    suite = Path(run.exp_dir) / run.run
    return {
        NAMES[name]: tuple(
            replace(load_run(suite / f"policy-{part}-{name}-{seed}"), stage=f"{name}-seed{seed}") for seed in seeds
        )
        for name in controllers
    }


def stored_rounds(config: Config, space_name: str) -> list[dict[str, Any]]:
    """The rounds of a stored ENAS search with the run's seed.

    Args:
        config: The configuration.
        space_name: `"micro"` or `"macro"`.

    Returns:
        Journal records, in order.
    """
    run = load_run(Path(config.run.exp_dir) / config.run.run / f"enas-{space_name}-s{config.run.seed}")
    return [record for record in run.records if record["purpose"] == "round"]


def best_records(runs: Sequence[StoredRun], count: int) -> list[tuple[StoredRun, dict[str, Any]]]:
    """The best architectures at the final budget, best first, each architecture once.

    The choice of a search comes first, see `contracts.Controller.quality`: of several searches the first choices by
    their rewards, then the second ones, and of searches that choose by reward all by reward.

    Args:
        runs: Searches of one space.
        count: How many at most.

    Returns:
        Pairs of a run and its record.
    """
    finals = [(run, record) for run in runs for record in run.finals]
    best: dict[str, tuple[StoredRun, dict[str, Any]]] = {}
    finals.sort(key=lambda pair: (place_of_choice(pair[0].results, pair[1]["key"]), -pair[1]["reward"]))
    for run, record in finals:
        best.setdefault(record["key"], (run, record))
    return list(best.values())[:count]


def _holds_records(folder: Path) -> bool:
    """Whether a suite holds a search or a training of notebooks 02 to 04, which is what a report is about."""
    names = {path.parent.name for path in folder.glob("*/run.json")}
    return any(name in ("final", "densenet") or _SEARCH.fullmatch(name) for name in names)


def load_run(folder: Path) -> StoredRun:
    """The records of one run, by its folder `exp/<suite>/<stage>`."""
    description = read_json(folder / "run.json")
    if description is None:
        raise FileNotFoundError(f"Invalid value for `folder`. Expected the folder of a stored run. Received: {folder}")
    own, imported = own_and_imported(Journal(folder / "trials.jsonl").read())
    return StoredRun(folder.parent.name, folder.name, description, own, read_json(folder / "results.json"), imported)
