"""README and docs: their programs run, their links lead somewhere, their commands and names exist."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from alphaxenas.command.main import VERBS
from alphaxenas.config import FIELDS, PROFILES, PROJECT_ROOT, from_values, load_profile, parse_value
from alphaxenas.controllers.catalogue import CONTROLLERS, DISPLAY_NAMES
from alphaxenas.proxies import PROXIES
from alphaxenas.runs import Journal

PAGES = [
    *(PROJECT_ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((PROJECT_ROOT / "docs").glob("*.md")),
    *(PROJECT_ROOT / folder / "README.md" for folder in ("data", "exp", "tensorboard_log")),
]
TEXTS = {str(path.relative_to(PROJECT_ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
OWN_SPACE, *PROGRAM = re.findall(r"^```python\n(.*?)^```$", TEXTS["docs/extending.md"], re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip().removesuffix("&").split(" > ")[0]
    for text in TEXTS.values()
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    if not language
    for line in block.replace("\\\n", " ").splitlines()
]
MOST_LINES = 40


def anchors(text):
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_fits_on_a_screen():
    assert len(TEXTS["README.md"].encode()) <= 9 * 1024


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXTS[name]):
        path, _, anchor = link.partition("#")
        target = (PROJECT_ROOT / name).parent / path if path else PROJECT_ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", TEXTS)
def test_files_and_parameters_that_a_page_names_exist(name):
    for path in re.findall(r"`((?:benchmarks/\w+\.\w+|(?:tests|alphaxenas|notebooks|docs)/[\w/.-]*))", TEXTS[name]):
        assert (PROJECT_ROOT / path).exists() or name == "CHANGELOG.md", path
    for module in re.findall(r"-m (benchmarks\.\w+)", TEXTS[name]):
        place = PROJECT_ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module
    assert set(re.findall(r"-p ([a-z_]+) ", TEXTS[name])) <= set(FIELDS)


def test_parameters_of_the_tables_exist():
    text = TEXTS["docs/notebooks.md"]
    groups = text[text.index("| group |") : text.index("A run's records belong")]
    assert set(re.findall(r"`([a-z]+_[a-z_]+)`", groups)) - {"fashion_mnist", "image_folder"} <= set(FIELDS)
    names = re.findall(r"`([a-z]+_[a-z_]+)`", TEXTS["docs/concepts.md"])
    assert set(names) - set(CONTROLLERS) - set(PROXIES) - {"mnist_chain"} <= set(FIELDS)


def test_tables_of_profiles_and_controllers_are_complete():
    text = TEXTS["docs/notebooks.md"]
    table = text[text.index("## Profiles") : text.index("## Setting parameters")]
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", table, re.MULTILINE)) == {
        path.stem for path in PROFILES.glob("*.yaml")
    }
    text = TEXTS["docs/concepts.md"]
    table = text[text.index("## Controllers") : text.index("## Budgets")]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE)) == DISPLAY_NAMES


def test_every_verb_of_the_command_is_listed():
    text = TEXTS["docs/notebooks.md"]
    table = text[text.index("| `alphaxenas` |") :].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)", table, re.MULTILINE)[1:] == sorted(VERBS, key=table.index)
    assert all(f"\n| `{verb} " in table for verb in VERBS)


def test_the_fields_of_stored_records_are_explained():
    text = TEXTS["exp/README.md"]
    for search in (PROJECT_ROOT / "exp").glob("reference-*/*-seed0"):
        fields = {field for line in (search / "trials.jsonl").read_text().splitlines() for field in json.loads(line)}
        fields |= set(json.loads((search / "results.json").read_text()))
        assert all(f"`{field}`" in text for field in fields), search


def test_profiles_that_a_page_shows_can_be_used():
    blocks = [block for text in TEXTS.values() for block in re.findall(r"^```yaml\n(run:.*?)^```$", text, re.M | re.S)]
    assert blocks
    for block in blocks:
        from_values(yaml.safe_load(block))


def test_commands_of_the_notebook_runner_parse(monkeypatch):
    from alphaxenas.pipelines.run_notebooks import _parser

    monkeypatch.setattr("alphaxenas.workers.cluster.is_installed", lambda: True)  # as on the machines they are for
    commands = [line[line.index("./run_all.sh") :].rstrip("'") for line in COMMANDS if "./run_all.sh" in line]
    assert len(commands) >= 5
    for command in commands:
        words = shlex.split(command)[1:]
        if "--help" in words:
            continue
        options = _parser().parse_args(words)
        given = {name: parse_value(name, value) for name, value in options.parameter}
        from_values({**load_profile(options.profile), "run": options.run or "docs", **given})


def test_commands_of_benchmarks_have_options_that_exist():
    commands = [line for line in COMMANDS if "-m benchmarks." in line]
    assert commands
    for command in commands:
        module = re.search(r"-m benchmarks\.(\w+)", command)[1]
        places = [PROJECT_ROOT / "benchmarks" / name for name in (f"{module}.py", f"{module}/__main__.py")]
        source = next(place for place in places if place.is_file()).read_text(encoding="utf-8")
        if module not in ("results",):
            source += (PROJECT_ROOT / "benchmarks" / "record.py").read_text(encoding="utf-8")
        for option in re.findall(r" (--[a-z-]+)", command):
            assert f'"{option}"' in source or 'f"--{name}"' in source, command


def test_space_controller_and_evaluator_are_short():
    assert len(PROGRAM) == 4
    assert all(len(block.splitlines()) < MOST_LINES for block in (*PROGRAM, OWN_SPACE))


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


def test_a_search_from_python_runs(tmp_path):
    (program,) = re.findall(r"^```python\n(from alphaxenas\.config.*?)^```$", TEXTS["docs/notebooks.md"], re.M | re.S)
    folders = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    shorter = program.replace('"trials": 8', f'"trials": 1, **{folders}')
    assert shorter != program
    assert re.match(r"best validation accuracy 0\.\d+ after 1 trained children ", run_program(shorter, tmp_path))
    assert (tmp_path / "exp" / "from-python" / "alphaxenas-seed0" / "results.json").is_file()


def test_the_strategy_of_the_page_goes_on_where_it_was_stopped():
    names = {}
    exec("\n".join(PROGRAM[:2]), names)
    space, first, second = names["ChainSpace"](), *(names["HillClimbing"](names["ChainSpace"](), 0) for _ in range(2))

    def step(strategy):
        tokens = strategy.suggest()
        strategy.observe(tokens, sum(tokens) / 9)
        return tokens

    before = [step(first) for _ in range(20)]
    assert len({space.key(space.decode(tokens)) for tokens in before}) == 20
    second.restore(json.loads(json.dumps(first.state(), default=lambda array: array.tolist())))
    assert [step(first) for _ in range(20)] == [step(second) for _ in range(20)]
    assert first.status_line() == second.status_line() == "standing at 1.0000"


def test_declared_space_and_model_run(tmp_path):
    # Without the constraint 49 architectures; both layers pooling is the one that it takes away.
    assert re.match(
        r"48 architectures; best validation accuracy 0\.\d+ after 4 trained children$", run_program(OWN_SPACE, tmp_path)
    )
    records = Journal(tmp_path / "exp" / "my-models" / "evolution-seed0" / "trials.jsonl").read()
    assert all(record["status"] == "ok" for record in records)


def test_program_runs_and_its_controllers_learn(tmp_path):
    output = run_program("\n\n".join(PROGRAM), tmp_path)
    for name in ("climbing", "alphaxenas"):
        score = float(
            re.search(rf"^{name} best validation accuracy (\S+) after 16 trained children$", output, re.MULTILINE)[1]
        )
        records = Journal(tmp_path / "exp" / "perceptrons" / f"{name}-seed0" / "trials.jsonl").read()
        assert score == pytest.approx(max(record["reward"] for record in records), abs=1e-4)
        assert score > records[0]["reward"]
        assert len({(record["key"], record["epochs"]) for record in records if "cached" not in record["metrics"]}) == 16
