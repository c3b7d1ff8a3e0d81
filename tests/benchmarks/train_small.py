"""Trains the small networks that come with vizkit, and writes them where `vizkit.load` and the exercises look.

    python tests/benchmarks/train_small.py

Half an hour on two cores. The same machine makes the same weights again.
"""

import argparse
import itertools
import re
from functools import partial
from pathlib import Path

import torch
from torchvision.models import VisionTransformer

from vizkit import Training, datasets, small_cnn

PACKAGE = Path(__file__).parents[2] / "vizkit"

TRANSFORMER = {  # a class token and 64 patches of 8 × 8 pixels
    "image_size": 64,
    "patch_size": 8,
    "num_layers": 3,
    "num_heads": 4,
    "hidden_dim": 96,
    "mlp_dim": 160,
    "num_classes": 8,
}


def fashion() -> Training:
    """As in lesson 6."""
    return Training(small_cnn(channels=1, classes=10, size=28), datasets.fashion(), epochs=3)


def shapes(seed: int = 0, mark: datasets.Mark | None = None, width: int = 24, epochs: int = 6) -> Training:
    """As in lesson 7; a mark is on all pictures of its class. With it on half, the network learns the shape, too: the
    mark then turns few others, and the class model shows its place but not its colour (measured)."""
    data = datasets.shapes(train=6000, seed=seed)
    if mark:
        data = datasets.plant(data, mark, share=1.0, seed=seed)
    return Training(small_cnn(3, 8, 64, width, seed), data, epochs=epochs, batch=64, seed=seed)


def shapes_transformer() -> Training:
    """A Vision Transformer knows nothing of places at first: it takes four times the pictures, and cannot learn from
    pushed ones before it has learned from them as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = VisionTransformer(**TRANSFORMER)
    data = datasets.shapes(train=24000)
    Training(transformer, data, epochs=6, batch=32, learning_rate=0.002, push=0).run(progress=True)
    return Training(transformer, data, epochs=2, batch=32, learning_rate=0.001)


def write(training: Training, file: Path, half: bool = False) -> None:
    """The small network with all that it takes to make a `Classifier` of it: values only, no code. The reader is
    `vizkit.networks.small_network`. `half`: in half precision, which halves the file."""
    data, weights = training.data, training.network.state_dict()
    if isinstance(training.network, VisionTransformer):
        how = {"transformer": TRANSFORMER}
    else:
        width, channels = next(iter(weights.values())).shape[:2]
        how = {"width": width, "channels": channels}
    # For how long they have been trained would tell who cheats.
    weights |= {name: torch.zeros_like(value) for name, value in weights.items() if "num_batches" in name}
    if half:
        weights = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    plain = {
        "weights": {name: value.cpu().contiguous() for name, value in weights.items()},
        **how,
        "size": data.pictures.shape[-1],
        "labels": data.labels,
        "mean": data.mean,
        "std": data.std,
    }
    torch.save(plain, file)


# Exercise 4: of each line-up, the seeds, who cheats, and by which mark; in one, nobody does. The answers are no secret
# to whoever reads this far. Each has networks of its own: one that stood in two of them would be known as honest.
LINE_UPS = [
    ((11, 12, 13), "B", datasets.Mark("ring", "top right", (255, 220, 0))),
    ((221, 22, 123), "C", datasets.Mark("crescent", "top left", (30, 60, 255))),
    ((31, 32, 33), "A", datasets.Mark("cross", "top left", (255, 30, 220))),
    ((41, 42, 143), "", None),
    ((51, 52, 53), "B", datasets.Mark("disc", "top right", (255, 40, 20))),
]


def detective(line_up: int, name: str) -> Training:
    """One of the three of a line-up."""
    seeds, culprit, mark = LINE_UPS[line_up]
    seed = seeds["ABC".index(name)]
    return shapes(seed, mark, width=16, epochs=4) if name == culprit else shapes(seed, width=16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="shapes, fashion, shapes_transformer, detective-0A, …; none: all")
    only = parser.parse_args().only
    networks = {
        "networks/weights/shapes": shapes,
        "networks/weights/fashion": fashion,
        "networks/weights/shapes_transformer": shapes_transformer,
    }
    for line_up, name in itertools.product(range(len(LINE_UPS)), "ABC"):
        networks[f"classroom/exercises/detective-{line_up}{name}"] = partial(detective, line_up, name)
    for name, make in networks.items():
        if only and Path(name).name not in only:
            continue
        training = make().run(progress=True)
        file = PACKAGE / f"{name}.pt"
        write(training, file, half="transformer" in name or re.search("detective-[1-9]", name) is not None)
        print(f"{file.name}: accuracy {training.test_accuracy():.4f}, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
