"""A random user: does what people do with an Explorer, in any order, at any moment, from other threads, too; and after
every burst all must be as it says. A seed makes the same user again, as far as threads allow.

For more of them: python tests/benchmarks/random_user.py 20000 [seed]
"""

import asyncio
import contextlib
import gc
import html
import io
import random
import re
import threading
import time
import traceback
from collections import Counter
from datetime import datetime

import ipywidgets as W
import numpy as np
import pytest
from PIL import Image

import vizkit
from vizkit.recipes import recipes
from vizkit.widgets import explorer as explorer_module

NETWORKS = ("fashion", "shapes")
SLOW_RECIPES = {"horama", "maco"}  # seconds a step: their code, run again, would take all the time
PATIENCE = 20.0  # seconds: for what a busy machine may take


def photo(side):
    stream = io.BytesIO()
    Image.fromarray(np.random.RandomState(side).randint(0, 256, (side, side, 3), np.uint8)).save(stream, "png")
    return stream.getvalue()


class User:
    """One person with one Explorer."""

    def __init__(self, seed):
        self.chance, self.done = random.Random(seed), Counter()
        self.problems, self.slowest_stop, self.codes, self.actions = [], 0.0, 0, 0
        self.explorer = vizkit.Explorer("fashion", steps=12)
        self.doing = [getattr(self, name) for name in dir(type(self)) if name.startswith("does_")]

    # What people do.

    def does_start(self):
        self.click(self.explorer.start)

    def does_stop(self):
        self.click(self.explorer.stop)

    def does_pause(self):
        self.click(self.explorer.pause)

    def does_keep(self):
        if len(self.explorer.strip.children) < 4:
            self.click(self.explorer.keep)

    def does_remove(self):
        if self.explorer.strip.children:
            self.click(self.chance.choice(self.explorer.strip.children).children[-1])

    def does_save_png(self):
        self.click(self.explorer.save_png)

    def does_save_gif(self):
        if self.chance.random() < 0.2:
            self.click(self.explorer.save_gif)

    def does_show_code(self):
        self.click(self.explorer.show_code)

    def does_type(self):
        self.explorer.controls.picker.query.value = self.chance.choice(["s", "shirt", "qqqq", "", "star", "bo", "<b>"])

    def does_choose_class(self):
        self.choose(self.explorer.controls.picker.choice)

    def does_choose_preset(self):
        if self.chance.random() < 0.4:
            name = self.chance.choice([name for name in recipes() if name not in SLOW_RECIPES])
            self.turn(self.explorer.controls.preset, name)
            self.turn(self.explorer.controls.steps, self.chance.randint(1, 20))

    def does_choose_regularizer(self):
        rows = self.chance.choice([*self.explorer.controls._rows]).rows
        self.choose(self.chance.choice(rows).kind)

    def does_choose_no_regularizer(self):
        for rows in self.explorer.controls._rows:
            self.turn(self.chance.choice(rows.rows).kind, "none")

    def does_drag_strength(self):
        row = self.chance.choice(self.chance.choice([*self.explorer.controls._rows]).rows)
        for _ in range(self.chance.randint(1, 4)):
            if row.strength.slider and row.strength.slider.comm:
                self.choose(row.strength.slider)

    def does_steps(self):
        self.turn(self.explorer.controls.steps, self.chance.choice([0, 1, 2, 5, 9, 14, 25, 40, 2000]))

    def does_learning_rate(self):
        self.choose(self.explorer.controls.learning_rate.slider)

    def does_schedule(self):
        self.choose(self.explorer.controls.schedule)

    def does_optimizer(self):
        self.choose(self.explorer.controls.optimizer)

    def does_basis(self):
        self.choose(self.explorer.controls.basis)

    def does_objective(self):
        self.choose(self.explorer.controls.objective)

    def does_start_from(self):
        self.choose(self.explorer.controls.start)

    def does_seed(self):
        self.turn(self.explorer.controls.seed, self.chance.randint(-3, 3))

    def does_upload(self):
        content = self.chance.choice([photo(8), photo(50), b"", b"no picture"])
        file = {"name": "cat.png", "type": "image/png", "size": len(content), "content": memoryview(content)}
        self.explorer.controls.photo.upload.value = ({**file, "last_modified": datetime.now()},)

    def does_network(self):
        self.turn(self.explorer.controls.network, self.chance.choice([*NETWORKS, *NETWORKS, "alexnet"]))

    def does_look(self):
        self.choose(self.explorer.controls.look)

    def does_scrub(self):
        timeline = self.explorer.timeline
        if not timeline.disabled:
            timeline.value = self.chance.randint(timeline.min, timeline.max)

    def does_run_in_a_cell(self):
        if self.chance.random() < 0.2 and self.explorer.controls.steps.value <= 25:
            with contextlib.suppress(Exception):  # a regularizer of one's own may raise; a cell shows that
                self.explorer.run()

    def does_run_the_cell_again(self):
        if self.chance.random() < 0.1:
            self.explorer.close()
            self.explorer = vizkit.Explorer(self.chance.choice(NETWORKS), steps=12)

    # How they do it.

    def click(self, button):
        """What is disabled on the page cannot be pressed, but for a click that was on its way already."""
        if not button.disabled or self.chance.random() < 0.1:
            button.click()

    def choose(self, control):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        self.turn(control, self.chance.choice(values))

    def turn(self, control, value):
        if not control.disabled or self.chance.random() < 0.1:
            with contextlib.suppress(W.trait_types.traitlets.TraitError):  # an option that has gone meanwhile
                control.value = value

    async def burst(self):
        for _ in range(self.chance.randint(3, 14)):
            action = self.chance.choice(self.doing)
            self.done[action.__name__] += 1
            self.actions += 1
            in_thread = self.chance.random() < 0.3 and "cell" not in action.__name__  # cells run here
            try:
                if in_thread:
                    await asyncio.to_thread(action)
                else:
                    action()
            except Exception as error:  # nothing may escape from what a person does
                self.problem(f"{action.__name__} raised", error)
            if self.chance.random() < 0.6:
                await asyncio.sleep(self.chance.choice([0, 0.001, 0.02, 0.1]))

    def problem(self, what, error=None):
        explorer, line = self.explorer, re.sub("<.*?>", "", self.explorer.remaining.value)
        code = explorer.ascent.code() if explorer.ascent else ""
        trace = "".join(traceback.format_exception(error)[-4:]) if error else ""
        self.problems.append((self.actions, what, line, code, trace))

    # What must hold.

    async def until(self, condition, patience=PATIENCE):
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.002)
        return True

    async def check(self):
        explorer = self.explorer
        if not await self.until(lambda: not explorer.loader.busy):
            self.problem("a network never arrives")
        # Stop stops, soon.
        began = time.monotonic()
        explorer.stop.click()
        if not await self.until(lambda: not explorer.loop.busy):
            self.problem("it does not stop")
        self.slowest_stop = max(self.slowest_stop, time.monotonic() - began)
        await asyncio.sleep(0.05)
        if any("RunLoop._run" in repr(task) for task in asyncio.all_tasks()):
            self.problem("a run lives on")
        explorer._publish()

        # What the page says is so.
        ascent, line = explorer.ascent, html.unescape(re.sub("<.*?>", "", explorer.remaining.value)).strip()
        shown = explorer.controls.network.value, explorer.controls.look.value
        if shown != ((explorer.net.whole or explorer.net).name, explorer.net.layer):
            self.problem(f"the lists say {shown}, the network is {explorer.net.name}")
        if explorer.controls.picker.net is not explorer.net:
            self.problem("the classes are another network's")
        if ascent is not None and line != f"{explorer.loop.state} at step {ascent.step}":
            self.problem(f"the line says {line!r} when {explorer.loop.state} at step {ascent.step}")
        frame = explorer._shown
        if frame and f"step {frame.step}" not in explorer.caption.value:
            self.problem(f"the caption is not of step {frame.step}: {explorer.caption.value}")
        if frame and not np.array_equal(frame.pictures, frame.ascent.frames[frame.step]):
            self.problem("the picture is not the frame")
        if not any(button.disabled for button in (explorer.start, explorer.stop)):
            self.problem("Start and Stop can both be pressed")

        # The code makes the picture, to the bit.
        if ascent is not None and ascent.history and explorer.loop.state != "failed":
            start = ascent.initial.start
            names = {"photo": start}
            code = ascent.code()
            exec(code.replace("  # yours", ""), names)
            self.codes += 1
            if not np.array_equal(names["ascent"].pictures, ascent.pictures):
                self.problem("the code makes another picture")

        # Start starts.
        explorer.controls.seed.value = 0
        if explorer.controls.start.value == "photo" and explorer.controls.photo.photo is None:
            explorer.controls.start.value = "random"
        explorer.controls.steps.value = 3
        explorer.start.click()
        if not await self.until(lambda: explorer.loop.state in ("finished", "failed")):
            self.problem(f"Start does not start: {explorer.loop.state}")
        if explorer.loop.state == "failed" and "alert" not in explorer.message.value:
            self.problem("it failed without a word")


async def use(actions, seed):
    """A user who does so many things; the user."""
    user, stray = User(seed), []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: stray.append(context))
    before = threading.excepthook
    threading.excepthook = stray.append
    try:
        while user.actions < actions:
            await user.burst()
            if len(user.problems) > 3:
                break
            await user.check()
    finally:
        threading.excepthook = before
    user.problems += [(user.actions, "escaped", one) for one in stray]
    user.explorer.close()
    await asyncio.sleep(0.2)
    return user


def patched(monkeypatch, folder):
    monkeypatch.chdir(folder)

    def load(name):
        if name not in NETWORKS:
            raise vizkit.VizkitError(f"The weights of {name} could not be downloaded.")
        time.sleep(0.05)
        return vizkit.load(name)

    monkeypatch.setattr(explorer_module, "load", load)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # photos that are none, runs that come to nothing
@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_random_user_does_the_explorer_is_as_it_says(seed, tmp_path, monkeypatch):
    patched(monkeypatch, tmp_path)
    widgets = len(W.widgets.widget._instances)
    user = asyncio.run(asyncio.wait_for(use(500, seed), 900))
    assert user.problems == []
    gc.collect()
    assert len(W.widgets.widget._instances) <= widgets
