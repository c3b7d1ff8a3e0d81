"""Pictures a minute: an atlas by local processes and by Dask, against the bare passes of the same network.

Run it: python tests/benchmarks/atlas.py   (six minutes on two cores)

"bare" is forward, backward and update by hand, on the same prepared network at the same batch (the two views of the
recipe "vizkit"), as many as a picture takes, in as many processes as the local pool has, with one thread each. All take
turns on the same classes, twice, with their processes warm; shown is the better of the two.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from distributed import Client, LocalCluster

import vizkit
from vizkit.atlases.atlas import ENVIRONMENT, local_pool

CLASSES, ROUNDS = range(130, 154), 2
VIEWS, SIDE, STEPS = 2, 160, 64


def bare(pictures: int) -> None:
    """What that many pictures cost without anything around the passes."""
    net = vizkit.load()
    for _ in range(pictures):
        image = (0.1 * torch.randn(VIEWS, 3, SIDE, SIDE)).requires_grad_(True)
        optimizer = torch.optim.SGD([image], lr=1.0, maximize=True)
        for _ in range(STEPS):
            optimizer.zero_grad()
            net(image)[:, 130].sum().backward()
            optimizer.step()


def by_hand(processes: int) -> None:
    pool = local_pool(None, "cpu")
    for done in [pool.submit(bare, len(CLASSES) // processes) for _ in range(processes)]:
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
    workers = {"n_workers": processes, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**workers) as plain, LocalCluster(**workers, env=ENVIRONMENT) as tuned:
        jobs: dict[str, Callable[[], None]] = {
            f"bare, {processes} processes": lambda: by_hand(processes),
            f"one process, {torch.get_num_threads()} threads": lambda: in_one_process(net),
            f"local pool, {processes} processes": lambda: atlas(net),
            f"local pool, batches of {len(CLASSES) // processes}": lambda: atlas(net, batch=len(CLASSES) // processes),
            "Dask, as it comes": lambda: atlas(net, executor=Client(plain).get_executor()),
            "Dask, with the pool's environment": lambda: atlas(net, executor=Client(tuned).get_executor()),
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
