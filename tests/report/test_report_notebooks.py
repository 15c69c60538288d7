"""Notebook 05 in a fresh clone: it shows a stored reference run and leaves it as it is."""

import json

import papermill

from alphaxenas.config import PROJECT_ROOT


def test_results_of_a_fresh_clone_show_the_reference_and_leave_it_alone(shelf, tmp_path):
    records = [record for run in shelf.suite("reference-quick", seeds=2).searches for record in run.records]
    published = tmp_path / "published.csv"
    lines = {record["architecture"]: f"{record['architecture']},{record['reward']}" for record in records}
    published.write_text("\n".join(["cell,accuracy", *lines.values()]))
    before = {path: path.read_bytes() for path in shelf.exp_dir.rglob("*") if path.is_file()}
    output = tmp_path / "05.ipynb"
    papermill.execute_notebook(
        PROJECT_ROOT / "notebooks" / "05_results.ipynb",
        output,
        {"exp_dir": str(shelf.exp_dir), "truth_table": str(published), "truth_column": "accuracy"},
        kernel_name="python3",
        cwd=PROJECT_ROOT / "notebooks",
        progress_bar=False,
    )
    results = json.loads((shelf.exp_dir / "quick" / "results" / "results.json").read_text())
    assert results["shown"] == "reference-quick" and "with 2 seeds, 6 are needed" in results["headline"]
    assert "the table lacks 0" in results["truth"]["remarks"][1] and len(results["truth"]["chosen"]) == 2
    shown = (PROJECT_ROOT / "notebooks" / "05_results.ipynb").read_text().count("album.show(")
    assert len(list((shelf.exp_dir / "quick" / "results" / "figures").glob("*.png"))) == shown >= 10
    assert {path: path.read_bytes() for path in before} == before
    assert not (shelf.exp_dir / "reference-quick" / "results").exists()
    assert output.stat().st_size < 1_000_000 and "Shown instead" in output.read_text()
