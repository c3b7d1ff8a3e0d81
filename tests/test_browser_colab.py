"""The Explorer on Colab's stack: its packages, a page as strict as Colab's, and a server that is far away."""

import re
import time
from contextlib import contextmanager

import colab_stack
import measured
import pytest
import skimage.data
import skimage.io
from browsers import (
    OUTPUT,
    Classic,
    ExplorerPage,
    chromium_page,
    jupyter,
    new_page,
    random_walk,
    walk,
    walk_compare,
    with_cells,
    with_compare,
)
from playwright.sync_api import expect
from repository import ADDRESS, ROOT

pytestmark = pytest.mark.browser
NOTEBOOK = ROOT / "notebooks" / "00_explore.ipynb"
SETUP, EXPLORER, LAST = 1, 2, 5  # the cells of the notebook


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A folder, the address of the server over it, and a browser; vizkit is not there yet."""
    folder = tmp_path_factory.mktemp("colab")
    environment = colab_stack.colab(folder / ".ipython", ADDRESS)
    with jupyter(folder, "notebook", colab_stack.stack(), environment) as address, chromium_page() as page:
        yield folder, address, page.context.browser


@contextmanager
def opened(server, path, round_trip=0):
    """The page of a notebook, from its start to its end without an error."""
    folder, address, browser = server
    with new_page(browser) as page:
        notebook = Classic(page, address, path.relative_to(folder), round_trip)
        yield notebook
        assert notebook.errors == []


@pytest.fixture(scope="module", params=[0, 120], ids="{} ms".format)
def colab(request, server):
    """The first notebook, its Explorer on show, and cells at its end that look into the kernel."""
    folder = server[0] / str(request.param)
    folder.mkdir()
    name = with_cells(
        NOTEBOOK,
        folder,
        "old = explorer",
        "import asyncio\nstep = old.ascent.step\nawait asyncio.sleep(1)\nprint(old.loop.state, old.ascent.step - step)",
        "print(len([task for task in asyncio.all_tasks() if 'RunLoop' in repr(task)]))",
        "import ipywidgets\nprint(ipywidgets.__version__, bool(explorer.loop.clock), vizkit.__file__)",
    )
    with opened(server, folder / name, request.param) as notebook:
        began = time.perf_counter()
        notebook.run_cell(SETUP)
        if request.param == 0:
            measured.note(
                f"colab: the set-up cell, {time.perf_counter() - began:.1f} s; there it downloads weights, too"
            )
        notebook.run_cell(EXPLORER)
        notebook.round_trip, notebook.folder = request.param, folder
        yield notebook


def test_the_set_up_cell_installs_vizkit_into_what_colab_has(colab):
    colab.run_cell(LAST + 4)
    version, clock, place = colab.output(LAST + 4).split()
    assert (version, clock) == ("7.7.1", "True")
    assert place.startswith(str(colab_stack.FOLDERS[colab_stack.NEWEST]))


def test_a_class_model_grows_while_a_person_turns_the_knobs(colab):
    walk(ExplorerPage(colab), f"colab-{colab.round_trip}")


def test_pictures_are_live_and_knobs_and_stop_act_during_a_run(colab):
    ExplorerPage(colab).measure(f"colab, {colab.round_trip} ms round trip")


def test_an_interrupt_from_the_kernel_menu_ends_the_run_and_the_explorer_stays_usable(colab):
    explorer = ExplorerPage(colab)
    explorer.button("Start").click()
    explorer.wait_for_line("step")
    explorer.interrupt()
    explorer.button("Start").click()
    explorer.wait_for_step(3)
    explorer.press_stop()


def test_a_cell_run_again_leaves_no_step_of_its_old_run_alive(colab):
    explorer = ExplorerPage(colab)
    explorer.button("Start").click()
    explorer.wait_for_line("step")
    colab.run_cell(LAST + 1)
    colab.run_cell(EXPLORER)
    colab.run_cell(LAST + 2)
    assert colab.output(LAST + 2) == "stopped 0"
    colab.run_cell(LAST + 3)
    assert colab.output(LAST + 3) == "0"


def test_a_class_model_grows_from_an_uploaded_photo_and_everything_has_a_name(colab):
    colab.run_cell(EXPLORER)
    explorer, image = ExplorerPage(colab), colab.page.locator(".vizkit-picture img")
    expect(image).to_have_attribute("alt", "start image: random")
    explorer.button("More knobs").press("Enter")
    for name in ("strength", "Learning rate", "Timeline"):
        expect(explorer.root.get_by_role("slider", name=name).first).to_have_attribute(
            "aria-valuetext", re.compile(".")
        )
    explorer.choose("Start from", "photo")
    skimage.io.imsave(colab.folder / "cat.jpg", skimage.data.chelsea())
    with colab.page.expect_file_chooser() as chooser:
        explorer.button("Choose a photo").click()
    chooser.value.set_files(colab.folder / "cat.jpg")
    expect(explorer.root.get_by_text("cat.jpg, 451 × 300")).to_be_visible()
    expect(image).to_have_attribute("alt", "start image: photo")
    explorer.button("Start").press("Enter")
    expect(image).to_have_attribute("alt", re.compile("class model of flamingo on efficientnet_lite0, step [1-9]"))
    explorer.press_stop()


def test_whatever_is_clicked_and_typed_the_page_is_as_it_says(colab):
    colab.run_cell(EXPLORER)
    random_walk(ExplorerPage(colab), f"colab, {colab.round_trip} ms round trip", 150, seed=colab.round_trip)


def test_no_news_was_lost_on_its_way_to_the_page(colab):
    assert colab.dropped == 0


def test_three_regularizers_grow_side_by_side(server):
    with opened(server, server[0] / with_compare(server[0]), round_trip=120) as notebook:
        notebook.run_cell(0)
        walk_compare(ExplorerPage(notebook), "colab-compare", server[0])
        assert notebook.dropped == 0


def test_the_notebook_for_people_with_a_google_account_tells_what_works(server):
    name = with_cells(ROOT / "notebooks" / "maintainers" / "colab_check.ipynb", server[0])
    with opened(server, server[0] / name) as notebook:
        notebook.run_all()
        table = notebook.page.locator(".vizkit-code").first
        expect(table).to_contain_text("| check | finished |")
        found = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", table.inner_text(), re.MULTILINE))
        table.scroll_into_view_if_needed()
        notebook.page.screenshot(path=OUTPUT / "colab-check.png")
    assert (found["google.colab"], found["runs on"], found["ipywidgets"]) == ("yes", "cpu", "7.7.1")
    assert float(found["pull: pictures a second"]) > 0
    assert found["push: arrived of sent"].startswith("0 of "), "the strict page lets nothing through unasked"
    installed, rate = found["installed in"], found["pull: pictures a second"]
    measured.note(f"colab's check: installed again in {installed}, {rate} pictures a second")
