"""A notebook, run from its first cell to its last in a real kernel."""

from pathlib import Path

from nbclient import NotebookClient
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode

LIMIT = 3600  # seconds a cell, against hanging only


def execute(document: NotebookNode, folder: Path, kernel: str = "python3") -> None:
    """In that folder. What a cell prints comes in pieces, and is one output in the end."""
    limits = {"timeout": LIMIT, "startup_timeout": LIMIT, "iopub_timeout": LIMIT}
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(document, kernel_name=kernel, resources=place, **limits).execute()
    # Not while it runs: nbclient then loses its place among outputs that are updated later.
    CoalesceStreamsPreprocessor().preprocess(document, {})
