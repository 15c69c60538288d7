"""One page of all executed notebooks: self-contained, folded, linked, whatever became of the run."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from PIL import Image

from alphaxenas.report.notebook.page import LARGE_PICTURE, executed_notebooks, mathml, write_page

V4 = nbformat.v4
FIRST = """# 1. First

See [the docs](../../../docs/notebooks.md), [next](02_second.ipynb), [far](https://example.org).

## A part

$a_1 < b$ and $$\\frac{1}{2}$$

| a | b |
| - | - |
| 1 | 2 |"""


def png(side=4):
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(**data):
    return V4.new_output("display_data", {name.replace("_", "/"): value for name, value in data.items()})


@pytest.fixture
def write(tmp_path):
    def store(name, *cells):
        (tmp_path / "mine" / "notebooks").mkdir(parents=True, exist_ok=True)
        nbformat.write(V4.new_notebook(cells=list(cells)), tmp_path / "mine" / "notebooks" / name)
        return tmp_path / "mine"

    return store


def code(source, *outputs):
    return V4.new_code_cell(source, outputs=list(outputs))


def test_the_page_holds_everything_and_asks_the_network_for_nothing(write):
    write(
        "01_first.ipynb",
        V4.new_markdown_cell(FIRST),
        code(
            "print('<x>')",
            V4.new_output("stream", name="stdout", text="<x>\n"),
            V4.new_output("stream", name="stderr", text="100%|####|\n"),
        ),
    )
    folder = write(
        "02_second.ipynb",
        V4.new_markdown_cell("# 2. Second"),
        code("figure", shown(image_png=png(), text_plain="<Image>")),
        code("table", shown(text_html="<table><tr><td>cell</td></tr></table>", text_plain="x")),
    )
    page = write_page(folder).read_text()
    assert "<code>a" not in page or "math" in page
    assert page.count("<details>") == 3 and "&lt;x&gt;" in page and "100%|" not in page
    assert (
        'src="data:image/png;base64,' in page
        and "<td>cell</td>" in page
        and "default-src 'unsafe-inline' 'unsafe-eval' data: blob:\"" in page
    )
    assert not re.search(r'(?:src|@import|url\()\s*=?\s*["\']?(?:https?:)?//', page)
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert {"n01", "n02", "n01-1"} <= set(anchors) and all(f'id="{anchor}"' in page for anchor in anchors)
    assert 'href="../../docs/notebooks.md"' in page, "one folder above the notebook"


def test_formulas_are_mathml_and_what_cannot_be_read_stays_as_it_is():
    assert mathml(r"\frac{1}{2}", "block").startswith("<math") and "<mfrac>" in mathml(r"\frac{1}{2}", "inline")
    assert mathml(r"\frac{<", "block").startswith(("<code>", "<math")) and "{<" not in mathml(r"\frac{<", "block")


def test_every_formula_of_the_notebooks_can_be_read(request):
    from alphaxenas.config import PROJECT_ROOT

    found = 0
    for path in sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            for block, inline in re.findall(
                r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", cell.source if cell.cell_type == "markdown" else "", re.DOTALL
            ):
                made = mathml(block or inline, "block")
                assert made.startswith("<math") and "\\" not in made, (path.name, block or inline)
                found += 1
    assert found > 30


def test_large_photographs_take_less(write):
    picture = png(200)
    assert len(picture) > LARGE_PICTURE
    page = write_page(write("01_first.ipynb", code("x", shown(image_png=picture)))).read_text()
    assert "data:image/webp" in page and len(page) < len(picture)


def test_a_run_that_failed_is_shown_as_far_as_it_came(write):
    error = V4.new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[0m: <no>"])
    write("01_first.ipynb", V4.new_markdown_cell("# 1. First"))
    write("02_second.ipynb", V4.new_markdown_cell("# 2. Old"))
    write("02_second.failed.ipynb", V4.new_markdown_cell("# 2. Second"), code("work()", error))
    folder = write("03_third.running.ipynb", V4.new_markdown_cell("# 3. Third"))
    names = [path.name for path in executed_notebooks(folder / "notebooks")]
    assert names == ["01_first.ipynb", "02_second.ipynb", "03_third.running.ipynb"], "a complete one comes first"
    (folder / "notebooks" / "02_second.ipynb").unlink()
    page = write_page(folder, ["02_second: FAILED."]).read_text()
    assert (
        "02_second: FAILED." in page
        and '<pre class="error">ValueError: &lt;no&gt;</pre>' in page
        and "\x1b" not in page
    )


def test_without_notebooks_there_is_no_page(tmp_path):
    assert write_page(tmp_path) is None and not list(tmp_path.iterdir())
