"""Training a small CNN, a step at a time: pause, look, stop."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import Diverged, VizkitError
from ..networks import Classifier, as_device
from ..own_torch import own_torch
from ..progress import make_all
from .datasets import Dataset

CHECKS = 20  # how often the accuracy on unseen pictures is measured on the way
CHECKED = 1000  # on how many of them


@dataclass(frozen=True)
class TrainingStep:
    """What one training step saw, before its update: the mean loss (cross-entropy) of its pictures, and the share of
    them that were classified right."""

    index: int
    loss: float
    accuracy: float


class Training(Iterator[TrainingStep]):
    """
    >>> data = vizkit.datasets.shapes(train=256, test=64)
    >>> training = vizkit.Training(vizkit.small_cnn(3, 8, size=64), data, epochs=1, push=0)
    >>> for step in training:
    ...     print(step.index)
    0
    1

    Trains `network` on `data`: iterate it for a step at a time, or `run()` it. Each step learns from `batch` pictures,
    each picture in turn once an epoch. `history` has a `TrainingStep` for each; `checks` is the accuracy on unseen
    pictures, measured on the way, as (step, accuracy); `test_accuracy()` measures it on all of them.

    learning_rate: its peak; it rises over the first third of the steps and then falls to nothing (one cycle, Smith &
        Topin 2018, arXiv 1708.07120).
    push: each batch is learned from twice: as it is, and then with every image moved by this distance (the length of
        the change, zero-centred) along the gradient of its loss, which the first time brought along ("free"
        adversarial training, Shafahi et al. 2019, arXiv 1904.12843). A network that such small changes cannot fool
        looks for shapes, and its class models show them (Santurkar et al. 2019, arXiv 1906.09453). 0: only as it is.
    seed: of the order of the pictures: the same seed gives the same network on the same machine.

    Raises `VizkitError` where the network does not fit the data; a step raises `Diverged` when the loss is no longer
    finite.
    """

    def __init__(
        self,
        network: nn.Module,
        data: Dataset,
        *,
        epochs: int = 3,
        batch: int = 128,
        learning_rate: float = 0.01,
        push: float = 1.0,
        seed: int = 0,
        device: str | torch.device | None = None,
    ) -> None:
        if epochs < 1 or not 0 < batch <= len(data.pictures):
            raise VizkitError(f"epochs start at 1, a batch has 1 to {len(data.pictures)} pictures: {epochs}, {batch}.")
        self.device = as_device(device)
        self.network, self.data, self.batch, self.push = network.to(self.device), data, batch, push
        self.history: list[TrainingStep] = []
        self.checks: list[tuple[int, float]] = []
        batches, generator = len(data.pictures) // batch, torch.Generator().manual_seed(seed)
        self.steps = epochs * batches * (2 if push else 1)
        shuffled = [torch.randperm(len(data.pictures), generator=generator) for _ in range(epochs)]
        # A row for each batch.
        self._order = torch.cat([order[: batches * batch] for order in shuffled]).view(-1, batch)
        self._mean, self._std = (torch.tensor(one, device=self.device)[:, None, None] for one in (data.mean, data.std))
        self._pushed: tuple[Tensor, Tensor] | None = None  # the last batch, moved, with its classes: it comes next
        self._optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimizer, learning_rate, total_steps=self.steps)
        self._parts: tuple[Any, ...] = (network, self._optimizer, self._schedule)  # what a step changes in place
        classes = len(self._scores(data.pictures[:1])[0])
        if classes != len(data.labels):
            raise VizkitError(f"The network gives {classes} class scores, and {data.name} has {len(data.labels)}.")

    def __repr__(self) -> str:
        return f"Training({type(self.network).__name__} on {self.data.name}, step {self.step} of {self.steps})"

    @property
    def step(self) -> int:
        """How many updates have been made."""
        return len(self.history)

    def __next__(self) -> TrainingStep:
        if self.step >= self.steps:
            raise StopIteration
        made, pushed, checks = self.step, self._pushed, len(self.checks)
        before = deepcopy([part.state_dict() for part in self._parts])
        try:
            return self._one_step()
        except BaseException:  # half a step is none: it can be made again
            if self.step == made:
                self._pushed = pushed
                del self.checks[checks:]
                for part, state in zip(self._parts, before, strict=True):
                    part.load_state_dict(state)
            raise

    @own_torch()
    def _one_step(self) -> TrainingStep:
        images, targets = self._pushed or self._batch(self.step // (2 if self.push else 1))
        images.requires_grad_(self.push > 0)
        self.network.train()
        scores = self.network(images)
        loss = F.cross_entropy(scores, targets)
        if not loss.isfinite():
            raise Diverged(f"The loss is no longer finite at step {self.step}. Lower the learning rate.")
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()

        self._pushed = None if self._pushed or not self.push else (self._moved(images), targets)
        accuracy = (scores.argmax(dim=1) == targets).float().mean()
        step = TrainingStep(self.step, loss.item(), accuracy.item())
        if (step.index + 1) % max(self.steps // CHECKS, 1) == 0:
            self.checks.append((step.index + 1, self.test_accuracy(CHECKED)))
        self.history.append(step)  # and so the step is made
        return step

    def _batch(self, number: int) -> tuple[Tensor, Tensor]:
        chosen = self._order[number]
        return self._images(self.data.pictures[chosen]), self.data.targets[chosen].to(self.device)

    def _moved(self, images: Tensor) -> Tensor:
        """Every image a step of length `push` along its gradient: where its loss grows fastest."""
        assert images.grad is not None
        return (images + self.push * F.normalize(images.grad.flatten(1)).reshape(images.shape)).detach()

    def run(self, *, progress: bool = False) -> "Training":
        """All the steps that are left; `progress` prints a line that counts them, over and over itself. The kernel's
        interrupt (■) raises `KeyboardInterrupt`; what has been learned is kept, and `run()` goes on from there."""
        make_all(self, self, lambda step: f"loss {step.loss:.2f}", progress)
        return self

    def test_accuracy(self, count: int | None = None) -> float:
        """The share of the test pictures, or of the first `count`, that the network classifies right."""
        pictures, targets = self.data.test_pictures[:count], self.data.test_targets[:count]
        guesses = torch.cat([self._scores(part).argmax(dim=1).cpu() for part in torch.split(pictures, 500)])
        return (guesses == targets).float().mean().item()

    def classifier(self, name: str | None = None) -> Classifier:
        """The network as it is now, ready for class models."""
        data, device, name = self.data, self.device, name or self.data.name
        size = data.pictures.shape[2:]
        return Classifier(self.network, data.labels, size=size, mean=data.mean, std=data.std, name=name, device=device)

    def _images(self, pictures: Tensor) -> Tensor:
        """Zero-centred images, as the network takes them."""
        return (pictures.to(self.device) / 255 - self._mean) / self._std

    @own_torch()
    @torch.no_grad()
    def _scores(self, pictures: Tensor) -> Tensor:
        self.network.eval()
        return self.network(self._images(pictures))
