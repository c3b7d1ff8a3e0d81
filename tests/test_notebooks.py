"""Every notebook, from its first cell to its last, in a real kernel."""

import os
import re

import measured
import nbformat
import pytest
from nbclient import NotebookClient
from repository import ROOT

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LIMIT = 3600  # seconds a cell, against hanging only


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", LESSONS, ids=lambda path: path.stem)
def test_run_all_passes(notebook, tmp_path):
    document = nbformat.read(notebook, as_version=4)
    limits = {"timeout": LIMIT, "startup_timeout": LIMIT, "iopub_timeout": LIMIT}
    NotebookClient(document, **limits, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(o.get("text", "") for c in document.cells for o in c.get("outputs", []))
    if notebook.stem.startswith("06") and ("This lesson uses Dataset(Fashion-MNIST" in said or os.environ.get("CI")):
        accuracy = float(re.search(r"([\d.]+)% of 10000 pictures", said)[1])  # on the real data: CI has it
        measured.note(f"lesson 6: {accuracy}% of Fashion-MNIST's test pictures")
        assert accuracy >= 90
    errors = [o.text for c in document.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert not [text for text in errors if "Warning" in text or "Error" in text]
