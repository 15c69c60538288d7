"""Networks of the profiles cifar10-cpu, cifar10-cpu-hour and mnist-cpu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alphaxenas.report.statistics import Comparison, compare_many
from alphaxenas.spaces.convnet import KNOWN_CONVNETS
from benchmarks.layout import Claim, Result, table


def cifar10_cpu(results: Mapping[str, Result]) -> str:
    """Runs of these profiles: accuracies of all seeds together, then every run."""
    means, rows, nets = [], [], []
    for key, result in results.items():
        what, found = _RUNS[key], result["figures"]["methods"]
        most = max(run["minutes"] for run in found.values())
        means.append([what, str(len(found)), f"{most:.1f}", *(_together(found, name) for name in _ACCURACIES)])
        for seed, run in found.items():
            number = seed.removeprefix("seed ")
            minutes = " / ".join(f"{run[name]:.1f}" for name in ("minutes", "search_minutes", "training_minutes"))
            size = f"{run['parameters'] / 1e6:.2f} and {run['multiply_adds'] / 1e6:.0f} million"
            accuracies = [f"{run[name]:.2%}" if name in run else "-" for name in _ACCURACIES]
            rows.append([what, number, minutes, size, *accuracies])
            nets.append([what, number, f"`{run['architecture']}`"])
    columns = ["minutes: all / search / training", "parameters and multiply-adds", *_ACCURACIES.values()]
    together = ["what", "seeds", "most minutes", *(f"{name}: mean (range)" for name in _ACCURACIES.values())]
    tables = table(together, means), table(["what", "seed", *columns], rows), table(["what", "seed", "net"], nets)
    return "\n\n".join([*_differences(results), *_kept(results), *tables])


def in_minutes(results: Mapping[str, Result]) -> str:
    """What searches and final trainings of profiles reach on two cores, a row each, for the README."""
    rows = []
    for key, result in results.items():
        runs = result["figures"]["methods"]
        rows.append(
            [
                f"`./run_all.sh {profile(key)}`",
                f"{max(run['minutes'] for run in runs.values()):.0f}",
                _together(runs, "test_accuracy"),
                _together(runs, "test_accuracy_of_views"),
                f"{len(runs) - _hand_made(runs)} of {len(runs)}",
            ]
        )
    names = [f"{_ACCURACIES[name]}: mean (range)" for name in ("test_accuracy", "test_accuracy_of_views")]
    header = ["search and final training", "minutes at most", *names, "searches that chose a net that is not hand-made"]
    return table(header, rows)


def profile(key: str) -> str:
    """The profile that a result is of."""
    return key.rpartition("_")[0].replace("_", "-")


def compared(results: Mapping[str, Result]) -> tuple[dict[tuple[str, str], Comparison], dict[tuple[str, str], str]]:
    """What a search gains over random search and over a hand-made net at the same price, by the seeds that both have.

    Where a search chose the hand-made net and that was not trained alone with this seed, the search's own training
    stands for it: the two differ by 0.

    Args:
        results: Recorded results by name; those that are not of these profiles are left out.

    Returns:
        By the names of two results: the differences in test accuracy with one view, and how often nets are the same.
    """
    runs = {key: results[key]["figures"]["methods"] for key in _RUNS if key in results}
    pairs: dict[tuple[str, str], tuple[dict[int, float], dict[int, float]]] = {}
    same: dict[tuple[str, str], str] = {}
    for other in runs:
        price, _, rival = other.rpartition("_")
        if rival != "searched" and (key := f"{price}_searched") in runs:
            hand_made = str(KNOWN_CONVNETS[rival]) if rival in KNOWN_CONVNETS else ""
            nets = {seed: run["architecture"] for seed, run in runs[other].items()}
            chosen = {seed: run for seed, run in runs[key].items() if run["architecture"] == nets.get(seed, hand_made)}
            pairs[key, other] = _by_seed(runs[key]), _by_seed({**chosen, **runs[other]})
            choice = "that net" if hand_made else "the same net as it"
            same[key, other] = f"; in {len(chosen)} of them the search chose {choice}" if chosen else ""
    return compare_many(pairs), same


def _differences(results: Mapping[str, Result]) -> list[str]:
    """What a search gains, in words; losses first."""
    compared_pairs, same = compared(results)
    found = sorted(compared_pairs.items(), key=lambda item: item[1].mean)
    return [
        f"**{_sentence(key)}, minus {_RUNS[other]}, test accuracy with one view: {difference}"
        f"{same[key, other]}: {difference.verdict} ({difference.reason})**."
        for (key, other), difference in found
    ]


def _by_seed(found: Mapping[str, Mapping[str, Any]]) -> dict[int, float]:
    """Test accuracy with one view of every seed."""
    return {int(seed.removeprefix("seed ")): run["test_accuracy"] for seed, run in found.items()}


def _kept(results: Mapping[str, Result]) -> list[str]:
    """Says how often a search found nothing better than the hand-made nets that it began with."""
    said = []
    for key, result in results.items():
        runs = result["figures"]["methods"]
        if key.rpartition("_")[2] in ("searched", "random") and (kept := _hand_made(runs)):
            said.append(
                f"**{_sentence(key)}: {kept} of {len(runs)} searches chose a hand-made net that they began with**."
            )
    return said


def _hand_made(runs: Mapping[str, Mapping[str, Any]]) -> int:
    """How many runs have a net of the literature."""
    return sum(run["architecture"] in map(str, KNOWN_CONVNETS.values()) for run in runs.values())


def _sentence(key: str) -> str:
    """What a result is called at the start of a sentence."""
    return _RUNS[key][0].upper() + _RUNS[key][1:]


def _together(found: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Mean and range of an accuracy over seeds."""
    values = [run[name] for run in found.values() if name in run]
    return f"{sum(values) / len(values):.2%} ({min(values):.2%} to {max(values):.2%})" if values else "-"


_RUNS = {
    "cifar10_cpu_searched": "searched, half an hour",
    "cifar10_cpu_random": "random search, half an hour",
    "cifar10_cpu_airbench93": "hand-made `airbench93`",
    "cifar10_cpu_airbench94": "hand-made `airbench94`",
    "cifar10_cpu_hour_searched": "searched, an hour",
    "cifar10_cpu_hour_airbench93": "hand-made `airbench93`, trained as in the hour",
    "cifar10_cpu_hour_airbench94": "hand-made `airbench94`, trained as in the hour",
    "mnist_cpu_searched": "MNIST, searched, five minutes",
}
_ACCURACIES = {
    "validation_accuracy": "validation",
    "test_accuracy": "test, one view",
    "test_accuracy_of_views": "test, six views",
}


CLAIMS = (
    Claim(
        "How good is a network on CIFAR-10 or MNIST after minutes on two cores?",
        "Profiles `cifar10-cpu`, `cifar10-cpu-hour` and `mnist-cpu`, nine tenths of the training images: the net that "
        "the search finds, what random search finds by the same rules in the same minutes, and hand-made nets of the "
        "literature, trained with the same recipe at the same price. "
        "Minutes are those of the whole command after installation, where it was not interrupted. "
        "`exp/reference-cifar10-cpu` holds a trained network. Children have half of the channels and learn from an "
        "eighth of the images for most of the final epochs: with a quarter of the channels, nets that halve the image "
        "before their convolutions looked best, which in full fit the training images as well and generalise worse. "
        "`cifar10-cpu-hour` does not search nets that would get many epochs for its price (`train_epochs`). That "
        "larger ones are then better is an assumption; children on an eighth of the images rate both alike.",
        cifar10_cpu,
        tuple(_RUNS),
    ),
)
