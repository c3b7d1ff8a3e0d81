"""What an import brings along, and which way imports point."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import vizkit

HOUSE = Path(vizkit.__file__).parent
# Whom each wing may know besides itself. The engine is what lies at the top.
KNOWS = {
    "networks": set(),
    "engine": {"networks"},
    "figures": {"networks", "engine"},
    "atlases": {"networks", "engine"},
    "widgets": {"networks", "engine", "figures", "atlases"},
    "classroom": {"networks", "engine", "figures", "widgets", "atlases"},
    "terminal": {"networks", "engine", "atlases", "classroom"},
}
DRAWS = {"matplotlib", "ipywidgets", "anywidget", "IPython"}


def name_of(file):
    return ".".join(file.relative_to(HOUSE.parent).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(file): file for file in HOUSE.rglob("*.py")}


def imports(name, late=True):
    """What a file imports: files of vizkit by their name, others by their first; `late`: inside functions, too."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    package = name.split(".") if FILES[name].name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(tree) if late else tree.body:
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            found = [f"{base}.{alias.name}" for alias in node.names]
        for one in found:
            while one.startswith("vizkit") and one not in FILES:
                one = one.rpartition(".")[0]
            yield one if one in FILES else one.split(".")[0]


IMPORTS = {name: set(imports(name)) for name in FILES}
# Of the engine, but below the networks, too: they know nobody.
GROUND = {name for name in FILES if FILES[name].parent == HOUSE and not IMPORTS[name] & FILES.keys()}


def wing(name):
    part = name.split(".")[1]
    return part if part in KNOWS else "engine"


def test_import_vizkit_loads_nothing_for_plots_or_notebooks():
    code = "import sys, vizkit; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOUSE.parent)
    assert not DRAWS & set(done.stdout.split())


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"vizkit", "vizkit.__main__"}))
def test_a_wing_knows_only_those_below_it_and_nobody_knows_the_face(name):
    known = KNOWS[wing(name)] | {wing(name)}
    assert {one for one in IMPORTS[name] & FILES.keys() - GROUND if one == "vizkit" or wing(one) not in known} == set()


def test_no_file_needs_itself_to_be_loaded():
    graph = {name: set(imports(name, late=False)) & FILES.keys() for name in FILES}
    assert any(graph.values())
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_engine_draws_nothing():
    engine = {name for name in FILES.keys() - {"vizkit"} if wing(name) in ("engine", "networks")}
    assert not {name for name in engine if IMPORTS[name] & DRAWS}


def test_pyplot_is_never_imported():
    for name, file in FILES.items():
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        named = [node.name for node in nodes if isinstance(node, ast.alias)]
        named += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        assert not [one for one in named if "pyplot" in one], name
