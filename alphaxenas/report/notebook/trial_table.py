"""All trials of some searches in one table that can be sorted and filtered, with drawings of the best ones.

DataTables, as the package itables ships it, does the sorting in the browser and needs no network. It is stored
compressed, because an executed notebook should stay below 1 MB. Where scripts do not run (a notebook that is not
trusted) the first rows are shown as they are.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alphaxenas.report.pictures import drawings
from alphaxenas.report.runs import Groups, StoredRun
from alphaxenas.report.style import INK
from alphaxenas.report.tables import frame
from alphaxenas.spaces.drawing.picture import as_png
from alphaxenas.spaces.drawing.registry import draw, natural_size
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    from IPython.display import HTML

MOST_ROWS, MOST_DRAWINGS = 2000, 20
"""Of one table; the best ones."""
COLUMNS = "no., search, seed, trial, budget, status, validation, parameters, multiply-adds, seconds, architecture"
DOTS_PER_INCH = 55
_UNPACK = """<script>
(async () => {
  const packed = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const [page, ...files] = await new Response(stream).json();
  const bytes = (text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
  const whole = files.reduce((text, file, number) => text.replace(`@${number}@`, () => btoa(bytes(file))), page);
  document.body.append(document.createRange().createContextualFragment(whole));
})();
</script>"""
_CHOOSE = """<style>
#%(id)s { font-size: 13px; width: 100%% !important; }
#%(id)s th, #%(id)s td { padding: 2px 6px; vertical-align: top; }
#%(id)s tfoot input { width: 100%%; min-width: 2.5rem; box-sizing: border-box; }
#%(id)s td:last-child { min-width: 24rem; line-height: 1.3; }
#%(id)s tbody tr { cursor: pointer; }
</style>
<p id="%(id)s-drawing">Click a row to see its architecture; drawn are the best %(count)d.</p>
<script>
(() => {
  const pictures = %(pictures)s;
  document.addEventListener("click", (event) => {
    const row = event.target.closest("#%(id)s tbody tr");
    const place = document.getElementById("%(id)s-drawing");
    if (!row || !place) return;
    const number = row.cells[0].textContent.trim();
    place.textContent = pictures[number] ? "" : `No. ${number} is not among the drawn ones: see the next cell.`;
    if (pictures[number]) {
      const image = place.appendChild(new Image());
      image.src = "data:image/png;base64," + pictures[number];
      image.alt = row.textContent;
    }
  });
})();
</script>"""

Trial = tuple[str, StoredRun, dict[str, Any]]
"""Label of the search, its run, the record."""


def trials_of(groups: Groups) -> list[Trial]:
    """All trials, best first: those at the final budget, then those at the search budget, then failed ones.

    Args:
        groups: Searches by label.
    """
    found = [(label, run, record) for label, runs in groups.items() for run in runs for record in run.records]
    return sorted(
        found,
        key=lambda trial: (trial[2]["status"] != "ok", trial[2]["purpose"] != "final", -(trial[2]["reward"] or 0.0)),
    )


def as_frame(trials: Sequence[Trial]) -> pandas.DataFrame:
    """A row for every trial.

    Args:
        trials: In order; the first is number 1.
    """
    rows = [
        {
            "no.": number,
            "search": label,
            "seed": run.seed,
            "trial": record["trial"],
            "budget": record["purpose"],
            "status": "known before" if "cached" in record["metrics"] else record["status"],
            "validation": round(record["reward"], 4) if record["status"] == "ok" else None,
            "parameters": record["metrics"].get("parameters"),
            "multiply-adds": record["metrics"].get("multiply_adds"),
            "seconds": round(record["seconds"], 1),
            "architecture": record["architecture"],
        }
        for number, (label, run, record) in enumerate(trials, 1)
    ]
    return frame(rows, COLUMNS).astype({"parameters": "Int64", "multiply-adds": "Int64"})


def trial_table(trials: Sequence[Trial]) -> HTML:
    """The table for a notebook, with drawings that appear at a click.

    Args:
        trials: See `trials_of`; beyond `MOST_ROWS` they are left out.
    """
    from IPython.display import HTML
    from itables import options, to_html_datatable
    from itables.javascript import generate_init_offline_itables_html

    table = as_frame(trials[:MOST_ROWS])
    name = "trials-" + re.sub(r"\W", "-", trials[0][1].suite if trials else "none")
    page, files = generate_init_offline_itables_html(options.dt_bundle), []
    for number, kind in enumerate((".js", ".css")):
        files.append(Path(options.dt_bundle).with_suffix(kind).read_text(encoding="utf-8"))
        page = page.replace(base64.b64encode(files[-1].encode()).decode(), f"@{number}@")
    bundle = gzip.compress(json.dumps([page, *files]).encode(), 9, mtime=0)
    left_out = f"The best {MOST_ROWS:,} of {len(trials):,} trials." if len(trials) > MOST_ROWS else ""
    shown = to_html_datatable(
        table.reset_index(),
        left_out,
        table_id=name,
        connected=False,
        showIndex=False,
        column_filters="footer",
        maxBytes=0,
        lengthMenu=[10, 25, 100],
        classes="display compact",
        autoWidth=False,
        display_logo_when_loading=False,
    )
    pictures = {}
    for number, (_, run, record) in enumerate(trials[:MOST_DRAWINGS], 1):
        if record["status"] == "ok":
            pictures[number] = base64.b64encode(_drawing(run, record)).decode()
    choose = _CHOOSE % {"id": name, "count": len(pictures), "pictures": json.dumps(pictures)}
    return HTML("\n".join([_UNPACK % base64.b64encode(bundle).decode(), shown, choose]))


def draw_trial(trials: Sequence[Trial], number: int) -> Figure:
    """The architecture of one trial.

    Args:
        trials: See `trials_of`.
        number: Its `no.` in the table, from 1.

    Raises:
        ValueError: There is no such row.
    """
    if not 1 <= number <= len(trials):
        raise invalid("number", f"1 to {len(trials)}", number)
    label, run, record = trials[number - 1]
    title = f"no. {number}: {label}, seed {run.seed}, trial {record['trial']}, {record['purpose']} budget"
    title += f", validation accuracy {record['reward']:.4f}" if record["status"] == "ok" else f", {record['status']}"
    return drawings([run.space.decode(tuple(record["tokens"]))], [run.space], [title])


def _drawing(run: StoredRun, record: dict[str, Any]) -> bytes:
    """A small PNG of a trial's architecture, with its place in the search below."""
    architecture = run.space.decode(tuple(record["tokens"]))
    width, height = natural_size(architecture)
    figure = Figure(figsize=(width, height + 0.3), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    draw(run.space, architecture, figure.add_axes((0, 0, 1, height / (height + 0.3))))
    text = f"{run.stage}, trial {record['trial']}: {record['reward']:.4f}"
    figure.text(0.01, 1 - 0.15 / (height + 0.3), text, fontsize=11, color=INK, va="center")
    return as_png(figure)
