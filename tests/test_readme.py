"""What the README shows works: its program runs, and its names exist."""

import re
import subprocess
import sys

import pytest

from alphaxenas.config import FIELDS, PROFILES, PROJECT_ROOT
from alphaxenas.runs import Journal

TEXT = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
OWN = "## A space of your own"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", TEXT[TEXT.index("## Add a space, a controller") :], re.MULTILINE | re.DOTALL
)
(OWN_SPACE,) = re.findall(
    r"^```python\n(.*?)^```$",
    TEXT[TEXT.index(OWN) : TEXT.index("## Add a space, a controller")],
    re.MULTILINE | re.DOTALL,
)
MOST_LINES = 40


def test_space_controller_and_evaluator_are_short():
    assert len(BLOCKS) == 4
    assert all(len(block.splitlines()) < MOST_LINES for block in (*BLOCKS, OWN_SPACE))


def run_program(text, folder):
    program = folder / "program.py"
    program.write_text(text)
    environment = {
        "PYTHONPATH": str(PROJECT_ROOT),
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    done = subprocess.run(
        [sys.executable, program], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_declared_space_and_model_of_the_readme_run(tmp_path):
    # Without the constraint 49 architectures; both layers pooling is the one that it takes away.
    assert re.match(
        r"48 architectures; best validation accuracy 0\.\d+ after 4 trained children$", run_program(OWN_SPACE, tmp_path)
    )
    records = Journal(tmp_path / "exp" / "my-models" / "evolution-seed0" / "trials.jsonl").read()
    assert all(record["status"] == "ok" for record in records)


def test_program_of_the_readme_runs_and_its_players_learn(tmp_path):
    output = run_program("\n\n".join(BLOCKS), tmp_path)
    for name in ("climbing", "alphaxenas"):
        score = float(
            re.search(rf"^{name} best validation accuracy (\S+) after 16 trained children$", output, re.MULTILINE)[1]
        )
        records = Journal(tmp_path / "exp" / "perceptrons" / f"{name}-seed0" / "trials.jsonl").read()
        assert score == pytest.approx(max(record["reward"] for record in records), abs=1e-4)
        assert score > records[0]["reward"]
        assert len({(record["key"], record["epochs"]) for record in records if "cached" not in record["metrics"]}) == 16


def test_all_parameters_in_commands_exist():
    named = re.findall(r"-p ([a-z_]+) ", TEXT)
    assert named and set(named) <= set(FIELDS)
    groups = TEXT[TEXT.index("| group |") : TEXT.index("A run's records belong")]
    assert set(re.findall(r"`([a-z_]+_[a-z_]+)`", groups)) - {"fashion_mnist"} <= set(FIELDS)


def test_table_of_profiles_is_complete():
    table = TEXT[TEXT.index("## Profiles") : TEXT.index("## Parameters")]
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", table, re.MULTILINE)) == {
        path.stem for path in PROFILES.glob("*.yaml")
    }


def test_links_lead_somewhere():
    """Pictures aside, which show a run."""
    links = re.findall(r"(?<!!)\[[^\]]+\]\((?!http)([^)#]+)\)", TEXT)
    assert links
    for link in links:
        assert (PROJECT_ROOT / link).exists(), link


def test_benchmarks_and_tests_it_names_exist():
    for path in re.findall(r"(?:benchmarks|tests)/[a-z_/]+\.py", TEXT):
        assert (PROJECT_ROOT / path).is_file(), path
