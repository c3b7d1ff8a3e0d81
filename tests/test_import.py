"""What an import brings along, and which way imports point."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vizkit

HOUSE = Path(vizkit.__file__).parent
# Each knows only those before it.
ENGINE = [
    "errors",
    "modules",
    "checkpoints",
    "builtin",
    "classifiers",
    "images",
    "mechanism",
    "regularizers",
    "optimizers",
    "settings",
    "progress",
    "ascent",
    "recipes",
    "reproduction",
]


def imports(name):
    """The modules of vizkit that one of them imports, anywhere in its code."""
    for node in ast.walk(ast.parse((HOUSE / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = name.split(".")[: -node.level]
            if node.module:
                yield ".".join([*package, node.module])
            else:
                yield from (".".join([*package, alias.name]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (one.removeprefix("vizkit.") for one in names if one.split(".")[0] == "vizkit")


def test_import_vizkit_loads_nothing_for_plots_or_notebooks():
    code = "import sys, vizkit; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOUSE.parent)
    assert not {"matplotlib", "ipywidgets", "anywidget", "IPython"} & set(done.stdout.split())


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_imports_only_what_lies_below(name):
    assert set(imports(name)) <= set(ENGINE[: ENGINE.index(name)])


def test_nothing_imports_the_widgets_and_nothing_but_widgets_imports_what_draws():
    for file in HOUSE.glob("*.py"):
        if file.stem != "__init__":
            used = set(imports(file.stem))
            assert not {one for one in used if one.split(".")[0] == "widgets"}, file.stem
            assert "figures" not in used, file.stem


def test_pyplot_is_never_imported():
    for file in HOUSE.rglob("*.py"):
        assert "pyplot" not in {
            part
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
            for part in [*alias.name.split("."), *(getattr(node, "module", None) or "").split(".")]
        }, file.name
