"""One page of all executed notebooks of a run: self-contained, figures inside, code folded, formulas as MathML.

It opens without network, and its content security policy forbids to use one. Parts of nbconvert make the HTML of single
cells; progress bars and warnings (stderr) are left out.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alphaxenas.runs.files import write_atomically

PAGE = "report.html"
LARGE_PICTURE = 40_000
"""Bytes of a PNG above which it may become a WebP picture."""
_POLICY = "default-src 'unsafe-inline' 'unsafe-eval' data: blob:"
"""Nothing but what the page itself holds."""
_STYLE = Path(__file__).with_name("page.css")


def write_page(folder: Path, remarks: Sequence[str] = ()) -> Path | None:
    """Writes `report.html` of a run.

    Args:
        folder: The run's folder; the executed notebooks lie in its `notebooks/`.
        remarks: What a reader has to know first, such as which notebooks did not run to their end.

    Returns:
        The page; None where no notebook was executed, or none beyond its first cells.

    Raises:
        StorageError: It cannot be written.
    """
    paths = executed_notebooks(folder / "notebooks")
    if not paths:
        return None
    page = _Page(folder, paths)
    sections = [page.section(path) for path in paths]
    entries = "".join(page.entry(path) for path in paths)
    notices = "".join(f'<p class="notice">{html.escape(remark)}</p>' for remark in remarks)
    name, style = html.escape(folder.name), _STYLE.read_text(encoding="utf-8") + _code_style()
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>'
        f"<nav><b>{name}</b><ol>{entries}</ol></nav><main>{notices}{''.join(sections)}</main></body></html>\n"
    )
    write_atomically(folder / PAGE, text.encode())
    return folder / PAGE


def executed_notebooks(folder: Path) -> list[Path]:
    """The notebooks to show, in order: complete ones, and those that failed or were stopped as far as they came."""
    found: dict[str, Path] = {}
    for kind in (".running.ipynb", ".failed.ipynb", ".ipynb"):
        for path in folder.glob(f"[0-9][0-9]_*{kind}"):
            name = path.name.removesuffix(kind)
            if "." not in name:
                found[name] = path
    return [found[name] for name in sorted(found)]


class _Page:
    """Makes the sections of a page; knows where links lead to."""

    def __init__(self, folder: Path, paths: Iterable[Path]) -> None:
        self._folder, self._headings = folder, dict[Path, list[tuple[str, str, int]]]()
        self._anchors = {f"{path.name.split('.')[0]}.ipynb": f"#n{path.name[:2]}" for path in paths}

    def section(self, path: Path) -> str:
        """One notebook."""
        import nbformat

        self._headings[path], self._path = [], path
        cells = nbformat.read(path, as_version=4).cells
        parts = [part for cell in cells for part in self._cell(cell)]
        return f'<section id="n{path.name[:2]}">{"".join(parts)}</section>\n'

    def entry(self, path: Path) -> str:
        """The notebook in the table of contents, after `section`."""
        (title, _, _), *others = self._headings[path] or [(path.stem, "", 1)]
        inner = "".join(f'<li><a href="#{anchor}">{text}</a></li>' for text, anchor, level in others if level == 2)
        return f'<li><a href="#n{path.name[:2]}"><b>{title}</b></a><ul>{inner}</ul></li>'

    def _cell(self, cell: Any) -> Iterable[str]:
        if cell.cell_type == "markdown":
            if cell.id != "navigation":
                yield self._markdown(cell.source)
        elif cell.cell_type == "code":
            yield f"<details><summary>code</summary>{_highlighted(cell.source)}</details>"
            yield from map(self._output, cell.outputs)

    def _output(self, output: Any) -> str:
        if output.output_type == "stream":
            return f"<pre>{html.escape(output.text)}</pre>" if output.name == "stdout" else ""
        if output.output_type == "error":
            plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(output.traceback))
            return f'<pre class="error">{html.escape(plain)}</pre>'
        data = output.get("data", {})
        if "text/html" in data:
            return f'<div class="wide">{data["text/html"]}</div>'
        if "text/markdown" in data:
            return self._markdown(data["text/markdown"])
        if "image/png" in data:
            kind, encoded = _smaller(data["image/png"])
            return f'<p><img src="data:image/{kind};base64,{encoded}" alt=""></p>'
        return f"<pre>{html.escape(data['text/plain'])}</pre>" if "text/plain" in data else ""

    def _markdown(self, text: str) -> str:
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

        page = self

        class Renderer(IPythonRenderer):
            """Formulas as MathML, headings with anchors, links that lead somewhere from the page."""

            def block_math(self, body: str) -> str:
                return mathml(body, "block")

            def inline_math(self, body: str) -> str:
                return mathml(body, "inline")

            def heading(self, text: str, level: int, **attributes: Any) -> str:
                found = page._headings[page._path]
                anchor = f"n{page._path.name[:2]}-{len(found)}"
                found.append((text, anchor, level))
                return f'<h{level} id="{anchor}">{text}</h{level}>'

            def link(self, text: str, url: str, title: str | None = None) -> str:
                return super().link(text, page._target(url), title)

            def table(self, text: str) -> str:
                return f'<div class="wide"><table>{text}</table></div>'

        return MarkdownWithMath(renderer=Renderer(escape=False)).render(text)

    def _target(self, url: str) -> str:
        """A link of a notebook as one of the page, which lies a folder above."""
        if url in self._anchors:
            return self._anchors[url]
        if re.match(r"[a-z]+:|#", url):
            return url
        return os.path.relpath(self._path.parent / url, self._folder)


def mathml(formula: str, display: str) -> str:
    """A TeX formula as MathML; where it cannot be read, the formula itself.

    Args:
        formula: Without its dollar signs.
        display: `"block"` or `"inline"`.
    """
    try:
        from latex2mathml.converter import convert

        return convert(formula, display=display)
    except Exception:  # its errors have no common base, and a formula must not cost the page
        return f"<code>{html.escape(formula)}</code>"


def _smaller(encoded: str) -> tuple[str, str]:
    """Kind and base64 of a picture, as WebP where that takes less: without loss for drawings, which have a palette."""
    encoded = encoded.replace("\n", "")
    if len(encoded) * 3 // 4 < LARGE_PICTURE:
        return "png", encoded
    from PIL import Image

    picture, buffer = Image.open(io.BytesIO(base64.b64decode(encoded))), io.BytesIO()
    drawn = picture.mode == "P"  # then quality is effort
    picture.convert("RGB").save(buffer, "webp", lossless=drawn, quality=20 if drawn else 88)
    smaller = base64.b64encode(buffer.getvalue()).decode()
    return ("webp", smaller) if len(smaller) < len(encoded) else ("png", encoded)


def _highlighted(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(source, PythonLexer(), HtmlFormatter())


def _code_style() -> str:
    from pygments.formatters import HtmlFormatter

    styles: Mapping[str, Any] | str = HtmlFormatter().get_style_defs(".highlight")
    return str(styles)
