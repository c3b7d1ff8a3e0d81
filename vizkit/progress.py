"""A line that counts the steps of a long job, over and over itself."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol


class Job(Protocol):
    """An ascent, or a training: made step by step, so many of them."""

    @property
    def step(self) -> int:
        """How many are made."""

    @property
    def steps(self) -> int:
        """How many there will be."""

    def __iter__(self) -> Iterator[Any]:
        """The steps that are left."""


def counted(job: Job, describe: Callable[[Any], str]) -> Iterator[Any]:
    """The steps of a job as they are, with a line about them twice a second."""
    began, first, told = time.perf_counter(), job.step, 0.0
    try:
        for step in job:
            now, done = time.perf_counter(), job.step
            if now - told > 0.5 or done == job.steps:
                told, left = now, (now - began) / (done - first) * (job.steps - done)
                sys.stdout.write(f"\rstep {done} of {job.steps}, {describe(step)}, {left:.0f} s left ")
                sys.stdout.flush()
            yield step
    finally:
        sys.stdout.write("\n")
