"""Every class: what is left to be made is handed to workers, and what comes back is put into a folder."""

import os
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import loky
import numpy as np
from PIL import Image

from .. import saved
from ..ascent import ascend
from ..errors import VizkitError, is_whole
from ..images import Pictures
from ..judging import default_judge, judge_knows
from ..networks import as_classifier
from ..progress import make_all
from ..recipes import as_recipe
from ..settings import Settings
from . import folder as folders
from .folder import Entry
from .workers import Batch, Job, end_with, make

# Of a local process. Two with one thread each make almost twice as many pictures as one with two threads (measured);
# and loky would replace one that holds 300 MB more than before, as it does once it is told of a large network.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"}
AHEAD = 2  # batches a worker: one that it makes, and one that waits for it
STRIKES = 3  # so often a worker may die at a batch
PAGES = 15  # seconds between two pages on the way
ON_GPU = 64  # classes a batch


class Atlas(Iterator[Entry]):
    """
    >>> atlas = vizkit.atlas("shapes", folder / "atlas", ["ring", "disc"], steps=3, executor=1)
    >>> sorted(done.label for done in atlas)
    ['disc', 'ring']

    An atlas on its way: iterate it for a class at a time, in the order in which they are done, or `run()` it. Made by
    `vizkit.atlas`. `entries` has an `Entry` for each class that is done, {index: entry}; `step` of `steps` are.
    `picture(target)` is a picture, `page` the page for people, written now and then, at the end, and by `close()`.
    """

    def __init__(self, job: Job, folder: Path, targets: list[int], executor: Executor | int | None, batch: int) -> None:
        self.net, self.job, self.folder, self.page = job.net, job, folder, folder / "index.html"
        self.targets, self.steps, self.entries = targets, len(targets), folders.read(folder, job.identity)
        with folders.writing(folder):
            (folder / "pictures").mkdir(parents=True, exist_ok=True)
        self._batch, self._left = batch, deque[Batch]()
        self._packed = job.packed() if self.step < self.steps else b""
        self._key = f"{zlib.crc32(self._packed)} {len(self._packed)}"
        self.executor, self.device = executor, job.net.device.type
        self._under_way: dict[Future[Any], Batch] = {}
        self._telling: dict[Future[Any], str] = {}  # the worker for whom the job was sent along
        self._workers: set[str] = set()
        self._deaths: Counter[Batch] = Counter()
        self._done: deque[tuple[Entry, bytes]] = deque()
        self._paged = time.monotonic()

    def __repr__(self) -> str:
        return f"Atlas({self.net.name}, {self.step} of {self.steps} classes, in {self.folder})"

    @property
    def step(self) -> int:
        """How many of the classes are done."""
        return len(self.entries.keys() & set(self.targets))

    def picture(self, target: Any) -> Pictures:
        """The class model of a class that is done: uint8, (height, width, 3)."""
        return np.array(Image.open(folders.picture_path(self.folder, self.net.index(target))))

    def run(self, *, progress: bool = False) -> "Atlas":
        """All the classes that are left; `progress` prints a line that counts them, over and over itself. An interrupt
        keeps what is done; `run()` goes on from there."""
        with closing(self):
            make_all(self, self, lambda entry: entry.label, progress, "class")
        return self

    def __next__(self) -> Entry:
        while self.step < self.steps:
            if entry := self.poll():
                return entry
        self.close()
        raise StopIteration

    def poll(self, seconds: float | None = None) -> Entry | None:
        """The next class that is done; None where none is, within so many seconds."""
        if not (self._left or self._under_way or self._done):
            left = [index for index in self.targets if index not in self.entries]
            self._left += [tuple(left[at : at + self._batch]) for at in range(0, len(left), self._batch)]
        # Of those at which a worker died, one is to blame: they are made one at a time.
        room = 1 if self._deaths else AHEAD * (len(self._workers) + 1)
        while self._left and len(self._under_way) < room:
            self._send(self._left.popleft())
        for future in wait(self._under_way, 0 if self._done else seconds, FIRST_COMPLETED).done:
            self._take(future)
        if not self._done:
            return None
        entry, content = self._done[0]
        with folders.writing(self.folder):
            if content:
                saved.write_whole(folders.picture_path(self.folder, entry.index), content)
        self._done.popleft()
        self.entries[entry.index] = entry
        if time.monotonic() - self._paged > PAGES:
            self._write()
        return entry

    def close(self) -> None:
        """Ends it here; what is under way is given up, and a later run makes it. Writes table and page."""
        for future in self._under_way:
            future.cancel()
        for given_up in (self._under_way, self._telling, self._left, self._done):
            given_up.clear()
        self._write()

    def _send(self, batch: Batch, worker: str = "") -> None:
        """Hands out a batch: with the job, for a worker that was not told, and for whom it is not on its way."""
        tells = bool(worker) and worker not in self._telling.values()
        executor = self.executor if isinstance(self.executor, Executor) else local_pool(self.executor, self.device)
        try:
            with catch_warnings():
                simplefilter("ignore")  # Dask warns of what is large: it is sent once a worker
                future = executor.submit(make, self._key, self._packed if tells else None, self.device, batch)
        except RuntimeError as error:
            self._lost(batch, error)
        else:
            self._under_way[future] = batch
            self._telling |= {future: worker} if tells else {}

    def _take(self, future: Future[Any]) -> None:
        """What a worker gave back; or what became of it."""
        batch = self._under_way.pop(future)
        self._telling.pop(future, None)
        try:
            worker, made = future.result()
        except Exception as error:
            self._lost(batch, error)
        else:
            self._workers.add(worker)
            if made is None:
                self._send(batch, worker)
            else:
                self._done.extend(made)
                del self._deaths[batch]

    def _lost(self, batch: Batch, error: Exception) -> None:
        """A batch whose worker died is made by another; after a few times it is a failure."""
        broken = isinstance(self.executor, Executor) and isinstance(error, RuntimeError)  # a local pool is made anew
        if broken or isinstance(error, VizkitError):
            self._left.appendleft(batch)
            remedy = "What is there stays. Run the atlas again, with an executor that works: it goes on."
            raise VizkitError(f"The workers take no more: {error}. {remedy}") from error
        self._deaths[batch] += 1
        if self._deaths[batch] < STRIKES:
            self._left.appendleft(batch)
        else:
            why = f"Its worker died {STRIKES} times, for lack of memory perhaps: {error}"
            self._done += [(Entry(index, self.net.labels[index], failure=why), b"") for index in batch]
            del self._deaths[batch]

    def _write(self) -> None:
        net, job = self.net, self.job
        heading = {"network": net.name, "classes": len(net.labels), "side": max(net.height, net.width)}
        heading |= {"shape": f"{net.width} / {net.height}", "measured": net.measured, **job.identity["settings"]}
        self.entries = dict(sorted(self.entries.items()))
        with folders.writing(self.folder):
            folders.write(self.folder, self.entries.values(), heading)
        self._paged = time.monotonic()


def local_pool(workers: int | None, device: str) -> loky.ProcessPoolExecutor:
    """So many processes; None: one a core, or one for a GPU. A pool that broke is replaced by a new one."""
    workers = workers or (loky.cpu_count(only_physical_cores=True) if device == "cpu" else 1)
    how = {"timeout": 60, "env": ENVIRONMENT, "initializer": end_with, "initargs": (os.getpid(),)}
    return loky.get_reusable_executor(workers, **how)


def atlas(
    net: Any,
    folder: str | Path,
    targets: Any = None,
    *,
    recipe: Any = None,
    seed: int = 0,
    judge: Any = None,
    executor: Executor | int | None = None,
    batch: int | None = None,
    **settings: Any,
) -> Atlas:
    """
    >>> vizkit.atlas("shapes", folder / "shapes", steps=8, executor=1).run()
    Atlas(shapes, 8 of 8 classes, in ...shapes)

    The class models of all classes, in a folder: `pictures`, each with its settings inside, so that `vizkit.reproduce`
    makes it again; the table `atlas.csv`; and `index.html`, a page that needs no server and no network. Returns an
    `Atlas` that has made nothing yet: iterate it, or `run()` it. What lies in the folder already is not made again, and
    folders that several machines have filled with the same settings become one by being copied together.

    net: a `Classifier`, or a name; the units of a layer serve as well (`net.inside`).
    targets: labels or indices; None: all classes.
    recipe, seed and further settings: as in `vizkit.ascend`, but None takes the recipe that suits the network.
    judge: who gives a second opinion, see `vizkit.second_opinion`. None: the usual one, where it knows the classes.
    executor: who does the work: any `concurrent.futures.Executor`, such as Dask's, `client.get_executor()`; or so many
        processes here; None: one a core, each with one thread, or one for the GPU. Workers need nothing but vizkit:
        they are sent the network once, and send back files.
    batch: classes that grow at once. None: 1, and 64 on a GPU. In a larger batch sums are rounded otherwise, so that
        `vizkit.reproduce`, which makes one alone, gives another picture of the same class.

    A class that cannot be made, or whose worker dies three times, is an entry with its `failure`; the next run tries it
    again. Raises `VizkitError` for what cannot be, before anything is made: a class or setting that is unknown, a
    folder that is a file or holds another atlas, a network that cannot be sent to another process; and on the way,
    where the folder cannot be written or an executor of yours takes no more.
    """
    net, folder = as_classifier(net), Path(folder)
    batch = (1 if net.device.type == "cpu" else ON_GPU) if batch is None else batch
    targets = list(range(len(net.labels))) if targets is None else list(dict.fromkeys(net.indices(targets)))
    chosen = as_recipe(recipe, net).but(**settings)
    if chosen.regularizer.batch > 1 or not is_whole(batch) or batch < 1:
        wrong = f"batch={batch!r}" if chosen.regularizer.batch == 1 else f"a list of them, {chosen.regularizer}"
        raise VizkitError(f"An atlas takes batches of 1 or more classes, and one regularizer for all; not {wrong}.")
    if not (executor is None or isinstance(executor, Executor) or (is_whole(executor) and executor > 0)):
        what = "An executor is a concurrent.futures.Executor, or how many processes to take"
        raise VizkitError(f"{what}, not {executor!r:.100}. Of a Client of Dask: client.get_executor().")
    judge = as_classifier(judge) if judge else default_judge() if judge_knows(net) else None
    if judge and judge.labels != net.labels:
        judge.indices([net.labels[index] for index in targets])
    first = next((index for index in targets if net.climbable[index]), targets[0])
    plain = {one.name: getattr(chosen, one.name) for one in fields(Settings)}
    told = {name: "yours" if saved.is_yours(name, value) else repr(value) for name, value in plain.items()}
    told |= {"seed": repr(seed), "judge": judge.name if judge else "none"}
    facts = ascend(net, first, recipe=chosen, seed=seed).facts()
    del facts["classes"], facts["threads"]
    return Atlas(Job(net, chosen, seed, judge, {"settings": told, "facts": facts}), folder, targets, executor, batch)
