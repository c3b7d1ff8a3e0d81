"""The Explorer in the real JupyterLab, in the real Chromium, by real clicks and keys."""

import io
import re
from base64 import b64decode
from pathlib import Path

import axe_playwright_python
import nbformat
import numpy as np
import pytest
import skimage.data
from browsers import (
    COMPARE,
    GALLERY,
    TRAIN,
    ExplorerPage,
    Lab,
    chromium_page,
    jupyter,
    new_page,
    of_cells,
    random_walk,
    walk,
    walk_compare,
    with_cells,
    with_compare,
)
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
PIXELS = """() => { const image = document.querySelector('.vizkit-picture img');
                    const canvas = document.createElement('canvas');
                    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                    canvas.getContext('2d').drawImage(image, 0, 0); return canvas.toDataURL('image/png'); }"""
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


def test_a_newcomer_turns_l1_up_goes_on_and_finds_the_picture_in_the_saved_notebook(lab):
    lab.run_cell(EXPLORER)
    explorer = ExplorerPage(lab)
    expect(explorer.root.locator(".vizkit-invitation")).to_be_visible()
    explorer.button("Start").click()
    explorer.wait_for_step(10)
    expect(explorer.root.locator(".vizkit-invitation")).to_be_hidden()
    explorer.choose("Regularizer", "l1")
    explorer.wait_for_choice("Preset", "vizkit, changed")
    strength = explorer.root.locator(".widget-hslider, .widget-selectionslider", has_text=re.compile("^strength"))
    explorer.slide(strength.first, *["ArrowRight"] * 3)
    explorer.wait_for_line("finished")
    assert explorer.step > 64  # as many again
    expect(explorer.root.get_by_text(re.compile(r"at step \d+: l1\(0.003\)"))).to_be_visible()
    explorer.button("Go on").click()
    explorer.wait_for_step(explorer.step + 5)
    explorer.press_stop()
    explorer.button("Keep").click()
    expect(explorer.root.locator(".vizkit-card")).to_have_count(1)
    explorer.screenshot("lab-l1")
    expect(lab.page.locator(".jp-RenderedImage").first).to_be_hidden()  # it is for where no widget lives
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    outputs = nbformat.read(lab.folder / NOTEBOOK.name, as_version=4).cells[EXPLORER].outputs
    (kept,) = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    both = kept, lab.page.evaluate(PIXELS).split(",")[1]
    kept, shown = (np.array(Image.open(io.BytesIO(b64decode(one))).convert("RGB"), float) for one in both)
    assert np.abs(kept - shown).mean() < 4  # on the page it is a JPEG
    grey = np.abs(kept - np.array([127, 127, 127])).max(axis=2) < 10
    assert grey.mean() > 0.4  # the page goes empty around the bird


def test_an_interrupt_from_the_kernel_menu_ends_the_run_and_the_explorer_stays_usable(lab):
    explorer = ExplorerPage(lab)
    explorer.button("Start").click()
    explorer.wait_for_line("step")
    explorer.interrupt()
    explorer.button("Start").click()
    explorer.wait_for_step(3)
    explorer.press_stop()


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


def test_whatever_is_clicked_and_typed_the_page_is_as_it_says(lab):
    lab.run_cell(EXPLORER)
    random_walk(ExplorerPage(lab), "lab", 300)


AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
LOOK = """async () => {
    const found = await axe.run(".vizkit", {resultTypes: ["violations", "incomplete"]});
    const told = (one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`;
    return [found.passes.length, found.violations.map(told), found.incomplete.map(told)];
}"""


def test_axe_finds_no_fault_in_any_widget_in_either_theme(lab):
    with new_page(lab.page.context.browser) as page:
        explorer = "import vizkit\n\nexplorer = vizkit.Explorer('fashion', steps=20)\nexplorer"
        gallery = "gallery = vizkit.Gallery('fashion', steps=20)\ngallery"
        ask = 'asked = vizkit.lessons.Prediction("Which is it?", ["this", "that"])\nasked'
        name = "naming = vizkit.lessons.Naming(gallery.run().pictures, gallery.net.labels)\nnaming"
        cells = (explorer, COMPARE, TRAIN, gallery, ask, name)
        notebook = Lab(page, lab.address, of_cells(lab.folder, "axe.ipynb", *cells, 'asked.came("this")'))
        for cell in range(6):
            notebook.run_cell(cell)
        page.get_by_role("button", name="that").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("You said: that.")).to_be_visible()
        notebook.run_cell(6)
        expect(page.get_by_text("It came: this. You said: that.")).to_have_count(2)
        first = ExplorerPage(notebook)
        first.root = page.locator(".vizkit").first
        first.button("Start").click()
        expect(first.root.locator(".vizkit-row .vizkit-note").first).to_contain_text("finished")
        for name in ("Keep", "Show the code", "More knobs"):
            first.button(name).click()
        expect(first.root.locator(".vizkit-copy")).to_be_visible()
        page.locator(".vizkit").nth(2).get_by_role("button", name="Start").click()
        page.evaluate(AXE)
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            notebook.theme(theme)
            page.wait_for_timeout(500)
            passed, violations, unsure = page.evaluate(LOOK)
            assert (violations, unsure) == ([], [])
            assert passed > 10
        page.locator(".vizkit").nth(2).get_by_role("button", name="Stop").click()


def test_it_looks_right_on_a_narrow_page_and_in_the_dark(lab):
    lab.run_cell(EXPLORER)
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


def test_a_class_model_grows_from_an_uploaded_photo(lab):
    lab.run_cell(EXPLORER)
    explorer, image = ExplorerPage(lab), lab.page.locator(".vizkit-picture img")
    expect(image).to_have_attribute("alt", "start image: random")
    explorer.button("More knobs").click()
    explorer.choose("Start from", "photo")
    random = explorer.picture_source()
    explorer.button("Start").click()
    expect(explorer.root.get_by_role("alert")).to_contain_text("Press Choose a photo")
    Image.fromarray(skimage.data.chelsea()).save(lab.folder / "cat.jpg")
    with lab.page.expect_file_chooser() as chooser:
        explorer.button("Choose a photo").click()
    chooser.value.set_files(lab.folder / "cat.jpg")
    expect(explorer.root.get_by_text("cat.jpg, 451 × 300")).to_be_visible()
    expect(image).to_have_attribute("alt", "start image: photo")
    expect(explorer.root.get_by_role("alert")).to_have_count(0)
    assert explorer.picture_source() != random
    explorer.screenshot("lab-photo")
    explorer.set_steps(2000)
    explorer.button("Start").click()
    explorer.wait_for_step(5)
    explorer.press_stop()
    explorer.slide(explorer.root.locator(".vizkit-timeline"), "Home")
    expect(explorer.root.locator(".vizkit-caption")).to_contain_text("step 0")
    explorer.screenshot("lab-from-photo")


CONTROLS = """
Network, Look at, Find a class, Class, Preset, Regularizer, Steps, More knobs, and, strength, strength, and,
Shown, strength, strength, and, and, strength, strength, and, After a step,
Learning rate, Learning rate, Schedule, Optimizer, Image in, Start from, Seed, Maximise, Start, Timeline, Show the code
"""


def test_everything_has_a_name_and_the_keyboard_does_it_all(lab):
    lab.run_cell(EXPLORER)
    explorer, page = ExplorerPage(lab), lab.page
    press, chromium = page.keyboard.press, page.context.new_cdp_session(page)

    def name():
        """What a screen reader calls the control that has the focus; None outside the Explorer."""
        if not page.evaluate("() => Boolean(document.activeElement.closest('.vizkit'))"):
            return None
        element = chromium.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]["objectId"]
        tree = chromium.send("Accessibility.getPartialAXTree", {"objectId": element, "fetchRelatives": False})
        return re.sub(r"[\ue000-\uf8ff]", "", tree["nodes"][0]["name"]["value"]).strip()  # without the icons

    def tab_to(wanted):
        for _ in range(40):
            press("Tab")
            if name() == wanted:
                return
        raise AssertionError(f"no way to {wanted}")

    # From the top to the bottom.
    explorer.control("Network").focus()
    names = [name()]
    while names[-1] is not None:
        if names[-1] == "More knobs":
            press("Space")
            expect(explorer.control("Schedule")).to_be_visible()
        press("Tab")
        names.append(name())
    assert names[:-1] == re.split(r",\s+", CONTROLS.strip())

    # A whole run, and no key of it goes to the notebook, where an x cuts the cell and a b makes another.
    cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
    before = page.evaluate(cells)
    explorer.control("Network").focus()
    tab_to("Find a class")
    page.keyboard.type("box")
    expect(explorer.root.locator(".widget-select option:checked")).to_have_text("pencil box")
    tab_to("Class")
    press("ArrowDown")
    page.keyboard.type("boxer")
    expect(explorer.root.locator(".widget-select option:checked")).to_have_text("boxer")
    tab_to("Preset")
    page.keyboard.type("simo")
    expect(explorer.control("Start from")).to_have_value("zero")
    tab_to("strength")
    slider = explorer.root.get_by_role("slider", name="strength").first
    strength = slider.get_attribute("aria-valuetext")
    press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuetext", strength)
    tab_to("Steps")
    press("Control+a")
    page.keyboard.type("2000")
    tab_to("Start")
    press("Enter")
    explorer.wait_for_step(5)
    tab_to("Pause")
    press("Space")
    explorer.wait_for_line("paused")
    press("Space")
    explorer.wait_for_step(explorer.step + 3)
    tab_to("Stop")
    press("Enter")
    explorer.wait_for_line("stopped")
    tab_to("Timeline")
    press("Home")
    expect(explorer.root.locator(".vizkit-caption")).to_contain_text(re.compile(r"step 0(?!\d)"))
    tab_to("Keep")
    press("Enter")
    expect(explorer.root.locator(".vizkit-card")).to_have_count(1)
    assert page.evaluate(cells) == before

    # What is to be seen, and what happened, in words.
    model = r"class model of boxer on efficientnet_lite0, step 0, score -?[\d.]+"
    curve = r"class score: boxer from -?[\d.]+ to -?[\d.]+, strongest rival: .+ from -?[\d.]+ to -?[\d.]+"
    images = explorer.root.locator("img")
    expect(images).to_have_count(2)
    for index in range(2):
        expect(images.nth(index)).to_have_attribute("alt", re.compile(f"^{model}$"))
    expect(explorer.root.locator(".vizkit-plot > svg")).to_have_attribute("aria-label", re.compile(f"^{curve}$"))
    expect(explorer.root.get_by_role("status")).to_contain_text("stopped at step")


def test_three_regularizers_grow_side_by_side_on_one_timeline(lab):
    with new_page(lab.page.context.browser) as page:
        notebook = Lab(page, lab.address, with_compare(lab.folder))
        notebook.run_cell(0)
        walk_compare(ExplorerPage(notebook), "compare", lab.folder)
        assert notebook.errors == []


def test_a_network_learns_is_stopped_goes_on_inside_a_cell_and_shows_all_its_classes(lab):
    with new_page(lab.page.context.browser) as page:
        run = "try:\n    trainer.run()\nfinally:\n    print('made', training.step, 'steps')"
        notebook = Lab(page, lab.address, of_cells(lab.folder, "train.ipynb", TRAIN, run, GALLERY))
        notebook.run_cell(0)
        trainer = ExplorerPage(notebook)
        trainer.button("Start").click()
        trainer.wait_for_line("step [1-9]")
        trainer.wait_for_new("curves", 3)
        trainer.press_stop()
        loss = trainer.root.locator(".vizkit-plot > svg").first
        expect(loss).to_have_attribute("aria-label", re.compile(r"^loss curve: step \d+ of 4960"))
        stopped = int(trainer.line.split()[-1])
        assert 0 < stopped < 4960
        expect(trainer.button("Go on")).to_be_enabled()

        notebook.start_cell(1)
        trainer.wait_for_line("step")
        trainer.wait_for_new("curves", 3)
        trainer.screenshot("lab-training")
        trainer.interrupt()
        notebook.wait_for_kernel()
        made = int(re.search(r"made (\d+) steps", notebook.output(1)).group(1))
        assert stopped < made < 4960

        notebook.run_cell(2)
        gallery = ExplorerPage(notebook)
        gallery.root = page.locator(".vizkit").last
        captions = gallery.root.locator(".vizkit-gallery .vizkit-caption")
        expect(captions).to_have_count(8)
        gallery.button("Start").click()
        gallery.wait_for_line("finished at step 64")
        expect(captions.last).to_contain_text(re.compile("stripes.*step 64, score", re.DOTALL))
        models = gallery.root.locator(".vizkit-gallery img")
        assert len(set(models.evaluate_all("images => images.map(i => i.src)"))) == 8
        gallery.screenshot("lab-gallery")
        assert notebook.errors == []
