"""Networks of the profile cifar10-cpu."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.layout import Claim, Result, table


def cifar10_cpu(results: Mapping[str, Result]) -> str:
    """Runs of the profile cifar10-cpu: minutes, price, accuracy with and without views, each seed and their means."""
    rows, means = [], []
    for key, result in results.items():
        title, found = _CIFAR_RUNS[key], result["figures"]["methods"]
        for seed, run in found.items():
            minutes = [run[name] for name in ("minutes", "search_minutes", "training_minutes")]
            size = f"{run['parameters'] / 1e6:.2f} and {run['multiply_adds'] / 1e6:.0f} million"
            accuracies = [run[name] for name in _CIFAR_ACCURACIES]
            rows.append([title, seed.removeprefix("seed "), " / ".join(f"{m:.1f}" for m in minutes), size])
            rows[-1] += [f"{a:.2%}" for a in accuracies]
        columns = [[run[name] for run in found.values()] for name in ("minutes", *_CIFAR_ACCURACIES)]
        means.append([title, str(len(found)), f"{max(columns[0]):.1f}"])
        means[-1] += [f"{sum(c) / len(c):.2%} ({min(c):.2%} to {max(c):.2%})" for c in columns[1:]]
    accuracy = ["validation", "test, one view", "test, six views"]
    nets = [[*row[:2], f"`{run['architecture']}`"] for row, run in zip(rows, _runs(results))]
    return "\n\n".join(
        [
            table(["what", "seeds", "most minutes", *(f"{name}: mean (range)" for name in accuracy)], means),
            table(
                ["what", "seed", "minutes: all / search / training", "parameters and multiply-adds", *accuracy], rows
            ),
            table(["what", "seed", "net"], nets),
        ]
    )


_CIFAR_RUNS = {
    "cifar10_cpu_airbench93": "hand-made `airbench93`",
    "cifar10_cpu_airbench94": "hand-made `airbench94`",
    "cifar10_cpu_searched": "searched, half an hour",
    "cifar10_cpu_searched_hour": "searched, an hour",
}
_CIFAR_ACCURACIES = ("validation_accuracy", "test_accuracy", "test_accuracy_of_views")


def _runs(results: Mapping[str, Result]) -> Iterator[Mapping[str, Any]]:
    for result in results.values():
        yield from result["figures"]["methods"].values()


CLAIMS = (
    Claim(
        "How good is a network on CIFAR-10 after minutes on two cores?",
        "Profile `cifar10-cpu` on two cores, 45,000 training images: the net that its own search finds, and hand-made "
        "nets of the literature, trained with the same recipe at the same price. Minutes are those of the whole "
        "command after installation, where it was not interrupted. `exp/reference-airbench93` holds a trained network.",
        cifar10_cpu,
        tuple(_CIFAR_RUNS),
    ),
)
