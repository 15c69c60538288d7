"""Notebooks in a real JupyterLab, and the page of a run, as a person sees them in a headless Chromium."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request

import nbformat
import pytest

from alphaxenas.config import PROJECT_ROOT, load_profile
from alphaxenas.report import load_suite
from alphaxenas.report.notebook.page import write_page
from alphaxenas.report.notebook.trial_table import trial_table, trials_of
from tests.notebooks.browser import Browser, find, wait_for

pytestmark = pytest.mark.slow
TOKEN = "seen-by-a-test"
CELLS = "seen.content.widgets"
"""`window.seen` is the notebook that was opened last."""


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab over a copy of the notebooks, with the smoke profile's values written into the parameters cells."""
    find()
    folder = tmp_path / "lab" / "notebooks"
    shutil.copytree(PROJECT_ROOT / "notebooks", folder)
    values = load_profile("smoke") | {"run": "seen", "controllers": ["alphaxenas", "random"]}
    values |= {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    for path in folder.glob("0[12]_*.ipynb"):
        notebook = nbformat.read(path, 4)
        (cell,) = [cell for cell in notebook.cells if cell.id == "parameters"]
        cell.source += "".join(f"\n{name} = {value!r}" for name, value in values.items())
        nbformat.write(notebook, path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["lab", "--no-browser", "--allow-root", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    words += [f"--ServerApp.root_dir={folder.parent}", "--LabApp.expose_app_in_browser=True"]
    private = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    private |= {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "PYTHONPATH": str(PROJECT_ROOT), "JUPYTER_PREFER_ENV_PATH": "1"}
    log = (tmp_path / "lab.log").open("w")
    server = subprocess.Popen([sys.executable, "-m", "jupyter", *words], env={**os.environ, **private}, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"

    def answers():
        try:
            with urllib.request.urlopen(f"{address}/api/status?token={TOKEN}") as answer:
                return answer.status == 200
        except OSError:
            return False

    try:
        wait_for(answers, bool, 120, "JupyterLab")
        yield address
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def run_all(browser, address, name, watched="", seconds=900):
    """Runs all cells of a notebook; returns its cells, and the different pictures that one cell showed meanwhile."""
    browser.open(f"{address}/lab?token={TOKEN}&reset")
    browser.wait("!!window.jupyterapp", 180)
    browser.evaluate(
        f"jupyterapp.restored.then(() => jupyterapp.commands.execute('docmanager:open', {{path: 'notebooks/{name}'}}))"
        ".then(async (opened) => { await opened.context.ready; await opened.sessionContext.ready;"
        " window.seen = opened; jupyterapp.shell.activateById(opened.id); })"
    )
    browser.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    seen = []
    pictures = f"JSON.stringify({CELLS}.find(cell => cell.model.id === '{watched}').model.outputs.toJSON().map(o => o.data?.['image/png']).filter(Boolean))"

    def ended():
        if watched:
            found = json.loads(browser.evaluate(pictures))
            assert len(found) <= 1, "redrawn in place"
            seen.extend(picture for picture in found if picture not in seen)
        return browser.evaluate(
            f"{CELLS}.every(cell => cell.model.type !== 'code' || (cell.model.executionCount && cell.model.executionState !== 'running'))"
            f" || {CELLS}.some(cell => cell.model.outputs?.toJSON().some(o => o.output_type === 'error'))"
        )

    wait_for(ended, bool, seconds, name)
    return json.loads(browser.evaluate(f"JSON.stringify({CELLS}.map(cell => cell.model.toJSON()))")), seen


def shown_errors(cells):
    return [output for cell in cells for output in cell.get("outputs", []) if output["output_type"] == "error"]


def test_notebooks_run_in_jupyterlab_and_the_figure_of_the_search_is_redrawn_in_place(lab, tmp_path):
    pictures = os.environ.get("KEEP_PICTURES", str(tmp_path))
    with Browser() as browser:
        cells, _ = run_all(browser, lab, "01_data_preparation.ipynb")
        assert not shown_errors(cells)
        browser.picture(f"{pictures}/lab-01.png")
        folded = "document.querySelectorAll('.jp-Placeholder, .jp-InputPlaceholder').length"
        assert browser.evaluate(folded) >= 1, "the parameters that are rarely changed are folded"
        cells, drawn = run_all(browser, lab, "02_controller_search.ipynb", watched="search")
        browser.evaluate(f"seen.content.scrollToCell({CELLS}.find(c => c.model.id === 'search'))")
        browser.picture(f"{pictures}/lab-02.png")
        assert not shown_errors(cells)
        assert len(drawn) >= 3, "redrawn while the search went on"
        assert not browser.errors
    assert json.loads((tmp_path / "exp" / "seen" / "random-seed0" / "results.json").read_text())["headline"]


def test_the_page_of_a_run_opens_without_network_and_its_table_sorts_filters_and_draws(tmp_path):
    notebooks = tmp_path / "reference-quick" / "notebooks"
    shutil.copytree(PROJECT_ROOT / "exp" / "reference-quick" / "notebooks", notebooks)
    trials = trials_of(load_suite("reference-quick", PROJECT_ROOT / "exp").groups())
    output = nbformat.v4.new_output("display_data", {"text/html": trial_table(trials).data})
    table = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("trial_table(trials)", outputs=[output])])
    nbformat.write(table, notebooks / "06_table.ipynb")
    page = write_page(tmp_path / "reference-quick")
    assert page.stat().st_size < 3e6
    rows = "[...document.querySelectorAll('#trials-reference-quick tbody tr')]"
    with Browser() as browser:
        browser.open(page.as_uri())
        browser.wait(f"{rows}.length === 10", 120)
        assert browser.evaluate(f"{rows}[0].cells[0].textContent.trim()") == "1"
        arrows = "document.querySelector('#trials-reference-quick thead .dt-column-order')"
        for first in ("1", str(len(trials))):
            browser.click(arrows)
            browser.wait(f"{rows}[0].cells[0].textContent.trim() === '{first}'", 20)
        browser.click("document.querySelector('input[type=search]')")
        browser.write("AlphaXENAS")
        browser.wait(f"{rows}.every(row => row.textContent.includes('AlphaXENAS'))", 20)
        browser.click("document.querySelector('#trials-reference-quick tfoot input[placeholder=budget]')")
        browser.write("final")
        browser.wait(f"{rows}.every(row => row.textContent.includes('final'))", 20)
        browser.click(f"{rows}.at(-1).cells[2]")
        browser.wait("document.querySelector('#trials-reference-quick-drawing img')?.naturalWidth > 100", 20)
        browser.picture(f"{os.environ.get('KEEP_PICTURES', str(tmp_path))}/page.png")
        assert not browser.errors
        assert {address.split(":")[0] for address in browser.requested} <= {"file", "blob", "data"}
