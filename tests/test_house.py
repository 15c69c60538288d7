"""The house: few modules a folder, imports one way, public functions documented. See docs/architecture.md."""

import ast
import re

import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.networks.layer_interface import LayerInterface

PACKAGE = PROJECT_ROOT / "alphaxenas"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, MOST_MODULES, MOST_ON_TOP = 350, 15, 4
LAYERS = (
    {"contracts", "seeds", "suggestions"},
    {"spaces", "data", "proxies", "runs", "workers"},
    {"networks"},
    {"controllers"},
    {"evaluators", "supernet", "tabular", "coach"},
    {"config"},
    {"pipelines", "report"},
    {"command"},
)
"""Packages by layer, lowest first: a module imports from its own package and from lower layers."""
PROTOCOLS = {"LayerInterface": set(vars(LayerInterface)), "Core": {"run"}, "SharedWeights": {"train", "rate", "scores"}}
"""Operations that a protocol documents for all its implementations."""
DOCUMENTED = set().union(*PROTOCOLS.values())
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("alphaxenas."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("alphaxenas."):
            yield node.module


def test_folders_are_small():
    folders = {}
    for path in MODULES:
        if path.name != "__init__.py":
            folders.setdefault(path.parent, []).append(path.name)
    assert len(folders.pop(PACKAGE)) <= MOST_ON_TOP
    assert {folder.name: len(names) for folder, names in folders.items() if len(names) > MOST_MODULES} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_is_short_and_imports_downwards(path):
    assert path.read_text(encoding="utf-8").count("\n") <= MOST_LINES
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(path) if own in LAYER else ():
        other = package(module)
        assert other == own or LAYER[other] < LAYER[own], f"{own} imports {module}"


def undocumented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for holder in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]:
        for node in holder.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if isinstance(holder, ast.ClassDef) and node.name in DOCUMENTED and holder.name not in PROTOCOLS:
                continue
            text = ast.get_docstring(node) or ""
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            names = [name for name in names if name not in ("self", "cls")]
            if not text or (len(names) >= 2 and "Args:" not in text):
                yield f"{path.name}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_functions_of_two_parameters_document_them(path):
    assert list(undocumented(path)) == []


def module_of(dotted):
    """The file of the longest beginning of a dotted name that is a module or a package, and the rest of the name."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        place = PROJECT_ROOT.joinpath(*parts[:count])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file, parts[count:]
    return None, parts


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_a_text_names_exists(path):
    text = path.read_text(encoding="utf-8")
    for dotted in re.findall(r"`(alphaxenas(?:\.\w+)+)", text):
        file, rest = module_of(dotted)
        assert file is not None and all(re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) for name in rest), (
            dotted
        )
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        assert any((place / name).is_file() for place in (path.parent, PACKAGE, PROJECT_ROOT)), name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_docstring_has_every_section_once(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            text = ast.get_docstring(node) or ""
            for section in ("Args:", "Attributes:", "Returns:", "Raises:"):
                assert sum(line.strip() == section for line in text.splitlines()) <= 1, getattr(node, "name", path.name)
