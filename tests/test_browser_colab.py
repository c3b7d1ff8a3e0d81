"""The Explorer on Colab's stack: its packages, a page as strict as Colab's, and a server that is far away."""

from pathlib import Path

import pytest
from browsers import Classic, ExplorerPage, chromium_page, jupyter, walk, with_cells
from colab_stack import ipython_folder, stack

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "00_explore.ipynb"
SETUP, EXPLORER, LAST = 1, 2, 5  # the cells of the notebook


@pytest.fixture(scope="module", params=[0, 120], ids="{} ms".format)
def colab(request, tmp_path_factory):
    """A page with the first notebook, its Explorer on show, and cells at its end that look into the kernel."""
    folder = tmp_path_factory.mktemp("colab")
    name = with_cells(
        NOTEBOOK,
        folder,
        "old = explorer",
        "import asyncio\nstep = old.ascent.step\nawait asyncio.sleep(1)\nprint(old.loop.state, old.ascent.step - step)",
        "print(len([task for task in asyncio.all_tasks() if 'RunLoop' in repr(task)]))",
        "import ipywidgets\nprint(ipywidgets.__version__, bool(explorer.loop.clock))",
    )
    environment = {"IPYTHONDIR": str(ipython_folder(folder / ".ipython"))}
    environment["OMP_NUM_THREADS"] = "1"  # the browser, which is elsewhere on Colab, needs a core of its own here
    with jupyter(folder, "notebook", stack().python, environment) as address, chromium_page() as page:
        notebook = Classic(page, address, name, request.param)
        notebook.run_cell(SETUP)
        notebook.run_cell(EXPLORER)
        notebook.round_trip = request.param
        yield notebook
        assert notebook.errors == []


def test_this_is_the_stack_that_colab_has_and_the_browser_asks_for_news(colab):
    colab.run_cell(LAST + 4)
    assert colab.output(LAST + 4) == "7.7.1 True"


def test_a_class_model_grows_while_a_person_turns_the_knobs(colab):
    walk(ExplorerPage(colab), f"colab-{colab.round_trip}")


def test_pictures_are_live_and_knobs_and_stop_act_at_once(colab):
    rate, knob, stop = ExplorerPage(colab).measure(f"colab, {colab.round_trip} ms round trip", least=3)
    assert rate >= 3
    assert knob < 1000
    assert stop < 1000


def test_an_interrupt_from_the_kernel_menu_ends_the_run_and_the_explorer_stays_usable(colab):
    explorer = ExplorerPage(colab)
    explorer.button("Start").click()
    explorer.wait_for_line("step")
    colab.interrupt()
    explorer.wait_for_line("interrupted")
    explorer.button("Start").click()
    explorer.wait_for_step(3)
    assert explorer.press_stop() < 1000


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


def test_no_news_was_lost_on_its_way_to_the_page(colab):
    assert colab.dropped == 0
