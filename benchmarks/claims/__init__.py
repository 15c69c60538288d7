"""The sections of docs/results.md, one per claim: question, command, table, verdict, machine and date.

A module per subject; each ends with its `CLAIMS`. `benchmarks.layout` says how tables and verdicts are written.
"""

from benchmarks.claims import (
    checks,
    cifar10,
    constraints,
    faults_and_scale,
    goals,
    images,
    recurrent,
    searches,
    speeds,
    tables,
)

CLAIMS = tuple(
    claim
    for subject in (goals, tables, constraints, searches, images, cifar10, checks, recurrent, faults_and_scale, speeds)
    for claim in subject.CLAIMS
)
"""In the order of the page."""
