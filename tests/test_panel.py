"""What all panels share, without a browser: interrupts, and how panels come and go."""

import gc
import subprocess
import weakref
from pathlib import Path

import ipywidgets as W
import pytest
from test_widgets import all_widgets, catalogue, live, until  # noqa: F401  # catalogue: a fixture

import vizkit
from vizkit.widgets import panel as panel_module

PANELS = {
    "Explorer": lambda net, one: vizkit.Explorer(net, regularizer=one, steps=10),
    "Gallery": lambda net, one: vizkit.Gallery(net, regularizer=one, steps=10),
    "Compare": lambda net, one: vizkit.Compare({"mine": one}, net, steps=10),
}


@pytest.mark.parametrize("make", PANELS.values(), ids=PANELS)
def test_an_interrupt_in_run_ends_the_cell_and_keeps_what_was_made(tiny, make, catalogue):  # noqa: F811
    calls = []

    @vizkit.regularizer("penalty")
    def slow(image):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return image.square().sum(dim=(1, 2, 3))

    panel = make(tiny, slow(1e-3))
    with pytest.raises(KeyboardInterrupt):
        panel.run()
    assert (panel.ascent.step, panel.ascent.finished, panel.timeline.value) == (3, True, 3)
    assert "interrupted at step 3" in panel.remaining.value


def live_widgets():
    """All that ipywidgets keeps, by its channel to the page."""
    return dict(W.widgets.widget._instances)


class Shell:
    """What a kernel's shell knows of the cell that it runs, and what the last line of a cell gave."""

    def __init__(self, monkeypatch):
        self.parent_header, self.user_ns, self.user_ns_hidden = {}, {"_oh": {}}, {}
        monkeypatch.setattr(panel_module, "get_ipython", lambda: self)
        self.count = 0

    def run(self, cell, make, **metadata):
        self.count += 1
        content = {} if metadata else {"code": cell}
        metadata = metadata or {"cellId": cell}
        self.parent_header = {"header": {"msg_id": str(self.count)}, "metadata": metadata, "content": content}
        made = self.user_ns["_oh"][self.count] = make()
        self.user_ns[f"_{self.count}"] = self.user_ns_hidden[f"_{self.count}"] = made
        return made


MAKERS = {
    "Explorer": lambda net: vizkit.Explorer(net, "star", steps=3),
    "Compare": lambda net: vizkit.Compare({"none": None, "L2": vizkit.l2(1e-3)}, net, steps=3),
    "Gallery": lambda net: vizkit.Gallery(net, steps=3),
    "Trainer": lambda net: vizkit.Trainer(
        vizkit.Training(
            vizkit.small_cnn(3, 8, size=16, width=4), vizkit.datasets.shapes(train=16, test=8, side=16), batch=8
        )
    ),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_cell_that_is_run_again_leaves_nothing_of_its_panel(tiny, make, monkeypatch):
    shell, counts, gone = Shell(monkeypatch), [], []

    def cell():
        panel = make(tiny)
        panel.run()
        if isinstance(panel, vizkit.Explorer):
            panel.keep.click()
            panel.controls.views.rows[-1].kind.value = "jitter"
            panel.controls.penalties.rows[1].kind.value = "l1"
        gone.append(weakref.ref(panel))
        return panel

    for _ in range(10):
        shell.run("this", cell)
        counts.append(len(live_widgets()))
    gc.collect()
    assert len(set(counts)) == 1
    assert [panel() is None for panel in gone] == [True] * 9 + [False]
    assert list(shell.user_ns["_oh"]) == [10]


def test_panels_of_other_cells_and_of_one_run_live_side_by_side(tiny, monkeypatch):
    shell = Shell(monkeypatch)
    other = shell.run("other", lambda: vizkit.Explorer(tiny))
    pair = shell.run("this", lambda: [vizkit.Explorer(tiny), vizkit.Gallery(tiny)])
    ids = [panel.model_id for panel in (other, *pair)]
    assert set(ids) <= live_widgets().keys()
    shell.run("this", lambda: vizkit.Explorer(tiny))
    assert [one in live_widgets() for one in ids] == [True, False, False]
    assert pair[0].ascent is None
    assert pair[1].run().step > 0  # who holds a panel still has it in Python


def test_outside_a_cell_nothing_is_kept(tiny):
    panel = weakref.ref(vizkit.Explorer(tiny))
    panel().close()
    gc.collect()
    assert panel() is None


@live
async def test_a_cell_that_is_run_again_ends_its_run_and_no_other(tiny, monkeypatch):
    shell = Shell(monkeypatch)

    def started():
        panel = vizkit.Explorer(tiny, "star", steps=100_000)
        panel.start.click()
        return panel

    other, old = shell.run("other", started), shell.run("this", started)
    await until(lambda: min(panel.ascent.step for panel in (other, old)) > 2)
    new = shell.run("this", started)
    await until(lambda: not old.loop.busy)
    held = old.ascent.step
    await until(lambda: new.ascent.step > 10)
    assert [panel.loop.state for panel in (other, old, new)] == ["running", "stopped", "running"]
    assert (old.ascent.step, old.ascent.finished) == (held, True)
    for panel in (other, new):
        panel.close()
        await until(lambda panel=panel: not panel.loop.busy)


def test_a_panel_can_be_made_after_all_widgets_were_closed(tiny):
    for make in MAKERS.values():
        make(tiny)
        W.Widget.close_all()
        panel = make(tiny)
        assert {one.layout.comm is None for one in all_widgets(panel)} == {False}
        panel.close()
    assert not live_widgets()


def test_a_panel_has_room_on_pages_with_250_channels(tiny):
    before = len(live_widgets())
    vizkit.Explorer(tiny)
    assert len(live_widgets()) - before < 190


# The page's part.


def test_each_panel_brings_its_style_sheet_and_its_script_once(tiny):
    for make in MAKERS.values():
        pages = [one for one in all_widgets(make(tiny)) if hasattr(one, "_css")]
        assert len(pages) == 1
        assert ".vizkit-alert" in pages[0]._css
        assert "aria-label" in pages[0]._esm


@pytest.mark.parametrize("name", ["page.js", "clock.js", "curves.js"])
def test_the_scripts_are_javascript(name, node, tmp_path):
    module = tmp_path / f"{name}.mjs"
    module.write_text((Path(vizkit.widgets.__file__).parent / name).read_text())
    subprocess.run([node, "--check", str(module)], check=True)
