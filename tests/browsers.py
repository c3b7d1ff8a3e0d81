"""Real notebooks in a real browser: a Jupyter server, Chromium, and what a person would do with both."""

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measured
import nbformat
import pytest
from measured import OUTPUT  # screenshots, to be looked at
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Notes every new picture by a checksum of its bytes, and every new text of the line beside the progress bar.
WATCH = """
() => {
  window.pictures = new Set(); window.curves = new Set(); window.said = [];
  const last = {};
  const note = async (selector, bag) => {
    const image = document.querySelector(selector);
    if (!image || !image.src || last[selector] === image.src) return;
    last[selector] = image.src;
    try {
      const bytes = await (await fetch(image.src)).arrayBuffer();
      const sum = await crypto.subtle.digest("SHA-1", bytes);
      bag.add(Array.from(new Uint8Array(sum)).join());
    } catch (error) { /* replaced by a newer one before it was read */ }
  };
  setInterval(() => {
    note("img.vizkit-picture, .vizkit-picture img, .vizkit-model img", window.pictures);
    const curve = document.querySelector(".vizkit-plot .vizkit-line");
    if (curve) window.curves.add(curve.getAttribute("d"));
    const line = document.querySelector(".vizkit-row .vizkit-note");
    if (line && last.line !== line.textContent) {
      last.line = line.textContent;
      window.said.push([performance.now(), line.textContent]);
    }
  }, 15);
}
"""

# Colab's page loses every widget message that does not answer a request still under way; so does this one then.
STRICT = """
() => {
  const kernel = Jupyter.notebook.kernel, handle = kernel._handle_iopub_message.bind(kernel);
  window.finished = new Set(); window.dropped = 0;
  kernel._handle_iopub_message = (message) => {
    const parent = message.parent_header && message.parent_header.msg_id;
    if (message.header.msg_type === "status" && message.content.execution_state === "idle") finished.add(parent);
    if (message.header.msg_type === "comm_msg" && (!parent || finished.has(parent))) { window.dropped++; return; }
    return handle(message);
  };
}
"""

# Every message takes `half` milliseconds longer, there and back; their order stays.
ROUND_TRIP = """
(half) => {
  const socket = Jupyter.notebook.kernel.ws, send = socket.send.bind(socket), receive = socket.onmessage;
  socket.send = (message) => setTimeout(() => send(message), half);
  socket.onmessage = (event) => setTimeout(() => receive.call(socket, event), half);
}
"""

# Against hanging only: how fast a machine is, no test asks.
LIMIT = 600  # seconds
expect.set_options(timeout=LIMIT * 1000)


def require_chromium() -> str:
    """Chromium's path; without one the test is skipped with its reason, but in continuous integration it fails."""
    if CHROMIUM:
        return CHROMIUM
    if os.environ.get("CI"):
        pytest.fail("No Chromium on this machine: install Debian's package `chromium`.")
    pytest.skip("No Chromium on this machine: install it to drive the notebooks in a real browser.")


@contextlib.contextmanager
def jupyter(
    folder: Path,
    application: str = "lab",
    python: str = sys.executable,
    environment: dict[str, str] | None = None,
) -> Iterator[str]:
    """The address of a Jupyter server over `folder`; "notebook" is the classic page or Notebook 7, as `python` has it.

    `environment` comes on top of this process's own.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    # Classic Notebook 6 reads the first line, the others the second and third.
    options += ["--NotebookApp.token=", f"--NotebookApp.notebook_dir={folder}"]
    options += ["--ServerApp.token=", f"--ServerApp.root_dir={folder}"]
    options += ["--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"]
    command = [python, "-m", "jupyter", application, *options]
    own = {f"JUPYTER_{kind}_DIR": str(folder / ".jupyter") for kind in ("CONFIG", "DATA")}
    # Without the box that asks about news, which would lie over the widgets.
    news = folder / ".jupyter" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own["JUPYTERLAB_SETTINGS_DIR"] = own["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / ".jupyter")
    own |= environment or {}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=os.environ | own)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for_server(f"{address}/api", server, folder / "server.log")
        yield address
    finally:
        server.terminate()
        server.wait(LIMIT)


def wait_for_server(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the server answers; one that has ended, or never answers, is an error."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=LIMIT):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{address} does not answer. {log.read_text()}")


@contextlib.contextmanager
def chromium_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_chromium(), args=FLAGS)
        with new_page(browser) as page:
            yield page
        browser.close()


def new_page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1400, "height": 1100})
    page.set_default_timeout(LIMIT * 1000)
    return page


def with_cells(notebook: Path, folder: Path, *sources: str) -> str:
    """A copy of a notebook in `folder`, with more code cells at its end; its name."""
    document = nbformat.read(notebook, as_version=4)
    document.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(document, folder / notebook.name)
    return notebook.name


COMPARE = """
import vizkit

three = {"none": vizkit.none(), "L2": vizkit.l2(1e-3), "L1": vizkit.l1(1e-3)}
compare = vizkit.Compare(three, target="flamingo", shared=vizkit.crops(0.4, turn=10), steps=4000)
compare
"""


TRAIN = """
import vizkit

data = vizkit.datasets.shapes(train=2000, test=200)
training = vizkit.Training(vizkit.small_cnn(3, 8, size=64, width=16), data, epochs=80, batch=64)
trainer = vizkit.Trainer(training)
trainer
"""
GALLERY = """
gallery = vizkit.Gallery(training.classifier())
gallery
"""


def with_compare(folder: Path) -> str:
    """A notebook in `folder` whose one cell shows three regularizers side by side; its name."""
    return of_cells(folder, "compare.ipynb", COMPARE)


def of_cells(folder: Path, name: str, *sources: str) -> str:
    """A new notebook in `folder`; its name."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / name)
    return name


class Lab:
    """A notebook in JupyterLab, and a person in front of it."""

    place = "lab/tree"

    def __init__(self, page: Page, address: str, name: str) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{address}/{self.place}/{name}?reset")
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.kernelDisplayStatus === 'idle'"
        )
        self.errors.clear()  # what the page itself got wrong while it opened
        page.evaluate(WATCH)

    def start_cell(self, index: int) -> None:
        """Selects the cell and presses Shift + Enter's command; returns at once."""
        self.page.evaluate(
            """(index) => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                window.ran = window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def wait_for_kernel(self) -> None:
        """Returns when the cell that was started has run, also into an error (the kernel drops what comes before)."""
        self.page.evaluate("() => window.ran")
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.kernelDisplayStatus === 'idle'"
        )

    def run_cell(self, index: int) -> None:
        """Starts the cell; returns when it has run."""
        self.start_cell(index)
        self.page.evaluate("() => window.ran")

    def output(self, index: int) -> str:
        """The text under a cell."""
        script = "(i) => window.jupyterapp.shell.currentWidget.content.widgets[i].outputArea.node.innerText"
        return str(self.page.evaluate(script, index)).strip()

    @property
    def comms_over_subshells(self) -> str:
        """How the page sends widgets' messages to the kernel."""
        return str(
            self.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells"
            )
        )

    def interrupt(self) -> None:
        self.page.get_by_role("menuitem", name="Kernel", exact=True).click()
        self.page.get_by_role("menuitem", name=re.compile("^Interrupt Kernel")).click()

    def theme(self, name: str) -> None:
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        self.page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=name)


class Notebook7(Lab):
    """A notebook in Jupyter Notebook 7, which is JupyterLab's notebook on a page of its own."""

    place = "notebooks"


class Classic:
    """A notebook in classic Notebook 6.5, the stand-in for Colab's page, and a person in front of it.

    `round_trip`: milliseconds that a message and its answer spend on their way.
    """

    def __init__(self, page: Page, address: str, name: str | Path, round_trip: float = 0) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{address}/notebooks/{name}")
        page.wait_for_function(
            "() => window.Jupyter?.notebook?.kernel?.is_connected() && Jupyter.notebook.kernel.info_reply?.banner"
        )
        # The page's widget extension loads late; widgets that are made before it is there are lost.
        page.wait_for_function("() => 'jupyter.widget' in Jupyter.notebook.kernel.comm_manager.targets")
        page.evaluate(STRICT)
        if round_trip:
            page.evaluate(ROUND_TRIP, round_trip / 2)
        page.evaluate(WATCH)

    def run_cell(self, index: int) -> None:
        """Runs the cell; returns when it has run."""
        self.page.evaluate("(index) => Jupyter.notebook.execute_cells([index])", index)
        self.page.wait_for_function("(i) => window.finished.has(Jupyter.notebook.get_cell(i).last_msg_id)", arg=index)

    def run_all(self) -> None:
        self.page.evaluate("() => Jupyter.notebook.execute_all_cells()")

    def output(self, index: int) -> str:
        """The text under a cell."""
        return str(
            self.page.evaluate("(i) => Jupyter.notebook.get_cell(i).output_area.element[0].innerText", index)
        ).strip()

    def interrupt(self) -> None:
        self.page.locator("#kernellink").click()
        self.page.locator("#int_kernel").click()

    @property
    def dropped(self) -> int:
        """How many messages the strict filter has kept from the page."""
        return int(self.page.evaluate("() => window.dropped"))


class ExplorerPage:
    """The Explorer on a page, by what a person sees of it."""

    def __init__(self, notebook: Any) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root: Locator = self.page.locator(".vizkit")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name)

    def control(self, label: str) -> Locator:
        """The control that carries a label."""
        return self.root.get_by_label(label, exact=True)

    def choose(self, label: str, option: str) -> None:
        self._dropdown(label).locator("select").select_option(option)

    def wait_for_choice(self, label: str, option: str) -> None:
        """Returns when the list shows it: what the program sets may cross what a person chooses on its way."""
        expect(self._dropdown(label).locator("option:checked")).to_have_text(option)

    def _dropdown(self, label: str) -> Locator:
        return self.root.locator(".widget-dropdown", has_text=re.compile(f"^{label}"))

    def search(self, text: str) -> None:
        box = self.root.locator("input[placeholder^='for example']").first
        box.click()
        box.press("Control+a")
        self.page.keyboard.type(text)

    def options(self) -> list[str]:
        return [text.strip() for text in self.root.locator(".widget-select option").all_inner_texts()]

    def pick(self, label: str) -> None:
        self.page.wait_for_timeout(500)  # as long as a person takes to see the list change
        self.root.locator(".widget-select select").select_option(label)

    @property
    def step(self) -> int:
        found = re.search(r"step (\d+)", self.root.locator(".vizkit-caption").first.inner_text())
        return int(found.group(1)) if found else -1

    @property
    def line(self) -> str:
        return self.root.locator(".vizkit-row .vizkit-note").first.inner_text()

    def wait_for_step(self, step: int) -> None:
        self.page.wait_for_function(
            """(least) => { const text = document.querySelector('.vizkit-caption')?.textContent || '';
                            return Number((text.match(/step (\\d+)/) || [0, -1])[1]) >= least; }""",
            arg=step,
        )

    def wait_for_line(self, start: str, seconds: float = LIMIT) -> None:
        line = self.root.locator(".vizkit-row .vizkit-note").first
        expect(line).to_have_text(re.compile("^" + start), timeout=seconds * 1000)

    def count(self, bag: str) -> int:
        return int(self.page.evaluate(f"() => window.{bag}.size"))

    def picture_source(self) -> str:
        return str(self.page.evaluate("() => document.querySelector('img.vizkit-picture, .vizkit-picture img').src"))

    def press_stop(self) -> float:
        """Presses Stop by a real click; the milliseconds until the page says that the run has stopped."""
        self.button("Stop").scroll_into_view_if_needed()
        self.page.evaluate(
            """() => document.addEventListener("click", () => { window.clicked = performance.now(); },
                                               {capture: true, once: true})"""
        )
        self.button("Stop").click()
        script = "() => window.said.find(([at, text]) => at > window.clicked && text.startsWith('stopped'))"
        self.page.wait_for_function(script)
        return float(self.page.evaluate(f"() => ({script})()[0] - window.clicked"))

    def wait_for_new(self, bag: str, count: int) -> None:
        """Until the page has shown `count` more of its "pictures" or "curves"."""
        script = "([bag, least]) => window[bag].size >= least"
        self.page.wait_for_function(script, arg=[bag, self.count(bag) + count])

    def stands_still(self, seconds: float = 1.5) -> str:
        """Waits for the step that is under way; the line that then stays as it is for some seconds."""
        for _ in range(10):
            line = self.line
            self.page.wait_for_timeout(seconds * 1000)
            if self.line == line:
                return line
        raise AssertionError(f"it still moves: {self.line}")

    def interrupt(self) -> None:
        """By the page's own menu, again where one gets lost on its way, as in the first second of a cell."""
        for _ in range(LIMIT // 10):
            self.notebook.interrupt()
            with contextlib.suppress(AssertionError):
                self.wait_for_line("interrupted", seconds=10)
                return
        raise AssertionError(f"no interrupt arrives: {self.line}")

    def set_steps(self, steps: int) -> float:
        """Returns when, on the page's clock."""
        box = self.root.locator(".widget-text", has_text=re.compile("^Steps")).locator("input")
        box.fill(str(steps))
        now = float(self.page.evaluate("() => performance.now()"))
        box.press("Enter")
        return now

    def turn_steps(self, steps: int) -> float:
        """Changes the number of steps during a run; the milliseconds until the page says that the run knows."""
        began = self.set_steps(steps)
        self.page.wait_for_function("(text) => window.said.at(-1)[1].includes(text)", arg=f"of {steps}")
        script = "(text) => window.said.find(([, line]) => line.includes(text))[0]"
        return float(self.page.evaluate(script, f"of {steps}") - began)

    def slide(self, slider: Locator, *keys: str) -> None:
        """Moves a slider by keys."""
        slider.locator(".noUi-handle, .ui-slider-handle").first.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def measure(self, name: str, seconds: float = 3) -> None:
        """Notes, for a run: pictures a second, and the milliseconds that a knob and Stop take to be seen."""
        self.set_steps(2000)
        self.button("Start").click()
        self.wait_for_step(5)
        began, before = time.perf_counter(), self.count("pictures")
        self.page.wait_for_timeout(seconds * 1000)
        rate = (self.count("pictures") - before) / (time.perf_counter() - began)
        knob, stop = self.turn_steps(1999), self.press_stop()
        measured.note(f"{name}: {rate:.1f} pictures a second, a knob {knob:.0f} ms, Stop {stop:.0f} ms")

    def screenshot(self, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        self.root.first.evaluate("element => element.scrollIntoView()")
        self.page.screenshot(path=OUTPUT / f"{name}.png")


def walk(explorer: ExplorerPage, name: str) -> None:
    """What a person does with the Explorer, from the first letter to the second run; asserts what they would see."""
    page = explorer.page

    # Type, pick, choose.
    explorer.search("flam")
    expect(explorer.root.locator(".widget-select option")).to_have_count(1)
    assert explorer.options() == ["flamingo"]
    expect(explorer.root.locator(".widget-select option:checked")).to_have_text("flamingo")
    explorer.pick("flamingo")
    explorer.choose("Preset", "simonyan")
    explorer.wait_for_choice("Regularizer", "l2")
    explorer.choose("Regularizer", "l1")
    explorer.wait_for_choice("Preset", "simonyan, changed")
    explorer.choose("Regularizer", "l2")
    explorer.set_steps(2000)

    # Start: the picture and the curve grow.
    explorer.button("Start").click()
    explorer.wait_for_step(5)
    explorer.wait_for_new("pictures", 10)
    explorer.wait_for_new("curves", 2)
    explorer.screenshot(f"{name}-running")

    # A knob in the middle of the run: the curve gets its mark, and the code tells.
    strength = explorer.root.locator(".widget-hslider, .widget-selectionslider", has_text=re.compile("^strength"))
    explorer.slide(strength.first, *["ArrowRight"] * 4)
    turned = explorer.step
    explorer.wait_for_step(turned + 10)

    # Pause holds the step; going on goes on.
    explorer.button("Pause").click()
    explorer.wait_for_line("paused")
    assert explorer.stands_still().startswith("paused")
    explorer.button("Go on").click()
    explorer.wait_for_step(explorer.step + 3)

    # Stop.
    explorer.press_stop()
    stopped = explorer.step
    page.wait_for_timeout(1000)
    assert explorer.step == stopped
    explorer.button("Show the code").click()
    code = explorer.root.locator("pre").inner_text()
    assert "vizkit.ascend(" in code
    assert "ascent.regularizer = vizkit.l2(" in code, code
    explorer.button("Show the code").click()

    # Scrub to an early frame, and back.
    newest = explorer.picture_source()
    timeline = explorer.root.locator(".vizkit-timeline").first
    explorer.slide(timeline, "Home")
    expect(explorer.root.locator(".vizkit-caption").first).to_contain_text(re.compile(r"step 0(?!\d)"))
    assert explorer.picture_source() != newest
    explorer.slide(timeline, "End")
    explorer.wait_for_step(stopped)

    # Keep, and a second run beside it.
    explorer.button("Keep").click()
    expect(explorer.root.locator(".vizkit-card")).to_have_count(1)
    explorer.search("strawb")
    expect(explorer.root.locator(".widget-select option")).to_have_count(1)
    expect(explorer.root.locator(".widget-select option:checked")).to_have_text("strawberry")
    explorer.choose("Preset", "vizkit")
    explorer.button("Start").click()
    expect(explorer.root.locator(".vizkit-caption").first).to_contain_text("strawberry")
    explorer.wait_for_step(30)
    explorer.press_stop()
    explorer.button("Keep").click()
    expect(explorer.root.locator(".vizkit-card")).to_have_count(2)
    explorer.screenshot(f"{name}-stopped")


def walk_compare(compare: ExplorerPage, name: str, folder: Path) -> None:
    """The same with the notebook of `with_compare`."""
    captions = compare.root.locator(".vizkit-model .vizkit-caption")
    expect(captions).to_have_count(3)
    compare.search("strawb")
    expect(compare.root.locator(".widget-select option")).to_have_count(1)
    compare.button("Start").click()
    compare.wait_for_step(3)
    compare.wait_for_step(10)
    compare.button("Pause").click()
    compare.wait_for_line("paused")
    texts = captions.all_inner_texts()
    assert [text.split("\n")[0] for text in texts] == ["none", "L2", "L1"]
    assert len({text.split("step")[1].split(",")[0] for text in texts}) == 1  # one timeline for all
    images = compare.root.locator(".vizkit-model img")
    sources = images.evaluate_all("images => images.map(i => i.src)")
    timeline = compare.root.locator(".vizkit-timeline").first
    compare.slide(timeline, "Home")
    expect(captions.last).to_contain_text("step 0,")
    early = images.evaluate_all("images => images.map(i => i.src)")
    assert not set(early) & set(sources)
    compare.slide(timeline, "End")
    compare.button("Go on").click()
    compare.wait_for_step(20)
    compare.press_stop()
    compare.button("Save GIF").click()
    expect(compare.root.get_by_role("link", name="download it")).to_be_visible()
    with Image.open(folder / "strawberry-none-L2-L1.gif") as animation:
        assert animation.n_frames > 10
        assert animation.width > 2 * animation.height  # all three, side by side
    compare.screenshot(name)


BUTTONS = ("Start", "Start", "Pause", "Go on", "Stop", "Keep", "Remove", "Save PNG", "Show the code")
KEYS = ("ArrowLeft", "ArrowRight", "ArrowRight", "Home", "End")
PRESETS = ("vizkit", "simonyan", "cs231n", "small", "ozbulak")


def random_walk(explorer: ExplorerPage, name: str, actions: int, seed: int = 0) -> None:
    """So many real clicks and keys, in any order; after every few, what the page says is so, and Stop stops."""
    page, root, chance, slowest, done = explorer.page, explorer.root, random.Random(seed), 0.0, 0

    def press(name: str) -> None:
        button = explorer.button(name).first
        if button.count() and button.is_enabled():
            button.click(timeout=1000)

    def keys(slider: Locator) -> None:
        shown = slider.locator("visible=true")
        if shown.count():
            explorer.slide(shown.first, *[chance.choice(KEYS) for _ in range(chance.randint(1, 4))])

    def choose(label: str, *options: str) -> None:
        select = explorer._dropdown(label).first.locator("select")
        if select.is_enabled():
            select.select_option(chance.choice(options), timeout=1000)

    does: list[Callable[[], Any]] = [lambda name=one: press(name) for one in BUTTONS]
    does += [
        lambda: keys(root.locator(".vizkit-timeline")),
        lambda: keys(root.locator(".widget-hslider, .widget-selectionslider").filter(has_text=re.compile("^strength"))),
        lambda: choose("Network", "efficientnet_lite0", "fashion", "shapes"),
        lambda: choose("Look at", "the classes", "layer 4, 24 units", "layer 4, 48 units", "layer 4, 64 units"),
        lambda: choose("Preset", *PRESETS),
        lambda: choose("Regularizer", "none", "l1", "l2", "total_variation"),
        lambda: choose("Regularizer", "none", "l1", "l2", "total_variation"),
        lambda: explorer.set_steps(chance.choice([0, 1, 20, 500, 5000, 5000])),
        lambda: explorer.search(chance.choice(["spider", "s", "qqqq", "bag", ""])),
        lambda: page.wait_for_timeout(chance.choice([50, 300])),
        lambda: press("More knobs"),
    ]
    while done < actions:
        page.set_default_timeout(2000)  # what has gone meanwhile, or is hidden, a person cannot use, either
        for _ in range(chance.randint(5, 15)):
            with contextlib.suppress(PlaywrightTimeout):
                chance.choice(does)()
            done += 1
        page.set_default_timeout(LIMIT * 1000)
        page.wait_for_timeout(500)  # the last click is on its way
        told, stop = root.locator(".vizkit-row .vizkit-note"), explorer.button("Stop")
        expect(told.filter(has_text=re.compile("^loading"))).to_have_count(0)
        for _ in range(20):  # a Start may be on its way, too
            if stop.is_enabled():
                began = time.perf_counter()
                with contextlib.suppress(PlaywrightTimeout):  # it has ended by itself
                    stop.click(timeout=1000)
                expect(stop).to_be_disabled()
                slowest = max(slowest, time.perf_counter() - began)
            line = explorer.stands_still(0.4).strip() if told.count() else ""
            found = re.fullmatch(r"(stopped|finished|failed) at step (\d+)", line)
            if found or not line:
                break
        if line:
            assert found, f"{line}; Stop is {'on' if stop.is_enabled() else 'off'}"
            if root.locator(".vizkit-caption").count():  # or else it was stopped before its first picture
                explorer.slide(root.locator(".vizkit-timeline"), "End")
                expect(root.locator(".vizkit-caption").first).to_contain_text(f"step {found[2]}")
    explorer.set_steps(3)
    explorer.button("Start").click()
    explorer.wait_for_line("finished at step 3")
    measured.note(f"{name}: a random user, {done} actions, slowest Stop {1000 * slowest:.0f} ms")
