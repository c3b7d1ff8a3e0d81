"""Colab rebuilt as closely as it can be had elsewhere: its own package versions, in environments of their own.

There are two, each made once and used again until its list changes: Colab as it is, in `.venv-colab`, and the oldest
runtime that it still offers, in `.venv-colab-oldest`. The weights of the built-in CNNs are linked into both rather than
installed twice. So are torch and torchvision into the first; the second has its own, 6 GB, since they are what
it is for.
"""

import atexit
import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository import PROJECT, ROOT

OLDEST, *_, NEWEST = sorted((Path(__file__).parent / "colab").glob("pip-freeze-*.txt"))  # the date is in the name
FOLDERS = {NEWEST: ROOT / ".venv-colab", OLDEST: ROOT / ".venv-colab-oldest"}
PAGE = ["notebook", "ipykernel", "ipywidgets", "anywidget", "matplotlib", "numpy", "pillow", "setuptools"]
PAGE += ["scikit-image", "transformers"]  # what lessons and users take that Colab has
FREE = {"tifffile"}  # scikit-image needs it, and Colab's asks for a newer Python than some have that test

TAG = "v0.2.0"  # what a course is pinned to

# What vizkit knows Colab by. IPython runs it before the first cell.
STARTUP = """
import sys, types
sys.modules["google"] = google = types.ModuleType("google")
sys.modules["google.colab"] = google.colab = types.ModuleType("google.colab")
"""


def pins(freeze: Path = NEWEST) -> dict[str, str]:
    """Name and version of everything that Colab has installed."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", freeze.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def weights_packages() -> list[str]:
    """The dependencies of vizkit that hold the weights of its networks, and nothing else."""
    dependencies = PROJECT["dependencies"]
    return [name for name in (Requirement(text).name for text in dependencies) if name.endswith("-pytorch-model")]


def shared(freeze: Path) -> list[str]:
    """What is linked from the tests' own environment."""
    return [*(["torch", "torchvision"] if freeze == NEWEST else []), "loky", *weights_packages()]


def python_version(freeze: Path) -> str:
    """Colab's Python, from the head of the list."""
    found = re.search(r"Python (\d+\.\d+)", freeze.read_text())
    assert found, freeze
    return found[1]


@cache
def source() -> Path:
    """The package as it stands here, as a git repository of its own, with a tag and a later commit."""
    folder = Path(tempfile.mkdtemp()) / "vizkit"
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    shutil.copytree(ROOT / "vizkit", folder / "vizkit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    later = ["commit", "-qm", "After the tag", "--allow-empty"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "As it stands"], ["tag", TAG], later):
        subprocess.run([*git, *command], check=True)
    return folder


@cache
def wheel() -> Path:
    """The package as it stands here, by the README's command for a wheel."""
    line = re.search(r"`\.venv/bin/pip (wheel [^`]+)`", (ROOT / "README.md").read_text())
    assert line
    pip(*line[1].split(), cwd=source())
    return next((source() / "dist").glob("*.whl"))


def colab(folder: Path, repository: str) -> dict[str, str]:
    """Variables for a kernel that takes itself for Colab's, and for a git that finds `source()` at `repository`."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "colab.py").write_text(STARTUP)
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{source()}.insteadOf"}
    return {
        **git,
        "GIT_CONFIG_VALUE_0": repository,
        "IPYTHONDIR": str(folder),
        "PYTHONPATH": "",  # or a vizkit on it would be found
        "OMP_NUM_THREADS": "1",  # the browser, which is elsewhere on Colab, needs a core of its own here
    }


def stack(freeze: Path = NEWEST) -> str:
    """The Python of an environment with all that Colab's has; vizkit is not there."""
    if sys.version_info < (3, 11):
        pytest.skip("Colab's packages, in their versions, ask for Python 3.11 or newer.")
    python = str(_environment(freeze) / "bin" / "python")
    subprocess.run([python, "-I", "-m", "pip", "uninstall", "-qqy", "vizkit-notebooks"], check=True)  # not one nearby
    return python


def _environment(freeze: Path) -> Path:
    folder, linked, there = FOLDERS[freeze], shared(freeze), pins(freeze)
    made_of = [freeze.read_text(), sys.version, sys.prefix, *PAGE, *map(importlib.metadata.version, linked)]
    stamp, name = folder / "made-of", hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == name:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    own = [name for name in ("torch", "torchvision") if name not in linked]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{name}=={there[name]}\n" for name in there if name not in {*linked, *FREE})
        constraints.flush()
        pip_install(python, "-c", constraints.name, *[name for name in PAGE if name in there], *own)
    share(next((folder / "lib").glob("python*")) / "site-packages", linked)
    pip_install(
        python, *linked, f"timm=={there['timm']}"
    )  # the tests' torch may be newer than Colab's, and need newer packages than Colab has
    stamp.write_text(name)
    return folder


def pip_install(python: str, *arguments: str) -> None:
    pip("install", "--no-compile", *arguments, python=python)


def pip(command: str, *arguments: str, python: str = sys.executable, cwd: Path = ROOT) -> None:
    """Fails with pip's own words."""
    line = [python, "-I", "-m", "pip", command, "-q", "--disable-pip-version-check", *arguments]
    result = subprocess.run(line, cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def share(site: Path, names: Iterable[str]) -> None:
    """Links packages, and all that they need and that is not there, into another environment's site-packages."""
    there = {canonicalize_name(d.metadata["Name"]) for d in importlib.metadata.distributions(path=[str(site)])}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(name) for name in names]
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
