"""A folder for a USB stick: made by one command, and vizkit is installed from it where there is no network."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version

import nbformat
import pytest
from colab_stack import share, source
from repository import ROOT

pytestmark = pytest.mark.install
TORCH = ("torch", "torchvision")
FIRST = """
import os, socket, vizkit
try:
    socket.socket(type=socket.SOCK_DGRAM).connect(("192.0.2.1", 9))  # sends nothing, but asks for the way to elsewhere
    assert "all_proxy" in os.environ, "there is a network"
except OSError:
    pass
vizkit.ascend(vizkit.load(), "flamingo", steps=2).run().save("flamingo.png")
"""


@pytest.fixture(scope="module")
def stick(tmp_path_factory):
    """By the README's command, with pip's own options. Everything is real but the wheels of torch and torchvision,
    which have some GB: in their place are two that lead to those of the tests' own environment."""
    folder = tmp_path_factory.mktemp("stick")
    links = folder / "links"
    links.mkdir()
    share(links, TORCH)
    for name in TORCH:
        stand_in(folder / "elsewhere", name, links)
    copy = shutil.copytree(source(), folder / "copy")  # it builds where it stands, and leaves what it has built
    for name in (".ci", "notebooks"):
        shutil.copytree(ROOT / name, copy / name)
    options = ["--no-index", "--find-links", str(folder / "elsewhere")]
    line = re.search(r"`\.venv/bin/python (\.ci/stick\.py stick)`", (ROOT / "README.md").read_text())
    made = subprocess.run([sys.executable, *line[1].split(), *options], cwd=copy, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return copy / "stick"


def stand_in(folder, name, links):
    """A wheel that holds nothing but the way to an installed package."""
    folder.mkdir(exist_ok=True)
    known = f"{name}-{version(name)}.dist-info"
    files = {
        f"{name}_lies_elsewhere.pth": str(links),
        f"{known}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version(name)}\n",
        f"{known}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{known}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version(name)}-py3-none-any.whl", "w") as wheel:
        for file, text in {**files, f"{known}/RECORD": record}.items():
            wheel.writestr(file, text)


def without_network():
    """What stands before a command so that it has no network: a namespace of its own; where the system allows none, a
    way out that leads nowhere."""
    apart = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True).returncode:
        return ["env", *(f"{name}=http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "all_proxy"))]
    return apart


def test_the_stick_holds_wheels_and_lessons_and_no_solutions(stick):
    assert {path.name for path in stick.iterdir()} == {"README.txt", "notebooks", "wheels"}
    assert {path.suffix for path in (stick / "wheels").iterdir()} == {".whl"}
    lessons = sorted(path.name for path in (stick / "notebooks").iterdir())
    assert lessons == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_vizkit_is_installed_from_it_and_runs_where_there_is_no_network(stick, tmp_path):
    words = (stick / "README.txt").read_text()
    install = re.findall(r"^(?:python3 -m venv|~/vizkit/bin/pip) .*$", words, re.MULTILINE)
    first = nbformat.read(stick / "notebooks" / "00_explore.ipynb", as_version=4)
    first.cells = first.cells[:4]  # the set-up cell and the Explorer
    nbformat.write(first, tmp_path / "first.ipynb")
    (tmp_path / "runs.py").write_text(FIRST)
    kernel = "--KernelManager.transport=ipc"  # without a network there is not even a loopback
    execute = f"~/vizkit/bin/jupyter nbconvert --to notebook --execute --output done {kernel} first.ipynb"
    lines = ["set -e", *install, f"cd '{tmp_path}'", "~/vizkit/bin/python runs.py", execute]
    path = f"{sys.prefix}/bin:{os.environ['PATH']}"
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": "", "PATH": path, "PIP_NO_COMPILE": "1"}
    environment.pop("VIRTUAL_ENV", None)
    command = [*without_network(), "bash", "-c", "\n".join(lines)]
    assert len(install) == 2
    done = subprocess.run(command, cwd=stick, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "flamingo.png").exists()
    explorer = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[2]
    assert "image/png" in explorer.outputs[0].data


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("")
    command = [sys.executable, str(ROOT / ".ci" / "stick.py"), str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (1, f"{tmp_path} is not empty.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
