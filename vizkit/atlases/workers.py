"""What a worker does: it is told once what is to be made, and from then on makes classes by their indices."""

import ctypes
import io
import json
import os
import platform
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import cloudpickle
import numpy as np
import torch

from ..ascent import ascend
from ..errors import VizkitError
from ..judging import second_opinion
from ..networks import Classifier, as_device
from ..recipes import Recipe
from ..saved import to_png
from .folder import TOLD, Entry

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as glibc's mallopt numbers them
Batch = tuple[int, ...]
Made = tuple[Entry, bytes]  # with the PNG file; of a failure there is none


@dataclass(frozen=True)
class Job:
    """What an atlas is made with; `identity` tells it from another."""

    net: Classifier
    recipe: Recipe
    seed: int
    judge: Classifier | None
    identity: Mapping[str, Any]

    def packed(self) -> bytes:
        """All of it, for another process; people's own modules and functions with their code."""
        stream = io.BytesIO()
        try:
            torch.save(self, stream, pickle_module=cloudpickle)
        except Exception as error:  # whatever the modules of people raise
            remedy = "Of TorchScript, pass the module that it was made of; of parametrized weights, plain ones"
            what = f"{self.net.name} cannot be sent to another process. {remedy} (remove_parametrizations). It said"
            raise VizkitError(f"{what}: {error}"[:500]) from error
        return stream.getvalue()


def end_with(parent: int) -> None:
    """The first thing that a local process does. If its parent is killed, it would wait for it forever, with all that
    it holds."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def keep_memory() -> None:
    """glibc keeps what a step has freed for the next one, which takes it again. Otherwise, above all as Dask has it, a
    step takes up to 2.5 times as long. Elsewhere it does nothing."""
    with suppress(OSError, AttributeError):
        for which, size in ((TRIM_THRESHOLD, 2**31 - 1), (MMAP_THRESHOLD, 2**25)):
            ctypes.CDLL("libc.so.6").mallopt(which, size)


def unpacked(content: bytes, device: str) -> Job:
    """The job, its networks on this machine's own device of that kind."""
    place = as_device(device)
    keep_memory()
    try:
        job: Job = torch.load(io.BytesIO(content), map_location=place, weights_only=False)
    except (ImportError, AttributeError) as error:
        raise VizkitError(f"A worker lacks what this takes: {error}. Install there what is here.") from error
    for net in (net for net in (job.net, job.judge) if net):
        net.device = place
    return job


@lru_cache(maxsize=1)
def held(key: str) -> list[Job]:
    """Where a worker keeps the job of that key, once it has been told: an empty list before."""
    return []


def make(key: str, packed: bytes | None, device: str, batch: Batch) -> tuple[str, list[Made] | None]:
    """The worker's name, and the class models of a batch; None where it has not been told the job, now or before."""
    job = held(key)
    if packed:
        job[:] = [unpacked(packed, device)]
    return f"{platform.node()} {os.getpid()}", class_models(job[0], batch) if job else None


def class_models(job: Job, batch: Batch) -> list[Made]:
    """The class models of a batch, which grow at once; where that fails, each is made alone."""
    net, labels, began = job.net, [job.net.labels[index] for index in batch], time.perf_counter()
    opinions: list[dict[str, Any]] = [{}] * len(batch)
    try:
        ascent = ascend(net, batch, recipe=job.recipe, seed=job.seed)
        ascent.quiet = True
        pictures, last, run = ascent.run().pictures, ascent.history[-1], ascent.record(facts={})
        if job.judge:
            # An index where it means the same to both: a label may stand for several classes.
            asked = second_opinion(pictures, batch if job.judge.labels == net.labels else labels, job.judge)
            opinions = [{"opinion": one.probability, "rank": one.rank, "seen": one.seen} for one in asked]
    except Exception as error:  # whatever people's own regularizers and networks raise
        if len(batch) > 1:
            return [made for index in batch for made in class_models(job, (index,))]
        why = str(error) if isinstance(error, VizkitError) else f"{type(error).__name__}: {error}"
        return [(Entry(batch[0], labels[0], failure=why), b"")]
    told = np.linspace(0, ascent.step, min(ascent.step, 64) + 1).round().astype(int)
    took, made = round((time.perf_counter() - began) / len(batch), 3), []
    for at, (index, label) in enumerate(zip(batch, labels, strict=True)):
        rival, curve = net.labels[last.rivals[at]], ascent.scores[told, at].round(2).tolist()
        entry = Entry(index, label, last.scores[at], last.probabilities[at], rival, took, ascent.step, curve)
        entry = replace(entry, **opinions[at])
        facts = {**job.identity["facts"], "classes": [label], "threads": torch.get_num_threads()}
        texts = {TOLD: json.dumps([asdict(entry), dict(job.identity)])}
        made.append((entry, to_png(pictures[at], replace(run, targets=[run.targets[at]], facts=facts), texts)))
    return made
