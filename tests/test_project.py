"""The project as a newcomer meets it: README, environment, packaging, notebooks as they are stored."""

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
import yaml
from browsers import LIMIT, wait_for_server
from repository import NOTEBOOKS, PROJECT, ROOT

import vizkit

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
NEWER = {"tomllib", "compression", "annotationlib"}  # what the standard library got after Python 3.10


# The one of networks by their names needs the caches of other libraries: `test_colab` runs it in kernels of its own.
@pytest.mark.parametrize(
    "snippet", [one for one in SNIPPETS if "timm/" not in one], ids=lambda snippet: snippet.splitlines()[-1][:40]
)
def test_the_python_of_the_readme_runs(snippet, tmp_path, monkeypatch):
    """Each by itself: with no name but its own, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {"__name__": "__main__"})


@pytest.mark.install
def test_the_first_command_of_the_readme_serves_the_first_notebook(tmp_path):
    command = COMMANDS[0].strip()
    if Path(sys.prefix) != ROOT / ".venv":  # another environment runs the tests: it stands in for the one just made
        command = command.split("&& ")[-1].replace(".venv/bin/jupyter", f"{sys.executable} -m jupyter")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = {"open_browser": False, "allow_root": True, "port": port}
    (tmp_path / "jupyter_lab_config.json").write_text(
        json.dumps({"ServerApp": server, "IdentityProvider": {"token": ""}})
    )
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path), "PIP_QUIET": "1"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=ROOT, env=environment, start_new_session=True, stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}/api"
        wait_for_server(address, process, tmp_path / "log")
        places = ("00_explore.ipynb", "notebooks/00_explore.ipynb")  # as the server takes its root
        answers = [exists(f"{address}/contents/{place}?content=0") for place in places]
        assert any(answers), (tmp_path / "log").read_text()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(LIMIT)


def exists(page):
    try:
        return urllib.request.urlopen(page, timeout=LIMIT).status == 200
    except urllib.error.HTTPError:
        return False


def test_continuous_integration_runs_the_second_command_of_the_readme():
    assert COMMANDS[1].strip() == next(line for line in README.splitlines() if line.endswith("pytest"))
    assert "grep -m1 'pytest$' README.md" in (ROOT / ".ci" / "run").read_text()


def test_every_link_into_the_repository_leads_somewhere():
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text()):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / target).exists(), target


def test_one_cites_the_version_that_is_here_and_contributes_by_commands_that_run():
    assert f"version: {vizkit.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert f"`{COMMANDS[1].strip()}`" in contributing
    assert '`.venv/bin/pytest -m "not slow"`' in README
    assert '`.venv/bin/pytest -m "not slow"`' in contributing


CONDA = {"torch": "pytorch", "dask[distributed]": "dask"}  # what conda-forge calls otherwise
ONLY_ON_PYPI = ("loky", "efficientnet", "axe-playwright", "playwright")


def test_the_conda_environment_holds_the_same_set_as_pyproject():
    extras = PROJECT["optional-dependencies"]
    wanted = PROJECT["dependencies"] + [r for name in ("lab", "cluster", "test") for r in extras[name]]
    wanted = [requirement for requirement in wanted if not requirement.startswith("vizkit-notebooks")]
    python, pip, *listed, rest = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert (python, pip) == (f"python{PROJECT['requires-python']}", "pip")
    named = {requirement: re.split("[>=]", requirement)[0] for requirement in wanted}
    by_conda = {r.replace(name, CONDA.get(name, name)) for r, name in named.items() if not r.startswith(ONLY_ON_PYPI)}
    assert sorted(listed) == sorted(by_conda)
    assert sorted(rest["pip"]) == sorted(r for r in wanted if r.startswith(ONLY_ON_PYPI))


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_is_here_and_may_do_no_more_than_it_needs(workflow):
    """What actionlint, which is run by hand, does not see."""
    said = yaml.safe_load(workflow.read_text())
    assert said["permissions"] == {"contents": "read"}
    steps = [step for job in said["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    commands = [step["run"] for step in steps if "run" in step]
    for file in re.findall(r"\.ci/[\w.]+", "\n".join(commands)):
        assert (ROOT / file).exists(), file
    if workflow.stem == "tests":
        assert os.access(ROOT / ".ci" / "run", os.X_OK)
        assert ".ci/run" in commands
        assert 'python -m pytest -m "not slow"' in commands


def test_every_file_is_python_of_the_oldest_version_that_pyproject_names():
    """What older Pythons cannot read, or do not have; ruff and mypy look closer, with the same version."""
    oldest = tuple(map(int, re.findall(r"\d+", PROJECT["requires-python"])))
    files = [path for folder in ("vizkit", "tests", ".ci") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 50
    for path in files:
        tree = ast.parse(path.read_text(), path, feature_version=oldest)
        certain = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]  # not behind a try
        modules = {alias.name for node in certain for alias in node.names} | {vars(n).get("module") for n in certain}
        assert not modules & NEWER, path


def test_no_text_names_the_package_of_somebody_else():
    texts = subprocess.run(
        ["git", "grep", "-nIE", r"pip install (-[^ ]+ )*vizkit( |$|\"|`)"], cwd=ROOT, capture_output=True
    )
    assert texts.stdout == b""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_clean(notebook):
    document = nbformat.read(notebook, as_version=4)
    nbformat.validate(document)
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(len(cell.source.splitlines()) <= 30 for cell in code)
