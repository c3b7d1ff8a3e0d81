"""Every notebook, from its first cell to its last, in a real kernel; and what a lesson says one sees, in numbers."""

import os
from pathlib import Path

import measured
import nbformat
import pytest
from execution import execute
from repository import ROOT

NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if "exercises" not in path.parts]
USED = """
import re
import time
from pathlib import Path
most = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(f"{time.process_time():.0f} CPU s, at most {int(most[1]) / 2**20:.2f} GB")
"""
CLAIM = '''
def claim(sentence, number, holds):
    """A sentence of the lesson, the number that it means, and whether that is so."""
    print(f"{sentence}: {number:.3g}")
    assert holds(number), f"{sentence}: {number}"

'''


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_passes_and_one_sees_what_is_said(notebook, tmp_path):
    document = nbformat.read(notebook, as_version=4)
    claims = ROOT / "tests" / "claims" / f"{notebook.stem}.py"
    checks = [USED] if Path("/proc/self/status").exists() else []
    checks += [CLAIM + claims.read_text(encoding="utf-8")] if claims.exists() else []
    document.cells += [nbformat.v4.new_code_cell(check) for check in checks]
    execute(document, tmp_path)
    outputs = [output for cell in document.cells for output in cell.get("outputs", [])]
    said = [text for output in outputs for text in output.get("text", "").splitlines()]
    for line in [text for cell in document.cells[-len(checks) :] for o in cell.outputs for text in o.text.splitlines()]:
        measured.note(f"{notebook.stem}: {line}")
    if notebook.stem.startswith("06") and os.environ.get("CI"):  # on the real data: CI has it
        assert any("This lesson uses Dataset(Fashion-MNIST" in line for line in said)
    errors = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not [text for text in errors if "Warning" in text or "Error" in text]
