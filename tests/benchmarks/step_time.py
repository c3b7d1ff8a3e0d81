"""What a step costs: the engine against the bare passes of the same prepared network, in one process, one thread.

Run it: python tests/benchmarks/step_time.py

"plain" is a step on the pixels with L2 against forward, backward and update by hand; "vizkit" a step of our recipe
against forward and backward of its two views. The two take turns, so that whatever else the machine does meets both;
each row gives the medians, in seconds of the processor, and the median of the ratios. "layer 4" to "layer 18" are steps
of a unit of that layer, on the pixels, against one of the whole network: what comes after the layer is not run.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import torch

import vizkit

ROUNDS, STEPS, TARGET = 15, 12, 130
VIEW = 160  # pixels: the views of the recipe "vizkit" at 224


def bare(net: vizkit.Classifier, batch: int, side: int, update: bool = True) -> Iterator[None]:
    """Forward, backward, update, and nothing else."""
    image = (0.1 * torch.randn(batch, 3, side, side)).requires_grad_(True)
    optimizer = torch.optim.SGD([image], lr=1.0, maximize=True)
    while True:
        optimizer.zero_grad()
        net(image)[:, TARGET].sum().backward()
        if update:
            optimizer.step()
        yield


def plain(net: vizkit.Classifier, target: int = TARGET) -> vizkit.Ascent:
    """History and frames included, as everywhere."""
    return vizkit.ascend(net, target, regularizer=vizkit.l2(1e-4), steps=10_000, learning_rate=1.0)


def by_recipe(net: vizkit.Classifier) -> vizkit.Ascent:
    recipe = vizkit.recipe("vizkit")
    if hasattr(recipe, "ascend"):  # so it was written once: PYTHONPATH=… measures an old checkout by this file
        return recipe.ascend(net, TARGET, steps=10_000)
    return vizkit.ascend(net, TARGET, recipe=recipe, steps=10_000)


def seconds(steps: Iterator[object]) -> float:
    """Of the processor, a step."""
    began = time.process_time()
    for _ in range(STEPS):
        next(steps)
    return (time.process_time() - began) / STEPS


def compare(name: str, ours: Callable[[], Iterator[object]], by_hand: Callable[[], Iterator[object]]) -> None:
    pair = by_hand(), ours()
    for steps in pair:  # the first steps meet cold caches
        seconds(steps)
    rounds = [tuple(map(seconds, pair)) for _ in range(ROUNDS)]
    hand, own = (statistics.median(column) * 1000 for column in zip(*rounds, strict=True))
    ratio = statistics.median(own / hand for hand, own in rounds)
    print(f"{name:16} {hand:8.1f} ms {own:8.1f} ms   {ratio:.3f}", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    net = vizkit.load(device="cpu")
    print(f"{net.name}, torch {torch.__version__}, vizkit from {vizkit.__file__}")
    print("step             the passes    a step   ratio (median of paired rounds)")
    compare("plain", lambda: plain(net), lambda: bare(net, 1, net.height))
    for layer in ("4", "7", "14", "18"):
        inside = net.inside(layer)
        compare(f"layer {layer}", lambda inside=inside: plain(inside, 4), lambda: plain(net))  # type: ignore[misc]
    compare("vizkit", lambda: by_recipe(net), lambda: bare(net, 2, VIEW, update=False))


if __name__ == "__main__":
    main()
