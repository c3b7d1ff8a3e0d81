"""Pictures a minute: an atlas by local processes and by Dask, against the bare passes of the same network.

Run it: python tests/benchmarks/atlas.py   (ten minutes on two cores)

"bare" is forward, backward and update by hand, on the same prepared network at the same batch (the two views of the
recipe "vizkit"), as many as a picture takes, in as many processes as the local pool has, with one thread each. All take
turns on the same classes, three times, with their processes warm; shown is the best.
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

CLASSES, ROUNDS = range(130, 146), 3
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


def by_hand(processes: int, passes: Callable[[int], None]) -> None:
    pool = local_pool(None, "cpu")
    for done in [pool.submit(passes, len(CLASSES) // processes) for _ in range(processes)]:
        done.result()


def in_one_process(net: vizkit.Classifier) -> None:
    for index in CLASSES:
        ascent = vizkit.ascend(net, index, recipe="vizkit")
        ascent.quiet = True
        vizkit.second_opinion(ascent.run().pictures, index)


def atlas(net: vizkit.Classifier, **how: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = vizkit.atlas(net, Path(folder) / "atlas", CLASSES, **how).run()  # type: ignore[arg-type]
        assert not any(entry.failure for entry in made.entries.values())


def main() -> None:
    net = vizkit.load(device="cpu")
    processes = local_pool(None, "cpu")._max_workers  # type: ignore[attr-defined]
    with LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=":0") as cluster:
        executor = Client(cluster).get_executor()
        jobs: dict[str, Callable[[], None]] = {
            f"bare, {processes} processes": lambda: by_hand(processes, bare),
            "bare, and what batch norms see": lambda: by_hand(processes, with_statistics),
            f"one process, {torch.get_num_threads()} threads": lambda: in_one_process(net),
            f"local pool, {processes} processes": lambda: atlas(net),
            f"local pool, batches of {len(CLASSES) // processes}": lambda: atlas(net, batch=len(CLASSES) // processes),
            f"Dask, {processes} workers": lambda: atlas(net, executor=executor),
        }
        rates = dict.fromkeys(jobs, 0.0)
        for number in range(ROUNDS + 1):  # the first meets cold processes
            for name, job in jobs.items():
                began = time.perf_counter()
                job()
                rate = 60 * len(CLASSES) / (time.perf_counter() - began)
                rates[name] = max(rates[name], rate) if number else 0.0
                print(f"round {number}: {name:36} {rate:6.1f} a minute", flush=True)
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"{name:36} {rate:6.1f} a minute   {rate / first:.3f} of the bare passes")


if __name__ == "__main__":
    main()
