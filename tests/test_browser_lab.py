"""The Explorer in the real JupyterLab, in the real Chromium, by real clicks and keys."""

from pathlib import Path

import pytest
from browsers import ExplorerPage, Lab, chromium_page, jupyter, new_page, walk, walk_compare, with_cells, with_compare

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "00_explore.ipynb"
SETUP, EXPLORER, LAST = 1, 2, 5  # the cells of the notebook


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A page with the first notebook, its Explorer on show, and cells at its end that look into the kernel."""
    folder = tmp_path_factory.mktemp("lab")
    name = with_cells(
        NOTEBOOK,
        folder,
        "old = explorer",
        "import asyncio\nstep = old.ascent.step\nawait asyncio.sleep(1)\nprint(old.loop.state, old.ascent.step - step)",
        "print(len([task for task in asyncio.all_tasks() if 'RunLoop' in repr(task)]))",
    )
    with jupyter(folder) as address, chromium_page() as page:
        notebook = Lab(page, address, name)
        notebook.folder, notebook.address = folder, address
        notebook.run_cell(SETUP)
        notebook.run_cell(EXPLORER)
        yield notebook
        assert notebook.errors == []


def test_a_class_model_grows_while_a_person_turns_the_knobs(lab):
    walk(ExplorerPage(lab), "lab")


def test_an_interrupt_from_the_kernel_menu_ends_the_run_and_the_explorer_stays_usable(lab):
    explorer = ExplorerPage(lab)
    explorer.button("Start").click()
    explorer.wait_for_line("step")
    lab.interrupt()
    explorer.wait_for_line("interrupted")
    explorer.button("Start").click()
    explorer.wait_for_step(3)
    assert explorer.press_stop() < 1000


def test_a_cell_run_again_leaves_no_step_of_its_old_run_alive(lab):
    explorer = ExplorerPage(lab)
    explorer.button("Start").click()
    explorer.wait_for_line("step")
    lab.run_cell(LAST + 1)
    lab.run_cell(EXPLORER)
    lab.run_cell(LAST + 2)
    assert lab.output(LAST + 2) == "stopped 0"
    lab.run_cell(LAST + 3)
    assert lab.output(LAST + 3) == "0"


def test_it_looks_right_on_a_narrow_page_and_in_the_dark(lab):
    explorer = ExplorerPage(lab)
    lab.page.wait_for_selector(".vizkit")
    lab.theme("JupyterLab Dark")
    explorer.button("Start").click()
    explorer.wait_for_step(20)
    explorer.screenshot("lab-dark")
    lab.page.set_viewport_size({"width": 640, "height": 1300})
    explorer.screenshot("lab-narrow")
    overflow = explorer.root.first.evaluate("element => element.scrollWidth - element.clientWidth")
    assert overflow <= 1
    lab.page.set_viewport_size({"width": 1400, "height": 1100})
    lab.theme("JupyterLab Light")


def test_three_regularizers_grow_side_by_side_on_one_timeline(lab):
    with new_page(lab.page.context.browser) as page:
        notebook = Lab(page, lab.address, with_compare(lab.folder))
        notebook.run_cell(0)
        walk_compare(ExplorerPage(notebook), "compare", lab.folder)
        assert notebook.errors == []
