"""What Colab has installed stays as it is, and where the notebooks point."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from pathlib import Path

import hub_cache
import nbformat
import pytest
from colab_stack import (
    FOLDERS,
    NEWEST,
    OLDEST,
    TAG,
    colab,
    pins,
    pip_install,
    python_version,
    source,
    stack,
    weights_packages,
    wheel,
)
from execution import execute
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from repository import ADDRESS, NOTEBOOKS, PROJECT, ROOT

README = (ROOT / "README.md").read_text()


RUNTIMES = [pytest.param(NEWEST, id="newest"), pytest.param(OLDEST, id="oldest")]
LESSONS = sorted((ROOT / "notebooks").glob("0[1-9]*.ipynb"))
# Enough for the oldest runtime: they train, save and load, look inside, and draw. Most of what the others use the tests
# of the engine and of the atlas, below, run there as well.
SHORT = ("01", "03", "06", "08")
ALL_STEPS = ("01", "07")  # which check for themselves what comes of them


def installed_or_changed(requirements, runtime=NEWEST):
    """What pip would bring to Colab: whatever is not there, or there in another version."""
    there, found = pins(runtime), []
    for requirement in map(Requirement, requirements):
        version = there.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(requirement.name)
    return found


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_on_colab_is_replaced_and_only_loky_and_the_weights_are_added(runtime):
    added = installed_or_changed(PROJECT["dependencies"], runtime)
    unknown = ["anywidget"] if runtime == OLDEST else []  # the list does not know whether it was there
    assert added == ["loky", *unknown, *weights_packages()]
    further = [one for name in added for one in requires(name) or [] if "extra ==" not in one]
    assert set(installed_or_changed(further, runtime)) <= {"psygnal", *unknown}
    assert python_version(runtime) in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("requirement", ["torch>=2.12", "ipywidgets>=8", "numpy<2", "not-there"])
def test_a_requirement_that_would_change_colab_is_found(requirement):
    assert installed_or_changed([requirement]) == [Requirement(requirement).name]


@pytest.mark.install
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pip_itself_adds_vizkit_alone_to_colabs_packages(runtime, tmp_path):
    """Those and loky are there already, linked from the tests' own environment."""
    report = tmp_path / "report.json"
    pip_install(stack(runtime), "--dry-run", "--report", str(report), str(source()))
    added = {package["metadata"]["name"] for package in json.loads(report.read_text())["install"]}
    assert added - {"anywidget", "psygnal"} == {PROJECT["name"]}
    assert runtime == OLDEST or added == {PROJECT["name"]}


def colab_kernel(tmp_path, monkeypatch, runtime=NEWEST, **changes):
    """Makes known a kernel, "colab", with Colab's packages; `changes` go into its variables."""
    kernel = tmp_path / "kernels" / "colab"
    kernel.mkdir(parents=True)
    command = [stack(runtime), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    variables = colab(tmp_path / "ipython", ADDRESS) | changes
    spec = {"argv": command, "display_name": "Colab", "language": "python", "env": variables}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("lesson", "runtime"),
    [pytest.param(lesson, NEWEST, id=lesson.stem) for lesson in LESSONS]
    + [pytest.param(lesson, OLDEST, id=f"{lesson.stem}-oldest") for lesson in LESSONS if lesson.name.startswith(SHORT)],
)
def test_run_all_passes_with_colabs_packages(lesson, runtime, tmp_path, monkeypatch):
    """From the set-up cell on, which installs vizkit there. Its first and its last notebook are run in the browser. In
    fewer steps: other versions change whether a cell runs; what one sees in all of them, test_notebooks.py tells."""
    colab_kernel(tmp_path, monkeypatch, runtime)
    document = nbformat.read(lesson, as_version=4)
    fewer, where = nbformat.v4.new_code_cell(FEWER), nbformat.v4.new_code_cell(WHERE)
    document.cells[2:2] = [] if lesson.name.startswith(ALL_STEPS) else [fewer]
    document.cells.append(where)
    execute(document, tmp_path, "colab")
    widgets, torch, place = where.outputs[0].text.splitlines()
    assert widgets == "7.7.1"
    assert place.startswith(f"{FOLDERS[runtime]}/")
    assert runtime == NEWEST or torch.startswith(pins(OLDEST)["torch"])


FEWER = """
import functools
import vizkit

def but_few(made):
    def make(self, *how, **more):
        made(self, *how, **more)
        self.steps = min(self.steps, 8)
    return make

vizkit.atlas = functools.partial(vizkit.atlas, steps=8)
vizkit.Ascent.__init__, vizkit.Training.__init__ = map(but_few, (vizkit.Ascent.__init__, vizkit.Training.__init__))
"""
WHERE = """
import ipywidgets, torch, vizkit
print(ipywidgets.__version__, torch.__version__, vizkit.__file__, sep="\\n")
"""
STRICTER = (  # newer versions of torch refuse to give an exported program a batch or a size that it was not made for
    "test_a_kind_of_module_that_is_told_what_to_pass[exported with a batch of one]",
    "test_a_kind_of_module_that_is_told_what_to_pass[exported with a batch of two]",
    "test_a_kind_of_module_that_is_told_what_to_pass[exported for another size]",
    "test_a_module_of_one_size_gets_images_of_that_size",
)
ENGINE = ("ascent", "regularizers", "saved", "recipes", "classifiers", "images", "figures", "module_kinds", "atlas")


@pytest.mark.install
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="The oldest numpy that is allowed knows no newer Python.")
def test_the_engine_runs_with_the_oldest_of_everything_that_pyproject_allows(tmp_path):
    """Its own fast tests, with torch and torchvision of Colab's oldest runtime and the lower bounds of all others."""
    python, needs = stack(OLDEST), [Requirement(one) for one in PROJECT["dependencies"]]
    bounds = {need.name: next(iter(need.specifier)).version for need in needs}
    there = {"torch", "torchvision", *weights_packages()}
    older = [f"{name}=={bound}" for name, bound in bounds.items() if name not in there]
    pip_install(python, "--no-deps", "--target", str(tmp_path), *older)
    pip_install(python, "pytest", "playwright", "scipy", "psygnal")  # what the tests need, and anywidget
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    asked = subprocess.run([python, "-c", INSTALLED, *bounds], env=environment, capture_output=True, text=True)
    found = [Version(version).public for version in asked.stdout.split()]
    assert list(map(Version, found)) == list(map(Version, bounds.values()))
    options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", "-m", "not slow"]
    options += [f"--deselect=tests/test_module_kinds.py::{test}" for test in STRICTER]
    command = [python, "-m", "pytest", *options, *(f"tests/test_{name}.py" for name in ENGINE)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


INSTALLED = """
import importlib.metadata, sys
print(*map(importlib.metadata.version, sys.argv[1:]))
"""


@pytest.mark.notebook
@pytest.mark.parametrize("runtime", [None, *RUNTIMES], ids=["lab", "newest", "oldest"])
def test_networks_by_their_names_load_as_the_readme_writes_it(runtime, tmp_path, monkeypatch):
    """With timm and transformers in JupyterLab's environment, and as Colab pins them; the weights lie in the caches."""
    if runtime:
        colab_kernel(tmp_path, monkeypatch, runtime)
    for name, folder in (("HF_HOME", "hf"), ("TORCH_HOME", "torch")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    hub_cache.put_timm(tmp_path / "hf")
    hub_cache.put_transformers(tmp_path / "hf")
    hub_cache.put_torchvision(tmp_path / "torch")
    lines = next(one for one in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "timm/" in one)
    setup = runpy.run_path(str(ROOT / ".ci" / "repository.py"))["SETUP"].format(address=ADDRESS)
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in (setup, lines, VERSIONS)])
    execute(document, tmp_path, "colab" if runtime else "python3")
    timm, transformers, net, saved = document.cells[-1].outputs[0].text.split("\n")[:4]
    if runtime:
        assert (timm, transformers) == (pins(runtime)["timm"], pins(runtime)["transformers"])
    assert net == "Classifier('ResNet, layer layer3', 256 classes, 3 × 224 × 224)"
    assert saved == "True"


VERSIONS = """
import pathlib, transformers
print(timm.__version__, transformers.__version__, inside, pathlib.Path("channel 4.png").exists(), sep="\\n")
"""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_badge_and_set_up_cell_are_right(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    link = f"https://colab.research.google.com/github/{ADDRESS.removeprefix('https://github.com/')}/blob/main/"
    badges = re.findall(r"\[!\[Open In Colab\]\([^)]*\)\]\(([^)]*)\)", cells[0].source)
    place = notebook.relative_to(ROOT).as_posix()
    assert badges == ([] if "exercises" in place else [link + place]), "to put it right: python .ci/repository.py"
    setup = next(cell.source for cell in cells if cell.cell_type == "code")
    assert setup == runpy.run_path(str(ROOT / ".ci" / "repository.py"))["SETUP"].format(address=ADDRESS)
    assert len(re.findall("github.com/", setup)) == 1


def test_the_address_of_the_repository_stands_in_one_place():
    """Everything else that names it is rewritten from there, by the command below; no other file names it."""
    found = subprocess.run(["git", "grep", "-lF", ADDRESS.removeprefix("https://")], cwd=ROOT, capture_output=True)
    named = {name for name in found.stdout.decode().split() if not name.endswith(".ipynb")}
    assert named <= {"pyproject.toml", "README.md"}


def test_no_text_leads_to_the_account_of_somebody_else():
    """Who owns that account could put code there, and every student's Colab would run it."""
    found = subprocess.run(
        ["git", "grep", "-niE", r"github(\.com)?/[v]izkit"], cwd=ROOT, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (1, "")
    owner = ADDRESS.split("/")[3]
    assert not owner.startswith("put-the-name") or len(owner) > 39  # the longest name that GitHub gives


def test_one_command_rewrites_everything_for_a_fork_and_back(tmp_path):
    for name in ("notebooks", ".ci"):
        shutil.copytree(ROOT / name, tmp_path / name)
    texts = [Path("pyproject.toml"), Path("README.md"), *(path.relative_to(ROOT) for path in NOTEBOOKS)]
    for text in texts[:2]:
        shutil.copy(ROOT / text, tmp_path)
    rewrite = runpy.run_path(str(ROOT / ".ci" / "repository.py"))["main"]
    rewrite(tmp_path, "https://github.com/some-one/class.models")
    for text in texts:
        after = (tmp_path / text).read_text()
        assert ADDRESS.removeprefix("https://github.com") + "/" not in after, text
        assert ADDRESS not in after, text
        assert "some-one/class.models" in after, text
        assert f"//{ADDRESS.split('/')[3]}.github.io" not in after, text  # where the handouts are published
    rewrite(tmp_path, ADDRESS)
    for text in texts:
        assert (tmp_path / text).read_text() == (ROOT / text).read_text(), text


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("https://github.com/some-one/class.models.git", "https://github.com/some-one/class.models"),
        ("git@github.com:some-one/vizkit.git", "https://github.com/some-one/vizkit"),
        ("https://github.com/some-one/vizkit/", "https://github.com/some-one/vizkit"),
        ("/a/folder/of/somebody", ADDRESS),
        ("https://elsewhere.org/some-one/vizkit", ADDRESS),
        ("", ADDRESS),
    ],
)
def test_without_an_address_it_is_where_git_says_that_the_copy_comes_from(origin, address, tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("pictures", "atlas*"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["git", "-C", tmp_path, "init", "-q"], check=True)
    if origin:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", origin], check=True)
    runpy.run_path(str(ROOT / ".ci" / "repository.py"))["main"](tmp_path)
    assert f'Repository = "{address}"' in (tmp_path / "pyproject.toml").read_text()
    assert f"git+{address}\n" in nbformat.read(tmp_path / "notebooks" / "00_explore.ipynb", 4).cells[1].source


def set_up(tmp_path, tag="main"):
    """Runs the set-up cell of the first notebook, as .ci/repository.py writes it, and says what pip has noted."""
    place = "notebooks/00_explore.ipynb"
    in_line = runpy.run_path(str(ROOT / ".ci" / "repository.py"))["in_line"]
    document = nbformat.reads(in_line((ROOT / place).read_text(), place, ADDRESS, tag), as_version=4)
    noted = nbformat.v4.new_code_cell(NOTED)
    document.cells = [*document.cells[:2], noted]
    execute(document, tmp_path, "colab")
    return json.loads(noted.outputs[0].text)


NOTED = """
import importlib.metadata, vizkit
print(importlib.metadata.distribution("vizkit-notebooks").read_text("direct_url.json"))
"""
NOWHERE = {  # a git that finds nothing, and asks nobody
    "GIT_CONFIG_VALUE_0": "https://nowhere.invalid",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file",
}


@pytest.mark.install
def test_a_set_up_cell_installs_the_version_that_it_is_pinned_to(tmp_path, monkeypatch):
    """And not the newest, as those of the lessons do, above."""
    colab_kernel(tmp_path, monkeypatch)
    noted = set_up(tmp_path, TAG)["vcs_info"]
    asked = ["git", "-C", str(source()), "rev-parse", TAG, "HEAD"]
    tagged, newest = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert noted["commit_id"] == tagged != newest


@pytest.mark.install
@pytest.mark.parametrize("place", ["colab", "laptop"])
def test_a_set_up_cell_takes_the_wheel_that_lies_beside_the_notebook(place, tmp_path, monkeypatch):
    """Without git, and wherever vizkit is missing."""
    changes = NOWHERE | ({} if place == "colab" else {"IPYTHONDIR": str(tmp_path / "as it comes")})
    colab_kernel(tmp_path, monkeypatch, **changes)
    shutil.copy(wheel(), tmp_path)
    assert set_up(tmp_path)["url"] == (tmp_path / wheel().name).as_uri()


@pytest.mark.install
def test_a_set_up_cell_whose_address_leads_nowhere_says_what_to_do(tmp_path, monkeypatch):
    """As in a copy whose owner has not said where it lives."""
    colab_kernel(tmp_path, monkeypatch, **NOWHERE)
    with pytest.raises(CellExecutionError, match=r"No vizkit there\. Whoever hands this out runs \.ci/repository\.py"):
        set_up(tmp_path)


@pytest.mark.install
def test_the_wheel_holds_every_file_of_the_package():
    """Weights, style sheets and pages, too: what pyproject.toml does not name is left out without a word."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "vizkit"]
    there = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    packed = [name for name in zipfile.ZipFile(wheel()).namelist() if name.startswith("vizkit/")]
    assert sorted(packed) == sorted(name for name in there if name and (ROOT / name).exists())


def test_a_course_can_be_pinned_to_a_tag_and_stays_so_until_it_is_let_go(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("pictures", "atlas*"))
    texts = [Path("pyproject.toml"), Path("README.md"), Path("notebooks/00_explore.ipynb")]
    for text in texts[:2]:
        shutil.copy(ROOT / text, tmp_path)
    before = [(tmp_path / text).read_text() for text in texts]
    rewrite = runpy.run_path(str(ROOT / ".ci" / "repository.py"))["main"]
    rewrite(tmp_path, "https://github.com/some-one/course", "v0.2.0")
    rewrite(tmp_path)  # after a new notebook, say
    cells = nbformat.read(tmp_path / texts[2], 4).cells
    assert "github/some-one/course/blob/v0.2.0/notebooks/00_explore.ipynb" in cells[0].source
    assert "git+https://github.com/some-one/course@v0.2.0\n" in cells[1].source
    assert "/blob/main/" not in (tmp_path / "README.md").read_text()
    rewrite(tmp_path, ADDRESS, "main")
    assert [(tmp_path / text).read_text() for text in texts] == before


def test_a_wrong_address_is_refused():
    with pytest.raises(SystemExit, match=r"https://github\.com/owner/name"):
        runpy.run_path(str(ROOT / ".ci" / "repository.py"))["main"](ROOT, "github.com/owner")
