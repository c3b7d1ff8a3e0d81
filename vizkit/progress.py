"""A line that counts the steps of a long job, over and over itself."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any


def make_all(
    steps: Iterable[Any], job: Any, describe: Callable[[Any], str], progress: bool, what: str = "step"
) -> None:
    """Makes all the steps of a job, which knows its `step` and its `steps`; with `progress`, a line about them twice a
    second, which says `what` they are."""
    began, first, told = time.perf_counter(), job.step, 0.0
    try:
        for step in steps:
            now, done = time.perf_counter(), job.step
            if progress and (now - told > 0.5 or done == job.steps):
                told, left = now, (now - began) / max(done - first, 1) * (job.steps - done)
                line = f"{what} {done} of {job.steps}, {describe(step)}, {left:.0f} s left"
                sys.stdout.write(f"\r{line:60}")  # the one before may have been longer
                sys.stdout.flush()
    finally:
        if progress:
            sys.stdout.write("\n")
