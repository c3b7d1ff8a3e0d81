"""Colab rebuilt as closely as it can be had elsewhere: its own package versions, in an environment of their own.

The environment is made once, in `.venv-colab`, and used again until Colab's list or the tests' own torch changes.
torch, torchvision and the weights of the built-in CNNs are linked into it rather than installed twice.
"""

import atexit
import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repository import PROJECT, ROOT

FREEZE = max((Path(__file__).parent / "colab").glob("pip-freeze-*.txt"))  # the newest: the date is in the name
FOLDER = ROOT / ".venv-colab"
PAGE = ["notebook", "ipykernel", "ipywidgets", "anywidget", "matplotlib", "numpy", "pillow", "setuptools"]
PAGE += ["scikit-image", "transformers"]  # what lessons and users take that Colab has
FREE = {"tifffile"}  # scikit-image needs it, and Colab's asks for a newer Python than some have that test

# What vizkit knows Colab by. IPython runs it before the first cell.
STARTUP = """
import sys, types
sys.modules["google"] = google = types.ModuleType("google")
sys.modules["google.colab"] = google.colab = types.ModuleType("google.colab")
"""


def pins() -> dict[str, str]:
    """Name and version of everything that Colab has installed."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", FREEZE.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def weights_packages() -> list[str]:
    """The dependencies of vizkit that hold the weights of its networks, and nothing else."""
    dependencies = PROJECT["dependencies"]
    return [name for name in (Requirement(text).name for text in dependencies) if name.endswith("-pytorch-model")]


def shared() -> list[str]:
    """What is linked from the tests' own environment."""
    return ["torch", "torchvision", "loky", *weights_packages()]


def python_version() -> str:
    """Colab's Python, from the head of the list."""
    found = re.search(r"Python (\d+\.\d+)", FREEZE.read_text())
    assert found, FREEZE
    return found[1]


@cache
def source() -> Path:
    """The package as it stands here, as a git repository of its own."""
    folder = Path(tempfile.mkdtemp()) / "vizkit"
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    shutil.copytree(ROOT / "vizkit", folder / "vizkit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "As it stands"]):
        subprocess.run([*git, *command], check=True)
    return folder


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


def stack() -> str:
    """The Python of an environment with all that Colab's has; vizkit is not there."""
    if sys.version_info < (3, 11):
        pytest.skip("Colab's packages, in their versions, ask for Python 3.11 or newer.")
    python = str(_environment() / "bin" / "python")
    subprocess.run([python, "-m", "pip", "uninstall", "-qqy", "vizkit-notebooks"], check=True)
    return python


def _environment() -> Path:
    made_of = [FREEZE.read_text(), sys.version, sys.prefix, *PAGE, *map(importlib.metadata.version, shared())]
    stamp, name = FOLDER / "made-of", hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == name:
        return FOLDER
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    python = str(FOLDER / "bin" / "python")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(
            f"{name}=={version}\n" for name, version in pins().items() if name not in {*shared(), *FREE}
        )
        constraints.flush()
        pip_install(python, "-c", constraints.name, *PAGE)
    _share(next((FOLDER / "lib").glob("python*")) / "site-packages")
    pip_install(
        python, *shared(), f"timm=={pins()['timm']}"
    )  # this torch may be newer than Colab's, and need newer packages than Colab has
    stamp.write_text(name)
    return FOLDER


def pip_install(python: str, *arguments: str) -> None:
    """Fails with pip's own words."""
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def _share(site: Path) -> None:
    """Links what is shared, and all that they need and that is not there, into another environment's site-packages."""
    there = {canonicalize_name(d.metadata["Name"]) for d in importlib.metadata.distributions(path=[str(site)])}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(name) for name in shared()]
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
