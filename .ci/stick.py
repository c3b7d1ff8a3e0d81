"""Makes a folder, for a USB stick, from which vizkit is installed without a network.

python .ci/stick.py FOLDER                                                        # with the CPU build of torch
python .ci/stick.py FOLDER --index-url https://download.pytorch.org/whl/cu130     # any of pip's options: with another

It is for machines like the one that makes it: the same system and processor, the same version of Python (3.11, say).
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CPU = ["--index-url", "https://download.pytorch.org/whl/cpu"]  # torch without its GPU libraries, as in the README
README = """\
vizkit, for {system} and Python {version}. No network is needed. In a terminal, in this folder:

{python} -m venv {home}
{home}{bin}pip install --no-index --find-links wheels "vizkit-notebooks[lab]"
{home}{bin}jupyter lab notebooks/00_explore.ipynb

The first two lines are for the first time only. To keep what you change, copy the folder notebooks to your own disk.
"""
POSIX = {"python": "python3", "home": "~/vizkit", "bin": "/bin/"}
WINDOWS = {"python": "python", "home": r"%USERPROFILE%\vizkit", "bin": "\\Scripts\\"}


def make(folder: Path, options: list[str]) -> None:
    """Fills a folder with wheels, with the lessons, and with a word on what to do with them."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty.")
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # what an earlier version has left would come along
    wheels = folder / "wheels"
    collect(wheels, "torch", "torchvision", *(options or CPU))
    collect(wheels, f"{ROOT}[lab]", *map(str, wheels.glob("torch*.whl")))  # these, and no newer ones from elsewhere
    (folder / "notebooks").mkdir()
    for lesson in (ROOT / "notebooks").glob("*.ipynb"):  # not the exercises: their source holds the solutions
        shutil.copy(lesson, folder / "notebooks")
    system = f"{platform.system()}, {platform.machine()}"
    version = ".".join(platform.python_version_tuple()[:2])
    names = WINDOWS if platform.system() == "Windows" else POSIX
    (folder / "README.txt").write_text(README.format(system=system, version=version, **names), encoding="utf-8")


def collect(wheels: Path, *wanted: str) -> None:
    """Wheels of what is wanted, and of all that it needs."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--wheel-dir", wheels, *wanted], check=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    make(Path(sys.argv[1]), sys.argv[2:])
