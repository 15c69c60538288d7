"""A hundred faults of all kinds on real searches: no finished trial is lost, no state unreadable, no journal differs.

`python -m benchmarks.faults --faults 1000` is the long form.
"""

from tests.faults.campaign import KINDS
from tests.faults.harness import apart, faults
from tests.faults.notebooks import KINDS as IN_NOTEBOOKS

FAULTS = 100


def test_a_hundred_faults_lose_nothing(tmp_path):
    found = apart(faults, tmp_path, FAULTS, 0)
    assert found["problems"] == [] and found["faults"] == FAULTS
    assert found["lost_trials"] == found["unreadable_states"] == found["differing_journals"] == 0
    assert found["by_kind"].keys() >= {*IN_NOTEBOOKS} and len(found["by_kind"]) >= len(KINDS)
