"""A line that counts the steps of a long job, over and over itself."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def counted(job: Any, describe: Callable[[Any], str], steps: Iterable[Any] | None = None) -> Iterator[Any]:
    """The steps of a job, which knows its `step` and its `steps`, as they are, or those of `steps`; with a line about
    them twice a second."""
    began, first, told = time.perf_counter(), job.step, 0.0
    try:
        for step in job if steps is None else steps:
            now, done = time.perf_counter(), job.step
            if now - told > 0.5 or done == job.steps:
                told, left = now, (now - began) / max(done - first, 1) * (job.steps - done)
                sys.stdout.write(f"\rstep {done} of {job.steps}, {describe(step)}, {left:.0f} s left ")
                sys.stdout.flush()
            yield step
    finally:
        sys.stdout.write("\n")
