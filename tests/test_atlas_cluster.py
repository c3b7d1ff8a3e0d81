"""An atlas on a real cluster of Dask: a scheduler, and two workers, one of which is killed."""

import os
import signal

import numpy as np
import pytest
from distributed import Client, LocalCluster

import vizkit
from vizkit import VizkitError

pytestmark = pytest.mark.processes
CLASSES, STEPS = range(24), 12


@pytest.fixture(scope="module")
def net():
    """Of 24 classes: the units of a layer of the built-in CNN, which is sent to the workers."""
    return vizkit.load().inside("4")


@pytest.fixture
def client(tmp_path):
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "local_directory": tmp_path / "dask"}
    with LocalCluster(**how) as cluster, Client(cluster) as client:
        yield client


def test_a_cluster_that_loses_a_worker_makes_the_pictures_of_the_local_processes(client, net, tmp_path):
    local = vizkit.atlas(net, tmp_path / "local", CLASSES, steps=STEPS).run()
    atlas = vizkit.atlas(net, tmp_path / "dask", CLASSES, steps=STEPS, executor=client.get_executor())
    before = {worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()}
    killed = None
    for _ in atlas:
        if len(atlas.entries) == 5:
            killed = int(sorted(atlas._workers)[0].split()[-1])
            os.kill(killed, signal.SIGKILL)
    assert killed in before
    assert sorted(atlas.entries) == list(CLASSES)
    assert not any(entry.failure for entry in atlas.entries.values())
    for index in CLASSES:
        assert np.array_equal(atlas.picture(index), local.picture(index)), index
        assert atlas.entries[index].score == local.entries[index].score
    again = {worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()}
    assert len(again - before) == 1  # Dask's nanny has put another in its place


def test_a_cluster_that_is_gone_is_an_error_and_another_goes_on(client, net, tmp_path):
    executor = client.get_executor()
    atlas = vizkit.atlas(net, tmp_path, range(6), steps=4, executor=executor)
    next(atlas)
    executor.shutdown()
    with pytest.raises(VizkitError, match="take no more"):
        atlas.run()
    made = len(list(tmp_path.glob("pictures/*.png")))
    assert 0 < made < 6
    atlas = vizkit.atlas(net, tmp_path, range(6), steps=4, executor=client.get_executor())
    assert atlas.step == made
    assert atlas.run().step == 6


def test_a_client_is_no_executor(client, net, tmp_path):
    with pytest.raises(VizkitError, match=r"Client of Dask: client.get_executor\(\)"):
        vizkit.atlas(net, tmp_path, executor=client)
