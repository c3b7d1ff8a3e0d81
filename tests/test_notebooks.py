"""Every notebook, from its first cell to its last, in a real kernel."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.glob("*.ipynb"))
LIMIT = 240  # seconds a cell


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_passes(notebook, tmp_path):
    document = nbformat.read(notebook, as_version=4)
    NotebookClient(document, timeout=LIMIT, resources={"metadata": {"path": str(tmp_path)}}).execute()
    errors = [o.text for c in document.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert not [text for text in errors if "Warning" in text or "Error" in text]
