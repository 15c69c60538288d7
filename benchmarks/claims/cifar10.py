"""Networks of the profile cifar10-cpu."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.layout import Claim, Result, table


def cifar10_cpu(results: Mapping[str, Result]) -> str:
    """Networks of the profile cifar10-cpu: minutes, price, accuracy with and without views."""
    rows = []
    for result in results.values():
        found = result["figures"]
        rows.append(
            [
                f"`{found['architecture']}`",
                str(found["seed"]),
                f"{found['search_minutes']:.1f} and {found['training_minutes']:.1f}",
                f"{found['parameters'] / 1e6:.2f} and {found['multiply_adds'] / 1e6:.0f} million",
                f"{found['validation_accuracy']:.2%}",
                f"{found['test_accuracy']:.2%}",
                f"{found['test_accuracy_of_views']:.2%}",
            ]
        )
    minutes, size = "minutes of search and of training", "parameters and multiply-adds"
    return table(["net", "seed", minutes, size, "validation", "test, one view", "test, six views"], rows)


CLAIMS = (
    Claim(
        "How good is a network on CIFAR-10 after minutes on two cores?",
        "Profile `cifar10-cpu`, 45,000 training images: the hand-made net `airbench93` with the recipe and the price "
        "of the final training, stored with its trained network as `exp/reference-airbench93`; then the net that the "
        "profile's own search finds. That search is **not good yet**: in the only one that was watched, children "
        "trained for seconds spoke for a net far too small for the minutes of the final training, which was given up "
        "early.",
        cifar10_cpu,
        ("cifar10_cpu_airbench93", "cifar10_cpu_searched"),
    ),
)
