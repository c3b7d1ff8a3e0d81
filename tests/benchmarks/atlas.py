"""Pictures a minute: an atlas by local processes and by Dask, against the bare passes of the same network.

Run it: python tests/benchmarks/atlas.py   (nine minutes on two cores)

"bare" is forward, backward and update by hand, on the same prepared network at the same batch (the two views of the
recipe "vizkit"), as many as a picture takes, in as many processes as the local pool has, with one thread each. All make
the same 48 classes, one after the other, with warm processes.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from distributed import Client, LocalCluster

import vizkit
from vizkit.atlases.atlas import local_pool
from vizkit.atlases.workers import keep_memory
from vizkit.networks import watched

CLASSES = range(130, 178)
NONE = vizkit.none()
VIEWS, SIDE, STEPS = 2, 160, 64


def bare(pictures: int, penalty: vizkit.Regularizer = NONE) -> None:
    """What that many pictures cost without anything around the passes."""
    net = vizkit.load()
    keep_memory()
    for _ in range(pictures):
        image = (0.1 * torch.randn(VIEWS, 3, SIDE, SIDE)).requires_grad_(True)
        optimizer = torch.optim.SGD([image], lr=1.0, maximize=True)
        for _ in range(STEPS):
            optimizer.zero_grad()
            with watched(net.network, VIEWS, 1, penalty.asks("activations")) as activations:
                score = net(image)[:, 130].sum()
            (score - penalty.penalty(image[:1], activations=activations).sum()).backward()
            optimizer.step()


def with_statistics(pictures: int) -> None:
    """And with what the recipe asks of every batch norm: it is part of what is climbed."""
    bare(pictures, vizkit.natural_statistics(16))


def by_hand(classes: range, passes: Callable[[int], None]) -> None:
    pool = local_pool(None, "cpu")
    processes = pool._max_workers  # type: ignore[attr-defined]
    for done in [pool.submit(passes, len(classes) // processes) for _ in range(processes)]:
        done.result()


def in_one_process(classes: range, net: vizkit.Classifier) -> None:
    for index in classes:
        ascent = vizkit.ascend(net, index, recipe="vizkit")
        ascent.quiet = True
        vizkit.second_opinion(ascent.run().pictures, index)


def atlas(classes: range, net: vizkit.Classifier, **how: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = vizkit.atlas(net, Path(folder) / "atlas", classes, **how).run()  # type: ignore[arg-type]
        assert not any(entry.failure for entry in made.entries.values())


def main() -> None:
    net = vizkit.load(device="cpu")
    processes = local_pool(None, "cpu")._max_workers  # type: ignore[attr-defined]
    with LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=":0") as cluster:
        executor = Client(cluster).get_executor()
        jobs: dict[str, Callable[[range], None]] = {
            f"bare, {processes} processes": lambda classes: by_hand(classes, bare),
            "bare, and what batch norms see": lambda classes: by_hand(classes, with_statistics),
            f"one process, {torch.get_num_threads()} threads": lambda classes: in_one_process(classes, net),
            f"local pool, {processes} processes": lambda classes: atlas(classes, net),
            "local pool, batches of 8": lambda classes: atlas(classes, net, batch=8),
            f"Dask, {processes} workers": lambda classes: atlas(classes, net, executor=executor),
        }
        bare_rate = 0.0
        for name, job in jobs.items():
            job(CLASSES[:2])  # meets cold processes
            began = time.perf_counter()
            job(CLASSES)
            rate = 60 * len(CLASSES) / (time.perf_counter() - began)
            bare_rate = bare_rate or rate
            print(f"{name:36} {rate:6.1f} a minute   {rate / bare_rate:.3f} of the bare passes", flush=True)


if __name__ == "__main__":
    main()
