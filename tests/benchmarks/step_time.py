"""What a step costs: vizkit's engine against a hand-written loop on the same prepared network, in one process.

Run it: python tests/benchmarks/step_time.py
"""

import statistics
import time

import torch

import vizkit

ROUNDS, STEPS = 9, 12


def by_hand(net: vizkit.Classifier, target: int, batch: int) -> float:
    """Seconds a step: forward, backward, update, and nothing else."""
    image = (0.1 * torch.randn(batch, 3, net.height, net.width)).requires_grad_(True)
    optimizer = torch.optim.SGD([image], lr=1.0, maximize=True)
    began = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad()
        net(image)[:, target].sum().backward()
        optimizer.step()
    return (time.perf_counter() - began) / STEPS


def by_vizkit(net: vizkit.Classifier, target: int, batch: int) -> float:
    """Seconds a step: the same through `vizkit.ascend`, history and frames included."""
    ascent = vizkit.ascend(net, [target] * batch, steps=STEPS, learning_rate=1.0)
    began = time.perf_counter()
    for _ in range(STEPS):
        next(ascent)
    return (time.perf_counter() - began) / STEPS


def main() -> None:
    net = vizkit.load()
    print(f"{net.name} on {net.device}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    print("batch   by hand   vizkit   ratio (median of paired rounds)")
    for batch in (1, 12):
        by_hand(net, 130, batch), by_vizkit(net, 130, batch)
        pairs = [(by_hand(net, 130, batch), by_vizkit(net, 130, batch)) for _ in range(ROUNDS)]
        hand, ours = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
        ratio = statistics.median(ours / hand for hand, ours in pairs)
        print(f"{batch:5} {hand:7.1f} ms {ours:6.1f} ms   {ratio:.3f}")


if __name__ == "__main__":
    main()
