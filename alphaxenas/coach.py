"""The search loop: ask -> evaluate -> tell -> record, for any controller, search space and evaluator.

Whatever ends a run, the same call continues it. Per trial the journal line comes first (flushed and fsynced), then,
every `checkpoint_every` evaluated children, a checkpoint of controller and evaluator. A continued run restores the
newest valid checkpoint and goes on; later trials in the journal are run again, which gives the same records, so they
are compared instead of being written twice. Nothing that decides anything reads a clock, except the limit on minutes.

With `in_flight` above 1 the controller is asked for further proposals while outcomes are awaited. In deterministic
order outcomes are told in the order of their proposals, so what a search does depends on `in_flight` and not on how
long an evaluation took or on how many workers there were. In the order of arrival no worker waits for a slower one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, Controller, Evaluator, Outcome, Proposal, SearchSpace
from alphaxenas.controllers.pareto.objectives import FrontSoFar, summary, wished
from alphaxenas.proxies.scores import ProxyScores
from alphaxenas.runs.events import is_drawn
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.runs.watch import progress_bar
from alphaxenas.spaces.drawing.picture import picture
from alphaxenas.workers.evaluations import InTurn, Workers
from alphaxenas.workers.flight import DETERMINISTIC, Awaited, Flight, finite, outcome_of, subject, subject_of

MAX_REPEATS = 1000
"""So many known architectures in a row, and the search is taken to have exhausted the space."""
BEST_KEPT = 10
"""How many of the best architectures results.json lists."""
BELIEVED = 1000
"""Among so many of the best by reward the controller's belief chooses, so that a long run need not load all."""


class Coach:
    """Runs a search and keeps its records.

    Args:
        space: Decodes tokens, knows which architectures are the same, draws them.
        controller: Says what to try.
        evaluator: Says how good it is; may be `Workers`, which evaluate several proposals at once.
        folder: An open run folder; everything is written there.
        iterations: Stop after so many outcomes of purpose `"final"`; 0 = unlimited.
        trials: Stop after so many evaluations that trained a child; 0 = unlimited.
        max_minutes: Stop after so many minutes, restarts included; 0 = unlimited.
        checkpoint_every: Write a checkpoint after so many evaluations. More than 1 saves time and costs, after a
            kill, repeating up to so many of them.
        grace_seconds: How long the child in training may take after SIGTERM before it is given up.
        proxies: Scores that the controller uses: their seconds count as those of the trial that they led to.
        in_flight: Proposals that are awaited at once, as far as the controller has so many.
        order: One of `alphaxenas.workers.flight.ORDERS`.
        imported: Outcomes of another search, purpose `"imported"`: the controller learns from them before its first
            proposal. They are in the journal, and neither counted nor ranked with what this search evaluated.
    """

    def __init__(
        self,
        space: SearchSpace,
        controller: Controller,
        evaluator: Evaluator | Workers,
        folder: RunFolder,
        iterations: int = 0,
        trials: int = 0,
        max_minutes: float = 0.0,
        checkpoint_every: int = 1,
        grace_seconds: float = 20.0,
        proxies: ProxyScores | None = None,
        in_flight: int = 1,
        order: str = DETERMINISTIC,
        imported: Sequence[Outcome] = (),
    ) -> None:
        self._space, self._controller, self._evaluator, self._folder = space, controller, evaluator, folder
        self._objectives = getattr(controller, "objectives", None)
        self._limits = {"iterations": iterations, "trials": trials, "max_minutes": max_minutes}
        self._checkpoint_every, self._proxies, self._imported = checkpoint_every, proxies, imported
        evaluations = evaluator if isinstance(evaluator, Workers) else InTurn(evaluator)
        self._flight = Flight(space, evaluations, self._known_outcome, self._stored_outcome, in_flight, order)
        self._loop = ResumableLoop(folder, self._state, self._restore, "trial", grace_seconds)
        self._loop.about = {"space": space, "controller": controller}
        self._forget()

    def run(self) -> dict[str, Any]:
        """Runs trials until a limit is reached; continues a run that was interrupted, or ended at lower limits.

        Returns:
            The content of results.json: `headline`, `reason` (why it ended), `best` (the journal records of the best
            architectures, best first, each architecture once; the first is the choice), `chosen_by` (`"belief"` or
            `"reward"`, see `contracts.Controller`), counts and `seconds`.

        Raises:
            Stopped: SIGTERM arrived; the state is saved, the exit code is 143.
            KeyboardInterrupt: The same for Ctrl-C, or the stop button of JupyterLab.
            StorageError: The records could not be written or read; what was written before is intact.
        """
        return self._loop.run(self._run_trials, lambda results: reaches(results, **self._limits))

    def _run_trials(self) -> dict[str, Any]:
        loop = self._loop
        if not loop.records:
            self._forget()
        if len(loop.records) < len(self._imported):
            self._import()
        total = int(self._limits["trials"] or self._limits["iterations"])
        with progress_bar(total, self._done(), "child", seconds=10.0) as bar:
            # At the end of the minutes, evaluations in progress are waited for.
            while not (reason := self._reason_to_stop()) or (reason == "max_minutes" and self._flight.drain()):
                loop.leave_if_requested()
                self._flight.fill(self._controller)
                if not self._flight:
                    reason = "space exhausted"
                    break
                left = self._limits["trials"] - self._trained if self._limits["trials"] else math.inf
                self._record(*self._flight.next(left, loop.next_stored(), loop.leave_if_requested))
                bar.mininterval = max(bar.mininterval, loop.elapsed() / 50)  # few lines, however long the run
                bar.set_postfix_str("" if self._best is None else f"best {self._best:.4f}", refresh=False)
                bar.update(self._done() - bar.n)
        return self._results(reason)

    def _import(self) -> None:
        """Hands the controller what another search measured; each trial has a line of its own."""
        for outcome in self._imported[len(self._loop.records) :]:
            architecture = self._space.decode(outcome.proposal.tokens)
            self._loop.leave_if_requested()
            self._controller.learn(outcome)  # type: ignore[attr-defined]
            self._loop.append(self._recorded(outcome, architecture, self._space.key(architecture)))
        self._loop.checkpoint()
        self._folder.log(f"{len(self._imported)} trials of another search imported")

    def _forget(self) -> None:
        """Resets what the coach derives from the journal."""
        self._flight.forget()
        self._known: dict[tuple[str, Budget], int] = {}
        self._finals = self._trained = self._repeats = self._since_checkpoint = 0
        self._best: float | None = None
        self._measure = ""
        self._front = FrontSoFar(self._objectives)

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"controller": self._controller.state(), "evaluator": self._evaluator.state()}
        if self._flight:
            state["in_flight"] = self._flight.state()
        return state | ({"proxies": self._proxies.state()} if self._proxies is not None else {})

    def _restore(self, state: dict[str, Any]) -> None:
        self._controller.restore(state["controller"])
        self._evaluator.restore(state["evaluator"])
        if self._proxies is not None:
            self._proxies.restore(state["proxies"])
        self._forget()
        for record in self._loop.records:
            self._count(record)
        self._flight.restore(state.get("in_flight", ()))

    def _known_outcome(self, key: str, budget: Budget) -> Outcome | None:
        """What is known of an architecture at a budget; None where it is to be evaluated."""
        number = self._known.get((key, budget))
        return None if number is None else outcome_of(self._loop.records[number])

    def _stored_outcome(self, proposal: Proposal) -> Outcome | None:
        """What the journal says of a child that a kill separated from its checkpoint.

        Only where children leave no trace in the evaluator, so that it need not train them again.
        """
        if self._loop.next_stored() is None or self._evaluator.state():
            return None
        found = self._loop.to_repeat(subject_of, subject(proposal))
        return next((outcome_of(record) for record in found if "cached" not in record["metrics"]), None)

    def _record(self, one: Awaited, outcome: Outcome) -> None:
        """Tells an outcome and records it."""
        proposal, architecture, key, evaluated = one.proposal, one.architecture, one.key, one.outcome is not None
        self._controller.tell(outcome)
        # A known architecture costs nothing: what its proxies took is added to the next one.
        scoring = self._proxies.take_seconds() if self._proxies is not None and evaluated else 0.0
        best_before, measure_before = self._best, self._measure
        if proposal.purpose == "final" and outcome.status == "ok":
            self._best = outcome.reward if best_before is None else max(best_before, outcome.reward)
        record = self._recorded(outcome, architecture, key, scoring)
        self._loop.append(record)
        self._count(record)
        if self._measure != measure_before:
            self._folder.events.hparams(self._folder.parameters, (f"{self._measure}/best", f"{self._measure}/current"))
        self._show(record, architecture, improved=self._best != best_before)
        self._since_checkpoint += evaluated
        if self._since_checkpoint >= self._checkpoint_every:
            self._loop.save_if_due()
            self._since_checkpoint = 0

    def _recorded(self, outcome: Outcome, architecture: Any, key: str, scoring: float | None = None) -> dict[str, Any]:
        """The journal line of an outcome; `scoring` are the seconds that proxies took."""
        proposal, proxies = outcome.proposal, self._proxies if scoring is not None else None
        return {
            "trial": len(self._loop.records),
            "purpose": proposal.purpose,
            "tokens": list(map(int, proposal.tokens)),
            "architecture": str(architecture),
            "key": key,
            "epochs": proposal.budget.epochs,
            "fraction": proposal.budget.fraction,
            "status": outcome.status,
            "reward": outcome.reward,
            "reason": outcome.reason,
            "metrics": dict(outcome.metrics) | (proxies.known(key) if proxies is not None else {}),
            "best": self._best,
            "diagnostics": {} if proposal.purpose == "imported" else finite(self._controller.diagnostics()),
            "seconds": round(outcome.seconds + (scoring or 0.0), 3),
            **({"proxy_seconds": round(scoring or 0.0, 3)} | proxies.not_finite(key) if proxies is not None else {}),
            **wished(self._objectives, getattr(self._space, "starts", {}), outcome),
            "finished_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        }

    def _count(self, record: dict[str, Any]) -> None:
        """Everything the coach knows follows from the journal; this is where it learns a line of it."""
        if record["purpose"] == "imported":
            return
        cached = "cached" in record["metrics"]
        self._best = record["best"]
        if record["status"] == "ok":
            # The reward of a language model is a function of its perplexity.
            self._measure = "reward" if "perplexity" in record["metrics"] else "accuracy"
        self._finals += record["purpose"] == "final"
        self._repeats = self._repeats + 1 if cached or record["status"] == "refused" else 0
        if record["purpose"] != "refresh" and not cached:
            place = (record["key"], Budget(record["epochs"], record["fraction"]))
            self._trained += record["epochs"] > 0 and record["status"] != "refused"
            self._known[place] = record["trial"]

    def _show(self, record: dict[str, Any], architecture: Any, improved: bool) -> None:
        """The log line, the curves, and a picture of a new best architecture."""
        step, cached = record["trial"], "cached" in record["metrics"]
        scalars = dict(record["diagnostics"])
        if record["status"] == "ok":
            scalars |= {f"{self._measure}/{name}": record["reward"] for name in ("current", record["purpose"])}
        if self._best is not None:
            scalars[f"{self._measure}/best"] = self._best
        if not cached:
            scalars["seconds/child"] = record["seconds"]
        events = self._folder.events
        if improved or is_drawn(step):
            events.scalars(step, scalars | self._front.curves(self._loop.records))
        if improved:
            told = f"`{record['architecture']}`\n\n{_reached(record)}, trial {step}"
            events.text(step, "best/architecture", told)
            events.picture(step, "best/cell", picture(self._space, architecture))
        score = f"{record['reward']:.4f}" if record["status"] == "ok" else f"{record['status']} ({record['reason']})"
        budget = f"{record['epochs']} ep. x {record['fraction']:.0%} data"
        cost = "known" if cached else f"{budget}, {record['seconds']:.1f} s"
        cost += f", {record['proxy_seconds']:.1f} s of it proxies" if record.get("proxy_seconds") else ""
        best = "" if self._best is None else f" | best {self._best:.4f}"
        trial = f"trial {step} {record['purpose']} {score} ({cost}){best}"
        self._folder.log(" | ".join([trial, record["architecture"], self._controller.status_line()]))

    def _done(self) -> int:
        counts = {"trials": self._trained, "iterations": self._finals}
        return next((count for limit, count in counts.items() if self._limits[limit]), len(self._loop.records))

    def _reason_to_stop(self) -> str:
        """Why the run is over; empty while it goes on."""
        limits = self._limits
        if limits["trials"] and self._trained >= limits["trials"]:
            return "trials"
        if limits["iterations"] and self._finals >= limits["iterations"]:
            return "iterations"
        if limits["max_minutes"] and self._loop.elapsed() >= 60 * limits["max_minutes"]:
            return "max_minutes"
        return "space exhausted" if self._repeats >= MAX_REPEATS else ""

    def _chosen(self, ranked: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        """Records ranked by reward, the dearest by the controller's belief if it has one; and by which of the two."""
        judge = getattr(self._controller, "quality", None)
        top = [record for record in ranked if record["purpose"] == ranked[0]["purpose"]]
        quality = judge([tuple(record["tokens"]) for record in top]) if judge is not None and top else None
        if quality is None:
            return ranked, "reward"
        return [top[place] for place in np.argsort(-quality, kind="stable")] + ranked[len(top) :], "belief"

    def _results(self, reason: str) -> dict[str, Any]:
        """The content of results.json."""
        rated, failed = [], 0
        for record in self._loop.records:
            failed += record["status"] == "failed"
            if record["status"] == "ok" and record["purpose"] not in ("refresh", "imported"):
                rated.append((record["purpose"] != "final", -record["reward"], record["trial"], record["key"]))
        ranked: dict[str, int] = {}
        for *_, number, key in sorted(rated):
            ranked.setdefault(key, number)
        best, rule = self._chosen([self._loop.records[number] for number in list(ranked.values())[:BELIEVED]])
        score = "no child could be evaluated"
        if best:
            top = max((one for one in best if one["purpose"] == best[0]["purpose"]), key=lambda one: one["reward"])
            score = f"best validation {_reached(top)}"
        return {
            "headline": f"{score} after {self._trained} trained children",
            "reason": reason,
            "best": best[:BEST_KEPT],
            "chosen_by": rule,
            "trained": self._trained,
            "iterations": self._finals,
            "evaluations": len(self._loop.records) - len(self._imported),
            **({"imported": len(self._imported)} if self._imported else {}),
            "failed": failed,
            "seconds": round(self._loop.elapsed(), 1),
            **({"proxies": self._proxies.summary()} if self._proxies is not None else {}),
            **summary(self._objectives, self._loop.records),
        }


def reaches(results: Mapping[str, Any], iterations: float = 0, trials: float = 0, max_minutes: float = 0) -> bool:
    """Whether a search that has ended is at its end with these limits too, or goes on.

    Args:
        results: Content of its results.json.
        iterations: As of `Coach`, and so are the next two.
        trials: 0 = unlimited.
        max_minutes: 0 = unlimited.

    Returns:
        False where none of the limits is reached.
    """
    minutes = (results["seconds"] + 0.05) / 60  # seconds are stored with one decimal
    counts = ((results["iterations"], iterations), (results["trained"], trials), (minutes, max_minutes))
    return results["reason"] == "space exhausted" or any(limit and count >= limit for count, limit in counts)


def _reached(record: Mapping[str, Any]) -> str:
    """The reward of a record in words: nobody reads that of a language model, but its perplexity."""
    perplexity = record["metrics"].get("perplexity")
    return f"accuracy {record['reward']:.4f}" if perplexity is None else f"perplexity {perplexity:.2f}"


def place_of_choice(results: Mapping[str, Any] | None, key: str) -> int:
    """How many architectures a search would choose before this one by its belief; 0 where rewards decide.

    Args:
        results: Content of its results.json; None of a search that has not ended.
        key: Of an architecture.
    """
    if results is None or results.get("chosen_by") != "belief":
        return 0
    return next((place for place, record in enumerate(results["best"]) if record["key"] == key), len(results["best"]))
