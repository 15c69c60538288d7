"""The table of all trials: complete, best first, small, and without network."""

import base64
import gzip
import json
import re

import itables
import pytest

from alphaxenas.report.notebook.trial_table import as_frame, draw_trial, trial_table, trials_of


def test_all_trials_are_in_the_table_best_first_and_failed_ones_last(suites):
    groups = suites[1].groups()
    trials = trials_of(groups)
    table = as_frame(trials)
    assert len(table) == sum(len(run.records) for runs in groups.values() for run in runs)
    finals = table[table["budget"] == "final"]["validation"].dropna()
    assert finals.is_monotonic_decreasing and list(table.index[: len(finals)]) == list(range(1, len(finals) + 1))
    assert set(table["status"].tail(2)) == {"failed"} and table["validation"].tail(2).isna().all()


def test_any_trial_is_drawn_and_one_that_is_not_there_is_refused(suites):
    trials = trials_of(suites[1].groups())
    (title,) = draw_trial(trials, len(trials)).texts
    assert title.get_text().startswith(f"no. {len(trials)}: ") and title.get_text().endswith("failed")
    for number in (0, len(trials) + 1):
        with pytest.raises(ValueError, match=f"Expected 1 to {len(trials)}. Received: {number}"):
            draw_trial(trials, number)


def test_the_table_is_small_and_holds_its_program_and_drawings(suites):
    trials = trials_of(suites[1].groups())
    page = trial_table(trials).data
    assert page == trial_table(trials).data and len(page) < 600_000
    assert not re.search(r'(?:src=|url\(|import\()["\']?https?:', page)
    packed = gzip.decompress(base64.b64decode(re.search(r'atob\("([^"]+)"\)', page)[1]))
    _, program, style = json.loads(packed)
    assert program == itables.options.dt_bundle.read_text() and "dataTable" in style
    pictures = json.loads(re.search(r"const pictures = (\{.*\});", page)[1])
    assert list(pictures) == [str(number) for number in range(1, len(pictures) + 1)] and len(pictures) == 20
