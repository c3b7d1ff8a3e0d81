"""How an Explorer does with all 21,841 classes of ImageNet: seconds until it is there, and of every key stroke.

Run it: python tests/benchmarks/many_classes.py
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torchvision.models import ResNet18_Weights

import vizkit

CLASSES = 21_841
TYPED = ("flamingo", "german shepherd", "flamigo", "qqqqqqq")  # the last two are no label


def many_labels() -> list[str]:
    """As long as those of ImageNet, and no two alike."""
    names = ResNet18_Weights.DEFAULT.meta["categories"]
    return [f"{names[index % len(names)]} {index // len(names) or ''}".strip() for index in range(CLASSES)]


def seconds(do: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = do()
    return time.perf_counter() - began, done


def main() -> None:
    torch.set_num_threads(1)
    cnn = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, CLASSES))
    took, net = seconds(lambda: vizkit.Classifier(cnn, many_labels(), size=64, mean=(0.5,) * 3, std=(0.25,) * 3))
    print(f"Classifier            {took:6.3f} s")
    for which in ("first", "second"):
        took, explorer = seconds(lambda: vizkit.Explorer(net, "flamingo"))
        print(f"Explorer, the {which:<6}  {took:6.3f} s")
    query = explorer.controls.picker.query
    for word in TYPED:
        strokes = [word[: end + 1] for end in range(len(word))] + [""]
        slowest = max((seconds(lambda text=text: setattr(query, "value", text))[0], text) for text in strokes)
        print(f"typing {word!r:<18}{slowest[0]:6.3f} s at most a key stroke, at {slowest[1]!r}")


if __name__ == "__main__":
    main()
