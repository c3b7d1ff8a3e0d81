"""The other pages and kernels of the same family: Notebook 7, JupyterLab with its other settings, ipykernel 6."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from browsers import ExplorerPage, Lab, Notebook7, chromium_page, jupyter, walk, with_cells

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "00_explore.ipynb"
SETUP, EXPLORER, LAST = 1, 2, 5  # the cells of the notebook


def set_comms_over_subshells(folder, choice):
    """Chooses how JupyterLab sends widgets' messages, as its settings page would."""
    settings = folder / ".jupyter" / "@jupyterlab" / "apputils-extension" / "kernels-settings.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"commsOverSubshells": choice}))


def ipykernel_6(folder):
    """A folder with the last ipykernel 6, for PYTHONPATH."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), "ipykernel<7"]
    subprocess.run([*command, "nest-asyncio"], check=True)
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "comms", "kernel"),
    [(Notebook7, "perCommTarget", "7"), (Lab, "perComm", "7"), (Lab, "disabled", "7"), (Lab, "perCommTarget", "6")],
    ids=["notebook-7", "lab-perComm", "lab-disabled", "lab-ipykernel-6"],
)
def test_the_explorer_works_from_the_first_letter_to_the_interrupt(kind, comms, kernel, tmp_path, request):
    name = with_cells(NOTEBOOK, tmp_path, "import ipykernel\nprint(ipykernel.__version__)")
    set_comms_over_subshells(tmp_path, comms)
    environment = {"PYTHONPATH": ipykernel_6(tmp_path / "ipykernel-6")} if kernel == "6" else {}
    application = "lab" if kind is Lab else "notebook"
    with jupyter(tmp_path, application, environment=environment) as address, chromium_page() as page:
        notebook = kind(page, address, name)
        assert notebook.comms_over_subshells == comms
        notebook.run_cell(LAST + 1)
        assert notebook.output(LAST + 1).startswith(f"{kernel}.")
        notebook.run_cell(SETUP)
        notebook.run_cell(EXPLORER)
        explorer = ExplorerPage(notebook)
        walk(explorer, request.node.callspec.id)
        explorer.measure(request.node.callspec.id)
        explorer.button("Start").click()
        explorer.wait_for_line("step")
        explorer.interrupt()
        assert notebook.errors == []
