"""run_all.sh's Python part: notebooks made for the test, run by papermill in real kernels."""

import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from urllib.parse import unquote

import nbformat
import psutil
import pytest
from jupyter_client.provisioning import LocalProvisioner
from papermill.iorw import papermill_io

from alphaxenas.config import FIELDS, PROJECT_ROOT
from alphaxenas.pipelines import notebook_progress
from alphaxenas.pipelines import run_notebooks as suite
from alphaxenas.pipelines.stages import stages_of
from alphaxenas.report.notebook.page import write_page
from alphaxenas.runs import same_record
from alphaxenas.runs.files import StorageError, write_atomically
from tests.faults.harness import records
from tests.faults.toy import play

PARAMETERS = "trials: int = 4\nrun: str = 'quick'\nexp_dir: str = 'exp'\ntensorboard_dir: str = 'tensorboard_log'"
CONFIGURE = "from alphaxenas.config import configure\nconfig = configure(globals())"
REPORT = (
    "import json, os, sys\nfrom pathlib import Path\nfolder = Path(config.run.exp_dir) / config.run.run / 'data'\n"
    "folder.mkdir(parents=True, exist_ok=True)\n"
    "facts = dict(headline=f'{config.search.trials} trials', python=sys.executable, cwd=os.getcwd(), "
    "overwrite=config.run.overwrite)\n"
    "(folder / 'results.json').write_text(json.dumps(facts))"
)
SEARCH = "from tests.faults import toy\ntoy.play(config.run.exp_dir, config.search.trials, 0.25)"


def write_notebook(folder, name, *cells):
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# A test\n\n[docs](../docs/x.md)\n\n## Parameters"),
        parameters,
        nbformat.v4.new_code_cell(CONFIGURE),
    ]
    for cell in cells:
        notebook.cells += [nbformat.v4.new_markdown_cell("## The work"), nbformat.v4.new_code_cell(cell)]
    nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "mine.yaml").write_text(
        f"run: tiny\ntrials: 6\nexp_dir: {tmp_path / 'exp'}\ntensorboard_dir: {tmp_path / 'events'}\n"
    )
    return tmp_path


def run(place, *words, write_page=None):
    return suite.main([str(place / "mine.yaml"), *words], place / "notebooks", write_page)


@pytest.fixture
def start(place):
    """Starts the suite as a process of its own; what is still running after the test is ended."""
    code = (
        "import sys; from pathlib import Path; from alphaxenas.pipelines.run_notebooks import main; "
        f"sys.exit(main(sys.argv[1:], Path({str(place / 'notebooks')!r})))"
    )
    started = []

    def begin():
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, str(place / "mine.yaml")],
                cwd=PROJECT_ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def kernels_of(process):
    return psutil.Process(process.pid).children(recursive=True)


def wait_until(condition, seconds=40):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_notebooks_run_in_order_with_the_parameters_and_the_summary_shows_results(place, capsys):
    write_notebook(place / "notebooks", "01_first", REPORT)
    write_notebook(place / "notebooks", "02_second", "1 + 1")
    write_notebook(place / "notebooks", "07_later", "raise SystemExit('not part of the suite')")
    assert run(place, "-p", "trials", "9", "--only", "01") == 0
    output = capsys.readouterr().out
    facts = json.loads((place / "exp" / "tiny" / "data" / "results.json").read_text())
    assert facts["headline"] == "9 trials" and facts["overwrite"] is False
    assert facts["python"] == sys.executable and facts["cwd"] == str(PROJECT_ROOT)
    executed = place / "exp" / "tiny" / "notebooks"
    assert [path.name for path in executed.glob("*.ipynb")] == ["01_first.ipynb"]
    assert any(
        "injected-parameters" in cell.metadata.tags for cell in nbformat.read(executed / "01_first.ipynb", 4).cells
    )
    assert "[1/1] 01_first  cell 4 of 4  The work" in output
    for part in (str(executed), str(place / "events" / "tiny"), "log.txt"):
        assert part in output
    assert re.search(r"01_first +done +\d+\.\d  data: 9 trials", output)


@pytest.mark.parametrize(
    "only, hint", [("02", "--only 00,02"), ("07", "--only 07,10"), ("00,02", ""), ("07,1", ""), ("01", "")]
)
def test_who_asks_for_a_number_that_held_more_before_is_told_where_that_is(place, capsys, monkeypatch, only, hint):
    monkeypatch.setattr(suite, "_execute", lambda *_: None)
    for name in ("00_method", "01_data", "02_search", "07_policies", "10_enas"):
        write_notebook(place / "notebooks", name)
    run(place, "--only", only)
    said = capsys.readouterr().out
    assert (hint in said and "now:" in said) if hint else "now:" not in said


def test_searches_of_notebook_09_are_none_of_notebook_02(tmp_path):
    for stage in (
        "alphaxenas-seed0",
        "recurrent-alphaxenas-seed0",
        "recurrent",
        "controller_pool-seed12",
        "enas-micro-s0",
    ):
        (tmp_path / stage).mkdir()
    names = {number: [path.name for path in stages_of(number, tmp_path)] for number in ("02", "09", "10")}
    assert names["02"] == ["alphaxenas-seed0", "controller_pool-seed12"]
    assert names["09"] == ["recurrent", "recurrent-alphaxenas-seed0"] and names["10"] == ["enas-micro-s0"]
    assert [path.name for path in stages_of("09", tmp_path, concluding=True)] == ["recurrent"]


def test_braces_in_paths_are_no_templates_and_a_kernel_that_is_done_is_not_interrupted(tmp_path, monkeypatch):
    signals, send = [], LocalProvisioner.send_signal

    async def recorded(self, number):
        signals.append(number)
        await send(self, number)

    monkeypatch.setattr(LocalProvisioner, "send_signal", recorded)
    place = tmp_path / 'of {host} {} {0} "my" ü (1) 100% #'
    (place / "notebooks").mkdir(parents=True)
    folders = {"exp_dir": str(place / "exp"), "tensorboard_dir": str(place / "events")}
    (place / "mine.yaml").write_text(json.dumps({"run": "tiny", **folders}))
    write_notebook(place / "notebooks", "01_first", "1 + 1")
    assert run(place) == 0
    executed = place / "exp" / "tiny" / "notebooks" / "01_first.ipynb"
    (link,) = re.findall(r"\]\((\S+)\)", nbformat.read(executed, 4).cells[0].source)
    assert (executed.parent / unquote(link)).resolve() == place / "docs" / "x.md"
    assert signal.SIGINT not in signals


def test_tasks_that_a_kernel_ends_with_are_no_error(place):
    destroyed = (
        "import asyncio, gc\nasync def wait(): await asyncio.get_running_loop().create_future()\n"
        "task = asyncio.get_running_loop().create_task(wait())\nawait asyncio.sleep(0)\ndel task\n_ = gc.collect()"
    )
    write_notebook(place / "notebooks", "01_first", destroyed)
    assert run(place, "--only", "01") == 0
    cells = nbformat.read(place / "exp" / "tiny" / "notebooks" / "01_first.ipynb", 4).cells
    assert not any(cell.get("outputs") for cell in cells)


def test_a_failing_notebook_ends_the_suite_naming_cell_and_error(place, capsys):
    write_notebook(place / "notebooks", "02_bad", "values = [1, 2]\nvalues[7]")
    write_notebook(place / "notebooks", "03_never", "1")
    assert run(place) == 1
    output = capsys.readouterr().out
    assert "FAILED: 02_bad, cell 4 of 4 (values = [1, 2]) under 'The work'" in output
    assert "IndexError: list index out of range" in output
    assert re.search(r"02_bad +FAILED", output) and re.search(r"03_never +not reached", output)
    folder = place / "exp" / "tiny" / "notebooks"
    assert [path.name for path in folder.glob("*.ipynb")] == ["02_bad.failed.ipynb"] and str(
        folder / "02_bad.failed.ipynb"
    ) in output


def test_the_page_of_all_notebooks_is_named_at_the_end_also_where_one_failed(place, capsys):
    write_notebook(place / "notebooks", "01_first", "1")
    write_notebook(place / "notebooks", "02_bad", "raise ValueError('no')")
    assert run(place, write_page=write_page) == 1
    page = place / "exp" / "tiny" / "report.html"
    assert f"All on one page: {page}" in capsys.readouterr().out
    text = page.read_text()
    assert "02_bad: FAILED." in text and "ValueError: no" in text and text.count("<section") == 2
    links = (place / "exp" / "tiny" / "notebooks" / "01_first.ipynb").read_text()
    assert (
        "](../docs/x.md)" not in links
        and f"]({os.path.relpath(place, place / 'exp/tiny/notebooks')}/docs/x.md)" in links
    )


def test_a_page_that_cannot_be_made_costs_nothing_else(place, capsys):
    def broken(folder, remarks):
        raise OSError("disk full")

    write_notebook(place / "notebooks", "01_first", "1")
    assert run(place, write_page=broken) == 0
    assert "There is no page of the executed notebooks: OSError: disk full" in capsys.readouterr().out


def test_a_kernel_that_dies_is_reported(place, capsys):
    write_notebook(place / "notebooks", "01_dying", "import os\nos._exit(3)")
    assert run(place) == 1
    output = capsys.readouterr().out
    assert "cell 4 of 4" in output and "kernel ended without an error message" in output


def test_sigterm_reaches_the_kernel_and_the_next_start_continues(place, start):
    write_notebook(place / "notebooks", "02_search", SEARCH)
    process = start()
    wait_until(lambda: len(records(place / "exp")) >= 2)
    assert "is going on in another process" in start().communicate(timeout=30)[0]
    kernels = kernels_of(process)
    assert kernels
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Stopped. The same command continues." in output and re.search(r"02_search +stopped", output)
    assert "SIGTERM received" in (place / "exp" / "toy" / "log.txt").read_text(), "the coach had time to save"
    assert not any(kernel.is_running() for kernel in kernels)
    assert 2 <= len(records(place / "exp")) < 8
    assert run(place) == 0
    play(place / "undisturbed", trials=6)
    assert all(map(same_record, records(place / "exp"), records(place / "undisturbed")))
    assert len(records(place / "exp")) == len(records(place / "undisturbed"))


def test_after_overwrite_the_same_command_is_not_said_to_continue(place, capsys):
    write_notebook(place / "notebooks", "02_search", "import os, signal\nos.kill(os.getppid(), signal.SIGINT)")
    assert run(place, "--overwrite") == 128 + signal.SIGINT
    assert "Stopped. Leave out --overwrite to continue." in capsys.readouterr().out


def test_signals_to_a_kernel_that_has_just_ended_are_no_error(monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(suite._Kernel, "pid", ended.pid)
    with pytest.raises(ProcessLookupError):
        os.kill(ended.pid, signal.SIGTERM)
    suite._Kernel.send(signal.SIGTERM)
    suite._Kernel.kill()
    assert suite._Kernel.kill_at == math.inf


def test_a_notebook_that_cannot_be_stored_has_failed_and_stays_whole(place, capsys, monkeypatch):
    def full(path, data):
        raise StorageError(errno.ENOSPC, f"No space left on the device: {path}")

    write_notebook(place / "notebooks", "01_first", "1 + 1")
    monkeypatch.setattr(suite, "write_atomically", full)
    assert run(place) == 1
    output = capsys.readouterr().out
    assert "FAILED: 01_first" in output and "No space left on the device" in output
    assert nbformat.read(place / "exp" / "tiny" / "notebooks" / "01_first.failed.ipynb", 4).cells


def test_kill_9_of_the_runner_leaves_no_kernel(place, start):
    write_notebook(
        place / "notebooks",
        "02_search",
        "import time\nopen(config.run.exp_dir + '/started', 'w').close()\ntime.sleep(300)",
    )
    process = start()
    wait_until((place / "exp" / "started").exists)
    kernels = kernels_of(process)
    assert kernels
    process.kill()
    process.communicate()
    wait_until(
        lambda: not any(kernel.is_running() and kernel.status() != psutil.STATUS_ZOMBIE for kernel in kernels), 10
    )
    assert not (place / "exp" / "tiny" / "notebooks" / "02_search.ipynb").exists()


@pytest.mark.parametrize(
    "words, part",
    [
        (["-p", "trails", "3"], "Did you mean `trials`"),
        (["-p", "trials", "many"], "`trials`"),
        (["--run", "a/b"], "`run`"),
        (["--only", "07"], "Unknown notebook '07'"),
        (["-p", "trials", "0"], "never end"),
        (["-p", "truth_table", "none.csv", "-p", "truth_column", "test"], "`truth_table`"),
    ],
)
def test_wrong_arguments_end_before_any_work(place, capsys, words, part):
    write_notebook(place / "notebooks", "01_first", "1")
    assert run(place, *words) == 2
    assert part in capsys.readouterr().err
    assert not (place / "exp").exists()


def test_a_path_typed_on_the_command_line_is_meant_from_where_one_is(place, monkeypatch):
    (place / "images").mkdir()
    monkeypatch.chdir(place)
    words = ["smoke", "-p", "data_dir", "images", "-p", "exp_dir", "none", "-p", "text_path", ""]
    given = suite._parameters(suite._parser().parse_args(words))
    assert (given["data_dir"], given["exp_dir"], given["text_path"]) == (str(place / "images"), "none", "")


def test_an_architecture_in_a_file_is_found_from_where_one_is(place, monkeypatch):
    (place / "mine.json").write_text(json.dumps({"text": "prev:conv3x3 + prev2:identity"}))
    words = ["smoke", "-p", "architecture", "mine.json", "-p", "hand_made", "./mine.json"]
    words += ["-p", "start_from", "mine.json, prev:conv3x3 + prev2:sep3x3", "-p", "blocks", "1"]
    monkeypatch.chdir(place)
    given, file = suite._parameters(suite._parser().parse_args(words)), str(place / "mine.json")
    assert (given["architecture"], given["hand_made"]) == (file, file)
    assert given["start_from"] == [file, "prev:conv3x3 + prev2:sep3x3"]
    monkeypatch.chdir(PROJECT_ROOT)
    here = ["smoke", "-p", "architecture", "exp/reference-quick/final", "-p", "hand_made", "darts_v2"]
    given = suite._parameters(suite._parser().parse_args(here))
    assert (given["architecture"], given["hand_made"]) == ("exp/reference-quick/final", "darts_v2"), "as in a notebook"


def test_an_unknown_profile_ends_before_any_work(capsys):
    assert suite.main(["quik"]) == 2
    assert "Unknown profile 'quik'" in capsys.readouterr().err


def test_help_names_every_option_and_parameter(capsys):
    with pytest.raises(SystemExit) as caught:
        suite.main(["--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    for word in ("PROFILE", "--run", "--only", "-p NAME VALUE", "--overwrite", *FIELDS):
        assert word in text


def test_both_commands_are_executable_and_sound_shell():
    for name in ("run_all.sh", "run_tests.sh", ".ci/run", "setup_venv.sh"):
        assert subprocess.run(["bash", "-n", str(PROJECT_ROOT / name)], check=False).returncode == 0
        assert name == "setup_venv.sh" or os.access(PROJECT_ROOT / name, os.X_OK)


def test_papermill_saves_each_notebook_whole_or_not_at_all(place, monkeypatch):
    """Papermill alone opens the file for writing and then writes, so a kill in between leaves half a notebook."""
    saved = []

    def save(path, data):
        saved.append((path.name, json.loads(data)["nbformat"]))
        write_atomically(path, data)

    monkeypatch.setattr(notebook_progress, "write_atomically", save)
    write_notebook(place / "notebooks", "01_first", "1 + 1")
    assert run(place) == 0
    assert len(saved) > 3 and set(saved) == {("01_first.running.ipynb", 4)}
    path = place / "exp" / "tiny" / "notebooks" / "01_first.running.ipynb"
    path.write_text("{}")

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(notebook_progress, "write_atomically", write_atomically)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        papermill_io.write("[1, 2]", str(path))
    assert path.read_text() == "{}"
