"""An atlas: every class, whoever makes it and whatever dies on the way."""

import asyncio
import csv
import json
import multiprocessing
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from test_widgets import ended, live, until

import vizkit
from vizkit import VizkitError
from vizkit.atlases import atlas as making
from vizkit.atlases import folder as folders
from vizkit.atlases.workers import make

FEW = ["disc", "ring", "star"]
SHORT = {"steps": 4, "executor": 1}


@pytest.fixture(scope="module")
def shapes():
    return vizkit.load("shapes")


@pytest.fixture(scope="module")
def whole(shapes, tmp_path_factory):
    """All eight shapes, made by the local processes; not to be changed."""
    return vizkit.atlas(shapes, tmp_path_factory.mktemp("whole") / "atlas", steps=4).run()


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(whole.folder, tmp_path / "copied")


def ages(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "pictures").iterdir()}


def pictures(atlas):
    return np.stack([atlas.picture(index) for index in atlas.targets])


def alone(net, index, **settings):
    return vizkit.ascend(net, index, recipe="small", **settings).run()


# What is in the folder.


def test_every_picture_is_the_class_model_and_makes_itself_again(whole, shapes):
    assert sorted(whole.entries) == list(range(8))
    for index in (0, 5):
        ascent, entry = alone(shapes, index, steps=4), whole.entries[index]
        assert (whole.picture(index) == ascent.picture).all()
        assert entry.score == ascent.history[-1].score
        assert entry.probability == ascent.history[-1].probability
        assert entry.rival == shapes.labels[ascent.history[-1].rivals[0]]
        assert entry.scores == pytest.approx(ascent.scores[:, 0], abs=0.01)
        again = vizkit.reproduce(folders.picture_path(whole.folder, index), shapes)
        assert (again.picture == ascent.picture).all()


def test_a_picture_made_in_one_thread_is_made_again_in_one(whole):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = vizkit.reproduce(folders.picture_path(whole.folder, 3))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert (again.picture == whole.picture(3)).all()


def test_the_table_has_a_row_for_each_class(whole, shapes):
    with (whole.folder / "atlas.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == shapes.labels
    assert float(rows[5]["score"]) == whole.entries[5].score


def page_data(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    start = page.index(">", page.index('type="application/json"')) + 1
    return json.loads(page[start : page.index("</script>", start)])


def test_the_page_has_all_of_it_and_names_nothing_outside_the_folder(whole):
    data = page_data(whole.folder)
    assert [dict(zip(data["columns"], row, strict=True))["label"] for row in data["entries"]] == whole.net.labels
    page = (whole.folder / "index.html").read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "http" not in page
    assert "src=" not in page.replace("src: ", "")


def test_a_label_cannot_leave_its_place_in_the_page(make_cnn, tmp_path):
    label = "</script><script>alert(1)</script>"
    net = vizkit.Classifier(make_cnn(1, 2), [label, "é"], size=28, mean=0.3, std=0.3, device="cpu")
    vizkit.atlas(net, tmp_path, **SHORT).run()
    assert label not in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page_data(tmp_path)["entries"][0][1] == label


def test_the_second_opinion_is_that_of_the_finished_picture(shapes, tmp_path):
    judge = vizkit.load("shapes_transformer")
    atlas = vizkit.atlas(shapes, tmp_path, FEW, judge=judge, steps=16, executor=1).run()
    for index, entry in atlas.entries.items():
        (opinion,) = vizkit.second_opinion(atlas.picture(index), entry.label, judge)
        assert (entry.opinion, entry.rank, entry.seen) == pytest.approx(
            (opinion.probability, opinion.rank, opinion.seen)
        )


def test_the_units_of_a_layer_have_an_atlas_too(shapes, tmp_path):
    layer = next(iter(shapes.layers()))
    atlas = vizkit.atlas(shapes.inside(layer), tmp_path, [1, 3], **SHORT).run()
    assert [entry.label for entry in atlas.entries.values()] == [f"channel {n} of layer {layer}" for n in (1, 3)]
    again = vizkit.reproduce(folders.picture_path(tmp_path, 3))
    assert (again.picture == atlas.picture(3)).all()


def test_a_batch_grows_at_once(shapes, tmp_path):
    atlas = vizkit.atlas(shapes, tmp_path, steps=4, executor=1, batch=3).run()
    together = vizkit.ascend(shapes, [0, 1, 2], recipe="small", steps=4).run()
    assert (pictures(atlas)[:3] == together.pictures).all()
    assert len(atlas.entries) == 8


# It goes on where it stopped.


def test_what_is_there_is_not_made_again_and_what_is_missing_is(copied, whole, shapes):
    (copied / "pictures" / "elsewhere.png").write_bytes(vizkit.images.png(whole.picture(0)))
    (copied / "pictures" / "notes.png").write_text("no picture")
    before = ages(copied)
    (copied / "pictures" / "00002.png").unlink()
    half = copied / "pictures" / "00005.png"
    half.write_bytes(half.read_bytes()[:-400])
    atlas = vizkit.atlas(shapes, copied, steps=4, executor=1)
    assert (atlas.step, atlas.steps) == (6, 8)
    assert sorted(entry.index for entry in atlas) == [2, 5]
    after = ages(copied)
    assert {name for name in after if after[name] != before[name]} == {"00002.png", "00005.png"}
    assert (pictures(atlas) == pictures(whole)).all()


def test_an_atlas_that_is_complete_starts_no_worker(copied, shapes):
    class Refusing(Executor):
        def submit(self, *_, **__):
            raise AssertionError

    assert list(vizkit.atlas(shapes, copied, steps=4, executor=Refusing())) == []


def test_folders_of_several_machines_become_one_by_being_copied(shapes, whole, tmp_path):
    for name, targets in (("a", range(3)), ("b", range(3, 8))):
        vizkit.atlas(shapes, tmp_path / name, targets, **SHORT).run()
    shutil.copytree(tmp_path / "a", tmp_path / "both")
    shutil.copytree(tmp_path / "b", tmp_path / "both", dirs_exist_ok=True)
    atlas = vizkit.atlas(shapes, tmp_path / "both", **SHORT).run()
    assert atlas.step == 8
    assert len(page_data(tmp_path / "both")["entries"]) == 8
    assert (pictures(atlas) == pictures(whole)).all()


def other_weights():
    net = vizkit.load("shapes")
    with torch.no_grad():
        next(net.network.parameters()).mul_(1.01)
    return net


@pytest.mark.parametrize(
    ("net", "settings", "said"),
    [
        ("shapes", {"steps": 5}, "settings (steps): 4 then, 5 now"),
        ("shapes", {"seed": 1}, "settings (seed): 0 then, 1 now"),
        ("shapes", {"regularizer": vizkit.l2(1e-3)}, "settings (regularizer): "),
        ("shapes", {"judge": "shapes_transformer"}, "settings (judge): none then, shapes_transformer now"),
        ("shapes_transformer", {}, "settings (regularizer): "),
        (other_weights, {}, "another network (scores): "),
    ],
    ids=lambda one: one if isinstance(one, str) else "",  # a function by its address would differ in each process
)
def test_another_atlas_is_refused_and_nothing_is_overwritten(net, settings, said, copied):
    before = ages(copied)
    with pytest.raises(VizkitError, match=f"Take another folder: .*{re.escape(said)}"):
        vizkit.atlas(net() if callable(net) else net, copied, **{"steps": 4} | settings)
    assert ages(copied) == before


KILLED = """
import sys, vizkit
vizkit.atlas("shapes", sys.argv[1], steps=400, executor=2).run()
"""


def children(parent):
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat")]
    return [int(stat.split()[0]) for stat in stats if int(stat.rpartition(")")[2].split()[1]) == parent]


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.processes
def test_a_killed_program_leaves_whole_pictures_and_a_second_run_makes_the_rest(shapes, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    while len(list(tmp_path.glob("pictures/*.png"))) < 2:
        time.sleep(0.02)
        assert process.poll() is None
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = ages(tmp_path)
    assert 2 <= len(before) < 8
    atlas = vizkit.atlas(shapes, tmp_path, steps=400, executor=2)
    assert atlas.step == len(before)  # each of them is whole
    atlas.run()
    assert atlas.step == 8
    assert ages(tmp_path).items() >= before.items()
    assert (atlas.picture(7) == alone(shapes, 7, steps=400).picture).all()
    assert len(workers) >= 2
    while any(map(runs, workers)):  # none is left behind with its memory
        time.sleep(0.1)


# Who does the work.


@pytest.mark.processes
def test_any_executor_makes_the_same_pictures(shapes, whole, tmp_path):
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        for name, executor in {"threads": threads, "processes": processes}.items():
            atlas = vizkit.atlas(shapes, tmp_path / name, FEW, steps=4, executor=executor).run()
            assert all((atlas.picture(label) == whole.picture(label)).all() for label in FEW), name


@pytest.mark.processes
def test_a_process_that_is_killed_loses_nothing(shapes, tmp_path):
    atlas = vizkit.atlas(shapes, tmp_path, steps=60, executor=2)
    killed = []
    for entry in atlas:
        assert not entry.failure
        if len(atlas.entries) in (2, 5):
            killed.append(max(int(worker.split()[-1]) for worker in atlas._workers))  # the youngest: it lives
            os.kill(killed[-1], signal.SIGKILL)
    assert len(set(killed)) == 2
    assert [entry.failure for entry in atlas.entries.values()] == [""] * 8
    assert (atlas.picture(7) == alone(shapes, 7, steps=60).picture).all()


@pytest.mark.processes
def test_what_kills_its_worker_again_and_again_is_a_failure_and_the_others_go_on(shapes, tmp_path):
    @vizkit.regularizer("penalty")
    def deadly(image):
        if image.mean() > 0.5:
            os.kill(os.getpid(), signal.SIGKILL)
        return image.mean(dim=(1, 2, 3))

    class Brighter(torch.nn.Module):  # the more, the brighter; class 1 the darker
        def forward(self, image):
            mean = image.mean(dim=(1, 2, 3))
            return torch.stack([20 * mean, -20 * mean, -10 * mean], dim=1)

    net = vizkit.Classifier(Brighter(), size=8, mean=(0.5,), std=(0.5,), device="cpu")
    how = {"recipe": vizkit.Recipe(), "regularizer": deadly(1e-9), "steps": 20, "start": "zero", "executor": 2}
    atlas = vizkit.atlas(net, tmp_path, learning_rate=10.0, **how).run()
    assert "died 3 times" in atlas.entries[0].failure
    assert not atlas.entries[1].failure
    assert not atlas.entries[2].failure
    assert not folders.picture_path(tmp_path, 0).exists()
    assert vizkit.atlas(net, tmp_path, learning_rate=10.0, **how).step == 2  # a failure is tried again


@pytest.mark.processes
def test_a_process_that_needs_much_memory_is_kept(make_cnn, tmp_path):
    parent = os.getpid()

    class Large(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn, self.held = make_cnn(1, 4), []

        def forward(self, image):
            if os.getpid() != parent and not self.held:
                self.held += [torch.ones(100_000_000)]
                time.sleep(1.2)  # so often loky looks at it
            return self.cnn(image)

    net = vizkit.Classifier(Large(), size=28, mean=0.3, std=0.3, device="cpu")
    atlas = vizkit.atlas(net, tmp_path, **SHORT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in atlas:
            time.sleep(1.2)
    assert [entry.failure for entry in atlas.entries.values()] == [""] * 4
    assert len(atlas._workers) == 1


def test_a_class_that_cannot_be_made_is_noted_and_the_others_go_on(make_cnn, tmp_path):
    class Masked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cnn = make_cnn(1, 3)

        def forward(self, image):
            return self.cnn(image) + torch.tensor([0.0, -torch.inf, 0.0])

    net = vizkit.Classifier(Masked(), ["a", "b", "c"], size=28, mean=0.3, std=0.3, device="cpu")
    for batch in (1, 3):
        atlas = vizkit.atlas(net, tmp_path / str(batch), **SHORT, batch=batch).run()
        assert atlas.entries[1].failure.startswith("Masked masks b")
        assert [atlas.entries[one].failure for one in (0, 2)] == ["", ""]
        assert "masks b" in (tmp_path / str(batch) / "atlas.csv").read_text(encoding="utf-8-sig")


class Counting(ThreadPoolExecutor):
    """Workers each of which has to be told, and that do nothing else; counts who was."""

    def __init__(self):
        super().__init__(3)
        self.told = []

    def submit(self, function, key, packed, device, batch):
        return super().submit(self.work, packed, batch)

    def work(self, packed, batch):
        worker = threading.current_thread().name
        self.told += [worker] if packed else []
        if worker not in self.told:
            return worker, None
        time.sleep(0.02)  # long, against an answer that nothing is known
        return worker, [(folders.Entry(one, "", score=1.0), b"") for one in batch]


def test_a_worker_is_sent_the_network_once_and_not_everything_is_queued_at_once(make_cnn, tmp_path):
    net = vizkit.Classifier(make_cnn(1, 200), size=28, mean=0.3, std=0.3, device="cpu")
    with Counting() as executor:
        atlas = vizkit.atlas(net, tmp_path, steps=1, executor=executor)
        under_way = max(len(atlas._under_way) for _ in atlas)
    assert atlas.step == 200
    assert len(set(executor.told)) == 3
    assert len(executor.told) <= 12  # of 200: another may take what was sent for one
    assert under_way <= making.AHEAD * (3 + 1)


def test_a_worker_keeps_one_job_and_asks_for_another(shapes, tmp_path):
    atlas = vizkit.atlas(shapes, tmp_path, FEW, steps=1)
    worker, made = make(atlas._key, None, "cpu", (0,))
    assert made is None
    assert worker.split()[-1] == str(os.getpid())
    assert make(atlas._key, atlas._packed, "cpu", (0,))[1]
    assert make(atlas._key, None, "cpu", (1,))[1]
    assert make("another", None, "cpu", (1,))[1] is None


NOTEBOOK = """
import sys, torch, vizkit

class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(64, 3)
    def forward(self, image):
        return self.linear(image.flatten(1))

@vizkit.regularizer("penalty")
def roughness(image):
    return image.diff(dim=-1).square().sum(dim=(1, 2, 3))

torch.manual_seed(0)
net = vizkit.Classifier(Mine(), size=8, mean=(0.5,), std=(0.5,), device="cpu")
made = vizkit.atlas(net, sys.argv[1], regularizer=roughness(1e-3), recipe=vizkit.Recipe(), steps=3, executor=1).run()
print([entry.failure for entry in made.entries.values()])
"""


@pytest.mark.processes
def test_a_network_and_a_regularizer_of_a_notebook_go_to_other_processes(tmp_path):
    """As of a notebook or a plain script: nothing can be imported, and nothing guards its main."""
    script = tmp_path / "script.py"
    script.write_text(NOTEBOOK)
    done = subprocess.run([sys.executable, script, tmp_path / "atlas"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['', '', '']"


PICKLED = """
import multiprocessing, sys, torch, vizkit

def scores(content):
    import pickle
    net, recipe, regularizer = pickle.loads(content)
    made = vizkit.ascend(net, 1, recipe=recipe, regularizer=regularizer, steps=3).run()
    return made.scores.tolist()

if __name__ == "__main__":
    import pickle
    @vizkit.regularizer("penalty", strengths=(1e-5, 1e-2), default=1e-4)
    def mine(image, power=2.0):
        return image.abs().pow(power).sum(dim=(1, 2, 3))
    torch.set_num_threads(1)
    content = pickle.dumps((vizkit.load("shapes"), vizkit.recipe("small"), mine(1e-3, power=3.0) + vizkit.jitter(2)))
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.apply(scores, (content,)) == scores(content))
"""


@pytest.mark.processes
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_networks_recipes_and_regularizers_can_be_pickled(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PICKLED)
    done = subprocess.run([sys.executable, script, method], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_what_is_pickled_is_what_it_was(shapes):
    for one in (*vizkit.recipes.RECIPES, vizkit.side_by_side([vizkit.l1(1), vizkit.none()])):
        assert pickle.loads(pickle.dumps(one)) == one
    assert pickle.loads(pickle.dumps(vizkit.l2)) is vizkit.l2
    image = torch.randn(2, *shapes.blank().shape[1:], generator=torch.Generator().manual_seed(0))
    assert (pickle.loads(pickle.dumps(shapes))(image) == shapes(image)).all()


# What cannot be.


class Dead(Executor):
    """As Dask's, when its cluster is gone for some tasks."""

    def submit(self, *_):
        future = Future()
        future.set_exception(ConnectionError("gone"))
        return future


def shut_down():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    return executor


def test_an_executor_that_takes_nothing_is_an_error_and_its_classes_wait_for_another(shapes, tmp_path):
    atlas = vizkit.atlas(shapes, tmp_path, FEW, steps=2, executor=shut_down())
    with pytest.raises(VizkitError, match=r"take no more: cannot schedule .*Run the atlas again"):
        atlas.run()
    atlas.executor = 1
    assert atlas.run().step == 3


def test_a_task_that_an_executor_cannot_do_is_tried_three_times(shapes, tmp_path):
    atlas = vizkit.atlas(shapes, tmp_path, FEW, steps=2, executor=Dead()).run()
    assert [entry.failure.endswith("gone") for entry in atlas.entries.values()] == [True] * 3


def scripted():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)).eval()
    return vizkit.Classifier(torch.jit.trace(module, torch.zeros(2, 1, 8, 8)), size=8, mean=(0.5,), std=(0.5,))


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"targets": "flamigo"}, 'No class "flamigo"'),
        ({"targets": 99}, "not 99"),
        ({"targets": []}, "list of targets is empty"),
        ({"recipe": "vizkitt"}, 'No recipe "vizkitt"'),
        ({"stepz": 3}, 'No setting "stepz"'),
        ({"seed": "one"}, "A seed is a whole number"),
        ({"judge": "fashion"}, "No class"),
        ({"regularizer": vizkit.l2([0, 1])}, "one regularizer for all"),
        ({"batch": 0}, "batches of 1 or more classes"),
        ({"executor": 0}, "concurrent.futures.Executor, or how many processes"),
        ({"executor": "dask"}, "get_executor"),
        ({"folder": __file__}, "cannot be written: Not a directory"),
        ({"folder": "/proc/atlas"}, "cannot be written"),
        ({"net": "shapez"}, "No network"),
        ({"net": scripted}, "cannot be sent to another process. Of TorchScript, pass the module"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",  # a function by its address would differ in each process
)
def test_what_cannot_be_is_said_before_anything_is_made(given, said, tmp_path):
    how = {"net": "shapes", "folder": tmp_path / "atlas"} | given
    how["net"] = how["net"]() if callable(how["net"]) else how["net"]
    with pytest.raises(VizkitError, match=said):
        vizkit.atlas(**how)
    assert not list(tmp_path.rglob("*.*"))


FULL = """
import resource, sys, vizkit
atlas = vizkit.atlas("shapes", sys.argv[1], steps=2, executor=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))  # as on a disk with that much left
try:
    atlas.run()
except vizkit.VizkitError as error:
    print(error)
left = list(atlas.folder.rglob("*.p*"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(left, atlas.step, atlas.run().step)
"""


@pytest.mark.processes
def test_a_full_disk_is_a_sentence_and_the_same_atlas_goes_on_once_there_is_room(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    said, then = done.stdout.splitlines()
    assert "cannot be written: File too large. What is there stays" in said
    assert then == "[] 0 8"


# With buttons, and from a terminal.


@pytest.mark.processes
@live
async def test_an_atlas_starts_pauses_stops_and_goes_on_from_there(shapes, tmp_path):
    maker = vizkit.AtlasMaker(vizkit.atlas(shapes, tmp_path, steps=120, executor=1))
    atlas = maker.atlas
    assert "8 pictures to go" in maker.remaining.value
    maker.start.click()
    await until(lambda: atlas.step > 1)
    maker.pause.click()
    await asyncio.sleep(0.3)
    held = atlas.step
    await asyncio.sleep(0.5)
    assert atlas.step == held
    maker.pause.click()
    await until(lambda: atlas.step > held)
    maker.stop.click()
    await ended(maker)
    assert atlas.step < 8
    assert "index.html" in maker.message.value
    maker.start.click()
    await ended(maker)
    assert atlas.step == 8
    assert maker.start.disabled
    newest = {caption.value.split("<b>")[1].split("</b>")[0] for caption in maker.captions[:8]}
    assert newest == set(shapes.labels)


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "vizkit", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.processes
def test_a_terminal_makes_an_atlas_and_says_what_is_wrong_with_one(whole, tmp_path):
    made = command("atlas", tmp_path, "--network", "shapes", "--targets", "disc", 5, "--steps", 4, "--processes", 1)
    assert made.stdout.endswith("index.html has 2 of 8 classes.\n")
    assert np.array_equal(np.array(folders.Image.open(tmp_path / "pictures" / "00005.png")), whole.picture(5))
    refused = command("atlas", tmp_path, "--network", "shapes", "--steps", 5)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Take another folder")
    assert len(refused.stderr.splitlines()) == 1
