"""Many more things that the random user of `tests/test_random_user.py` does, with figures.

python tests/benchmarks/random_user.py 20000 [seed]
"""

import asyncio
import gc
import sys
import tempfile
import time
import warnings
from pathlib import Path

import ipywidgets as W
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from test_random_user import patched, use


def main(actions=2000, seed=0):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        patched(monkeypatch, Path(folder))
        widgets, began = len(W.widgets.widget._instances), time.monotonic()
        user = asyncio.run(use(actions, seed))
        for problem in user.problems:
            print(*problem, sep="\n  ")
        gc.collect()
        print(dict(user.done))
        print(
            f"seed {seed}: {user.actions} actions, {user.codes} codes run again, {len(user.problems)} problems, "
            f"slowest Stop {user.slowest_stop:.2f} s, widgets {widgets} → {len(W.widgets.widget._instances)}, "
            f"{time.monotonic() - began:.0f} s"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
