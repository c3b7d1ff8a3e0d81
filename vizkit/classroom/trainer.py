"""Trainer: watch a small CNN learn, and stop it when it has learned enough."""

import ipywidgets as W

from ..widgets.curves import Curves
from ..widgets.panel import JobPanel
from .lessons import accuracy_lines, loss_lines
from .training import Training


class Trainer(JobPanel):
    """
    >>> data = vizkit.datasets.shapes(train=256, test=64)
    >>> trainer = vizkit.Trainer(vizkit.Training(vizkit.small_cnn(3, 8, size=64), data, epochs=1))
    >>> trainer.run().step
    4

    A training, live: loss and accuracy as they go. Last line of a cell, it shows itself; Start begins, Pause and Stop
    hold it, and Start goes on from there. `run()` makes all the steps that are left in the cell that calls it, live,
    too, and returns the training; there the kernel's interrupt (■) raises `KeyboardInterrupt`. What has been learned is
    kept.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.start.tooltip = "Train, or go on with it"
        self.loss, self.accuracy = Curves("loss"), Curves("accuracy")
        curves = W.Box([self.loss, self.accuracy], layout=self._wide).add_class("vizkit-columns")
        self._arrange([curves.add_class("vizkit-training"), *self._driver()])

    def _begin(self) -> Training:
        return self._from_here(self.training)

    def _render(self) -> None:
        super()._render()
        training = self.training
        self.start.disabled = self.loop.busy or training.step >= training.steps
        self.start.description = "Go on" if 0 < training.step < training.steps and not self.loop.busy else "Start"
        self._show_progress(training.step, training.steps, str(training.device))
        checked = f", {training.checks[-1][1]:.1%} of unseen pictures right" if training.checks else ""
        words = f"curve: step {training.step} of {training.steps}{checked}"
        at_once, reach = not self.loop.busy, training.steps
        self.loss.grow(lambda: loss_lines(training), at_once, reach=reach, least=0, words=f"loss {words}")
        how = {"least": 0, "most": 1, "words": f"accuracy {words}"}
        self.accuracy.grow(lambda: accuracy_lines(training), at_once, reach=reach, **how)
