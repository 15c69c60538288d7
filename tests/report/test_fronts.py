"""Fronts of stored searches."""

import numpy as np
import pytest

from alphaxenas.controllers.pareto.objectives import named
from alphaxenas.report.fronts import volumes_so_far


@pytest.mark.parametrize("names", [("accuracy", "parameters"), ("accuracy", "parameters", "multiply_adds")])
@pytest.mark.parametrize("promoted", [False, True])
def test_the_volume_of_every_trial_is_that_of_all_that_was_rated_by_then(names, promoted):
    rng, objectives = np.random.default_rng(0), named(names)
    records = []
    for trial in range(60):
        purpose = "final" if promoted and trial > 20 and trial % 5 == 0 else "refresh" if trial % 11 == 3 else "search"
        measured = {} if trial % 7 == 5 else {"objectives": dict(zip(names, np.round(rng.random(len(names)), 1)))}
        records.append({"trial": trial, "purpose": purpose, "key": str(trial % 50), **measured})
    among = [record for record in records if "objectives" in record]
    whole = [objectives.volume_of(objectives.rated(records[: trial + 1]), among) for trial in range(60)]
    np.testing.assert_allclose(volumes_so_far(objectives, records, among), whole, atol=1e-12)
    assert whole[-1] > 0
