"""Generates docs/results.md and the measured parts of README and docs/scale.md from benchmarks/results/*.json.

    python -m benchmarks.results --write     writes these pages and docs/images/queries.png
    python -m benchmarks.results --check     says whether they differ from what the results say; exit code 1 if so
    python -m benchmarks.results --stale     lists results whose code has changed since; exit code 1 if there are any

No number of a measurement is typed by hand. After a change of code that a result depends on, `--write` marks the
result; measuring again (`benchmarks/remeasure.sh`) removes the mark.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import readme, scale
from benchmarks.claims import CLAIMS
from benchmarks.layout import TABLES, Claim, Result, best_static, name, number, queries, table
from benchmarks.record import CODE, ROOT, changed_since, load, origins

PAGE, README, PICTURE = ROOT / "docs" / "results.md", ROOT / "README.md", ROOT / "docs" / "images" / "queries.png"
UNMEASURED, MEASURED = "Not measured with today's code", "How each result was measured"
SHOWN = ("random", "evolution", "local", "nao", "alphaxenas", "guided")
"""Methods of the picture; the better static order is added."""
HEAD = """# Results

This page is generated from `benchmarks/results/*.json` by `python -m benchmarks.results --write`; no number is typed
by hand. First stand the goals, then the comparisons that did not end as hoped for, then all others.

A difference is **shown** when its 95 % interval (Student's) excludes 0 and the exact paired test, corrected for
the comparisons of the section (Holm), is below 0.05, with at least six seeds. Everything else is *not shown*.
Numbers in brackets are 95 % intervals of means over seeds. Methods are explained in [concepts](concepts.md), tables
of trained architectures in [data/README.md](../data/README.md).

- **Points** are percentage points of accuracy, or of regret: how far the choice lies below the best. *Mean over
  marks*: one value a seed, the mean over all numbers of queries, or seconds, that such a result has a column for.
- **Names** such as `nasbench201_cifar10` are those of recorded results. After each section they lead to the command,
  date and machine of the measurement, at the end of the page; `benchmarks/remeasure.sh FOLDER_OF_TABLES` runs the
  cheap ones. A **stale** result is of code that has changed since, so today's may behave otherwise.
"""


def page(results: Mapping[str, Result]) -> str:
    """The whole of docs/results.md; sections of which nothing is measured are a list."""
    written = {claim.question: section(claim, results) for claim in CLAIMS}
    first, *others = [text for text in written.values() if text] or [""]
    questions = [question for question, text in written.items() if text]
    contents = [f"- [{question}](#{anchor(question)})" for question in [*questions[1:], UNMEASURED, MEASURED]]
    missing = [question for question, text in written.items() if not text]
    end = [*_unmeasured(results, missing), *_measurements(results)]
    return "\n".join([HEAD, first, "## Contents", "", *contents, "", *others, *end])


def anchor(heading: str) -> str:
    """What GitHub makes of a heading for links to it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(claim: Claim, results: Mapping[str, Result]) -> str:
    """Question, text, table, verdict, and the results that they come from; empty without any."""
    here = {key: results[key] for key in claim.results if key in results}
    body = claim.body(here) if here else ""
    if not body:
        return ""
    missing = [key for key in claim.results if key not in here]
    said = " ".join(
        [
            f"From {', '.join(f'[{key}](#{key})' for key in here)}.",
            *([f"Not measured: {', '.join(missing)}."] if missing else []),
            *_stale(here),
        ]
    )
    return "\n".join([f"## {claim.question}", "", *_wrapped(claim.text), "", body, "", *_wrapped(said), ""])


def _stale(results: Mapping[str, Result]) -> list[str]:
    """The mark of the results that are of other code."""
    stale = [key for key, result in results.items() if changed_since(result)]
    return [f"**Stale**, code has changed since: {', '.join(stale)}."] if stale else []


def scale_page(text: str, results: Mapping[str, Result]) -> str:
    """docs/scale.md with the part between its two marks written anew."""
    if "scale" not in results:
        return text
    before, after = text.partition(scale.BEGIN)[0], text.partition(scale.END)[2]
    found = [*_stale({"scale": results["scale"]}), scale.section(results), scale.PICTURE]
    return f"{before}{scale.BEGIN}\n\n" + "\n\n".join(found) + f"\n\n{scale.END}{after}"


def _unmeasured(results: Mapping[str, Result], questions: Sequence[str]) -> list[str]:
    """The questions without a result, and the benchmarks of which nothing is recorded, with the first sentence of their
    texts.
    """
    lines = [f"## {UNMEASURED}", ""]
    if questions:
        lines += ["Questions that nothing is recorded of:", "", *(f"- {question}" for question in questions), ""]
    lines += ["Benchmarks that nothing is recorded of; each can be measured with its command:", ""]
    for benchmark in sorted(set(CODE) - {result["benchmark"] for result in results.values()}):
        place = ROOT / "benchmarks" / benchmark
        text = (place / "__main__.py" if place.is_dir() else place.with_suffix(".py")).read_text(encoding="utf-8")
        summary = " ".join((ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].split())
        lines.append(f"- `python -m benchmarks.{benchmark}`: {summary}")
    return lines


def _measurements(results: Mapping[str, Result]) -> list[str]:
    """How every result was measured: one heading each, which the sections link to, and a row per command."""
    lines = ["", f"## {MEASURED}", ""]
    for key, result in results.items():
        changed = len(changed_since(result))
        stale = f" **Stale**: {changed} file{'s have' if changed > 1 else ' has'} changed since." if changed else ""
        rows = []
        for part in origins(result):
            versions = (f"{one} {part['versions'][one]}" for one in ("tensorflow", "numpy") if one in part["versions"])
            machine = f"{part['machine']['processor']}, {part['machine']['cores']} cores"
            revision = (part["revision"] or "unknown")[:10]
            rows.append([f"`{part['command']}`", part["date"], revision, ", ".join([machine, *versions])])
        for part in result.get("confirmed", []):
            what = f"the first {part['seeds']} values of each again, equal: {', '.join(map(name, part['methods']))}"
            rows.append([what, part["date"], (part["revision"] or "unknown")[:10], ""])
        head = ["command", "date", "revision", "machine"]
        lines += [f"### {key}", "", *([stale.strip(), ""] if stale else []), table(head, rows), ""]
    return lines[:-1] + [""]


def picture_state(results: Mapping[str, Result]) -> str:
    """A hash of what the picture shows; it is stored in the file."""
    shown = {key: results[key]["values"] for key in _pictured(results)}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


def picture_is_current(results: Mapping[str, Result]) -> bool:
    """Whether the picture was drawn from these results."""
    from PIL import Image

    if not _pictured(results):
        return True
    if not PICTURE.is_file():
        return False
    with Image.open(PICTURE) as image:
        return image.info.get("Description") == picture_state(results)


def draw(results: Mapping[str, Result]) -> None:
    """Draws a dot per search, a row per method, a panel per table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    keys = _pictured(results)
    figure, axes = plt.subplots(1, len(keys), figsize=(11, 4), dpi=100, squeeze=False, layout="constrained")
    for number_of_panel, (axis, key) in enumerate(zip(axes[0], keys)):
        result = results[key]
        methods = [*SHOWN[:-1], best_static(result), SHOWN[-1]]
        for row, method in enumerate(methods):
            values = queries(result, method)
            colour = {"guided": "#d55e00", "alphaxenas": "#0072b2", "random": "#e69f00"}.get(method, "#888888")
            jitter = np.random.default_rng(row).uniform(-0.22, 0.22, len(values))
            axis.plot(values, row + jitter, "o", color=colour, markersize=4, alpha=0.6, markeredgewidth=0)
            mean = sum(values) / len(values)
            axis.plot([mean, mean], [row - 0.26, row + 0.26], color="#222222", linewidth=2)
            axis.annotate(number(mean), (mean, row - 0.27), ha="center", va="bottom", fontsize=8)
        labels = ["fixed order" if method.startswith("static") else name(method) for method in methods]
        axis.set_yticks(range(len(methods)), labels if number_of_panel == 0 else [""] * len(methods))
        axis.set_ylim(len(methods) - 0.4, -0.9)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.set_title(TABLES[key], fontsize=10)
        axis.set_xlabel("queries to the optimum (logarithmic)", fontsize=9)
        axis.grid(axis="x", color="#dddddd")
        axis.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Description": picture_state(results), "Software": None})
    plt.close(figure)


def _pictured(results: Mapping[str, Result]) -> list[str]:
    """Tables of which every method of the picture has been measured."""
    keys = ("nasbench201_cifar10", "nasbench201_cifar100", "ecnas_5v")
    return [key for key in keys if key in results and set(SHOWN) <= set(results[key]["values"])]


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


def main(arguments: list[str] | None = None) -> int:
    """Writes, checks or lists; returns the exit code."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--write", "--check", "--stale"):
        words.add_argument(option, action="store_true")
    options, results = words.parse_args(arguments), load()
    wanted = {PAGE: page(results)}
    wanted |= {path: write(_text(path), results) for path, write in ((README, readme.filled), (scale.PAGE, scale_page))}
    code = 0
    if options.write:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        if not picture_is_current(results):
            draw(results)
    if options.check:
        differing = [path for path, text in wanted.items() if _text(path) != text]
        differing += [] if picture_is_current(results) else [PICTURE]
        for path in differing:
            print(f"{path.relative_to(ROOT)} differs from the results. Run: python -m benchmarks.results --write")
        code |= bool(differing)
    if options.stale:
        for key, result in results.items():
            if changed := changed_since(result):
                print(f"{key} ({result['date']}): {', '.join(changed)}")
                code = 1
    return code


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
