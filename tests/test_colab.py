"""What Colab has installed stays as it is, and where the notebooks point."""

import json
import re
import runpy
import shutil
import subprocess
from importlib.metadata import requires
from pathlib import Path

import hub_cache
import nbformat
import pytest
from colab_stack import colab, pins, pip_install, python_version, source, stack, weights_packages
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from repository import ADDRESS, NOTEBOOKS, PROJECT, ROOT

README = (ROOT / "README.md").read_text()


def installed_or_changed(requirements):
    """What pip would bring to Colab: whatever is not there, or there in another version."""
    there, found = pins(), []
    for requirement in map(Requirement, requirements):
        version = there.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(requirement.name)
    return found


def test_nothing_on_colab_is_replaced_and_only_loky_and_the_weights_are_added():
    added = installed_or_changed(PROJECT["dependencies"])
    assert added == ["loky", *weights_packages()]
    further = [one for name in added for one in requires(name) or [] if "extra ==" not in one]
    assert installed_or_changed(further) == []
    assert python_version() in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("requirement", ["torch>=2.12", "ipywidgets>=8", "numpy<2", "not-there"])
def test_a_requirement_that_would_change_colab_is_found(requirement):
    assert installed_or_changed([requirement]) == [Requirement(requirement).name]


@pytest.mark.install
def test_pip_itself_adds_vizkit_alone_to_colabs_packages(tmp_path):
    """Those and loky are there already, linked from the tests' own environment."""
    report = tmp_path / "report.json"
    pip_install(stack(), "--dry-run", "--report", str(report), str(source()))
    added = [package["metadata"]["name"] for package in json.loads(report.read_text())["install"]]
    assert added == [PROJECT["name"]]


def colab_kernel(tmp_path, monkeypatch):
    """Makes known a kernel, "colab", with Colab's packages."""
    kernel = tmp_path / "kernels" / "colab"
    kernel.mkdir(parents=True)
    command = [stack(), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Colab", "language": "python", "env": colab(tmp_path / "ipython", ADDRESS)}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))


@pytest.mark.notebook
@pytest.mark.parametrize("lesson", sorted((ROOT / "notebooks").glob("0[1-9]*.ipynb")), ids=lambda path: path.stem)
def test_run_all_passes_with_colabs_packages(lesson, tmp_path, monkeypatch):
    """From the set-up cell on, which installs vizkit there. Its first and its last notebook are run in the browser."""
    colab_kernel(tmp_path, monkeypatch)
    document = nbformat.read(lesson, as_version=4)
    where = nbformat.v4.new_code_cell("import ipywidgets\nprint(ipywidgets.__version__, vizkit.__file__)")
    document.cells.append(where)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(document, kernel_name="colab", timeout=3600, startup_timeout=3600, resources=resources).execute()
    assert where.outputs[0].text.startswith("7.7.1 ")
    assert ".venv-colab" in where.outputs[0].text


@pytest.mark.notebook
@pytest.mark.parametrize("kernel", ["python3", "colab"])
def test_networks_by_their_names_load_as_the_readme_writes_it(kernel, tmp_path, monkeypatch):
    """With timm and transformers in JupyterLab's environment, and as Colab pins them; the weights lie in the caches."""
    if kernel == "colab":
        colab_kernel(tmp_path, monkeypatch)
    for name, folder in (("HF_HOME", "hf"), ("TORCH_HOME", "torch")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    hub_cache.put_timm(tmp_path / "hf")
    hub_cache.put_transformers(tmp_path / "hf")
    hub_cache.put_torchvision(tmp_path / "torch")
    lines = next(one for one in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "timm/" in one)
    setup = runpy.run_path(str(ROOT / ".ci" / "repository.py"))["SETUP"].format(address=ADDRESS)
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in (setup, lines, VERSIONS)])
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(document, kernel_name=kernel, timeout=600, startup_timeout=600, resources=resources).execute()
    timm, transformers, net, saved = document.cells[-1].outputs[0].text.split("\n")[:4]
    if kernel == "colab":
        assert (timm, transformers) == (pins()["timm"], pins()["transformers"])
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


@pytest.mark.install
def test_a_set_up_cell_whose_address_leads_nowhere_says_what_to_do(tmp_path, monkeypatch):
    """As in a copy whose owner has not said where it lives."""
    colab_kernel(tmp_path, monkeypatch)
    kernel = tmp_path / "kernels" / "colab" / "kernel.json"
    spec = json.loads(kernel.read_text())
    spec["env"]["GIT_CONFIG_VALUE_0"] = "https://nowhere.invalid"  # or git would find this copy there
    spec["env"] |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file"}  # nothing is asked for outside
    kernel.write_text(json.dumps(spec))
    document = nbformat.read(ROOT / "notebooks" / "00_explore.ipynb", as_version=4)
    document.cells = document.cells[:2]
    client = NotebookClient(document, kernel_name="colab", timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(CellExecutionError, match=r"No vizkit there\. Whoever hands this out runs \.ci/repository\.py"):
        client.execute()


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
