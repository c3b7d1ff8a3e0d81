"""The project as a newcomer meets it: README, environment, packaging, notebooks as they are stored."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
import tomllib

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
COMMANDS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.splitlines()[-1][:40])
def test_the_python_of_the_readme_runs(snippet, tmp_path):
    result = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


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
    process = subprocess.Popen(["bash", "-c", command], cwd=ROOT, env=environment, start_new_session=True)
    try:
        page = f"http://127.0.0.1:{port}/api/contents/00_explore.ipynb?content=0"
        answer = ""
        for _ in range(1200):
            try:
                with urllib.request.urlopen(page, timeout=5) as response:
                    answer = json.load(response)["path"]
                break
            except urllib.error.HTTPError:
                page = page.replace("contents/00", "contents/notebooks/00")
            except OSError:
                assert process.poll() is None, "the command ended before it served anything"
                time.sleep(0.25)
        assert answer.endswith("00_explore.ipynb")
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def test_continuous_integration_runs_the_second_command_of_the_readme():
    assert COMMANDS[1].strip() == next(line for line in README.splitlines() if line.endswith("pytest"))
    assert "grep -m1 'pytest$' README.md" in (ROOT / ".ci" / "run").read_text()


def test_every_link_into_the_repository_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_conda_environment_holds_the_same_set_as_pyproject():
    extras = PROJECT["optional-dependencies"]
    wanted = PROJECT["dependencies"] + [r for name in ("lab", "test") for r in extras[name]]
    wanted = [requirement for requirement in wanted if not requirement.startswith("vizkit-notebooks")]
    listed = re.findall(r"^      - (.*)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(wanted)
    assert f"python{PROJECT['requires-python']}" in (ROOT / "environment.yml").read_text()


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
