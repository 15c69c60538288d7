"""Checks of a search and of a decoder on random problems."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.layout import Claim, Result, table


def synthetic(results: Mapping[str, Result]) -> str:
    """AlphaXENAS and random search on a made-up objective."""
    found, rows = results["search_synthetic"]["figures"], []
    for key, title in (("best_final", "true value of the best final"), ("last_quarter", "mean of the last quarter")):
        one = found[key]
        low, high = (f"{100 * bound:+.1f}" for bound in one["interval_95"])
        verdict = "shown" if one["shown"] else "not shown"
        values = [f"{100 * one[side]:.1f}" for side in ("alphaxenas", "random_search")]
        rows.append([title, *values, f"{100 * one['gain']:+.1f} [{low}, {high}]", verdict])
    return table(["points", "AlphaXENAS", "random search", "difference", "verdict"], rows)


def decoder(results: Mapping[str, Result]) -> str:
    """How many unseen architectures NAO's decoder writes without a fault."""
    found = results["nao_reconstruction"]["figures"]
    rows = [
        ["architectures trained on", f"{found['trained_on']:,}"],
        ["unseen architectures written without a fault", f"{found['exact']:.1%} of {found['measured_on']:,}"],
        ["decoded sequences that are legal", f"{found['of_them_legal']} of {found['decoded_after_steps']}"],
        ["processor time", f"{found['cpu_seconds']:.0f} s"],
    ]
    return table(["what", "measured"], rows)


CLAIMS = (
    Claim(
        "Does AlphaXENAS find what it looks for on a made-up objective?",
        "A synthetic objective with noise: a check of the search, not a result about networks.",
        synthetic,
        ("search_synthetic",),
    ),
    Claim(
        "How well does NAO's decoder write architectures?",
        "Encoder, predictor and decoder learn from random cell pairs of ENAS' micro space; unseen pairs are measured.",
        decoder,
        ("nao_reconstruction",),
    ),
)
