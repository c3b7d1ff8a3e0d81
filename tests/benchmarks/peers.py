"""Other libraries' pictures of classes of the built-in CNN, by their own code: `pictures.py` runs this, in their own
environment.

python peers.py lucent --folder pictures --steps 64 128 256 --classes 130 9

For each class it saves a PNG for every number of forward+backward passes, and prints a line of JSON about it. Whatever
a library leaves at its default stays at its default; only what the subject dictates is set:

- each gets the same prepared network (frozen, batch norm folded, channels last), which takes pictures in [0, 1] and
  normalises them as EfficientNet-Lite wants it, (255 x − 127) / 128, in place of the library's own normalisation;
- lucent (torch-lucent): image of 224 pixels, standard transforms. Its views, 247 pixels and more, are counted as one
  forward+backward each, which is in its favour;
- dreamlens: image of 224 pixels, its default configuration (Fourier, learning rate 9e-3);
- horama: `fourier`, its defaults (an image of 1280 pixels, six crops a step resized to 224, each counted as one
  forward+backward), range (−127/128, 1). A crop shows a quarter to a third of the image's side, so the object appears
  at that size: "horama" is the central 0.275 of the image, "horama-whole" the whole image.

The pictures on the way are read by a hook that torch calls after every step of an optimizer; the libraries' code runs
unchanged.
"""

import argparse
import json
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

import vizkit

SIDE, CROPS, CROP_SIDE = 224, 6, 0.275
Look = Callable[[torch.optim.Optimizer], dict[str, Tensor]]


class Subject(nn.Module):
    """The built-in CNN for pictures in [0, 1]; `compute` counts what it was shown, in images of 224 × 224."""

    def __init__(self, normalised: bool = False) -> None:
        super().__init__()
        net = vizkit.load(device="cpu")
        self.network, self.normalised, self.compute = net.network, normalised, 0.0
        self.register_buffer("mean", net.mean.clone())
        self.register_buffer("std", net.std.clone())

    def forward(self, picture: Tensor) -> Tensor:
        self.compute += len(picture) * picture.shape[-1] * picture.shape[-2] / SIDE**2
        image = picture if self.normalised else (picture - self.mean) / self.std
        return self.network(image.contiguous(memory_format=torch.channels_last))


class Recorder:
    """After the given numbers of optimizer steps: the pictures, the seconds of the processor, the compute so far."""

    def __init__(self, subject: Subject, stops: dict[int, int], emit: Callable[..., None]) -> None:
        self.subject, self.stops, self.emit = subject, stops, emit

    @contextmanager
    def watching(self, index: int, look: Look) -> Iterator[None]:
        self.subject.compute, done, aside, began = 0.0, 0, 0.0, time.process_time()

        def after_step(optimizer: torch.optim.Optimizer, *_: object) -> None:
            nonlocal done, aside
            done += 1
            if done in self.stops:
                paused, compute = time.process_time(), self.subject.compute
                with torch.no_grad():
                    for name, picture in look(optimizer).items():
                        self.emit(name, index, self.stops[done], picture, paused - began - aside, compute)
                aside += time.process_time() - paused

        handle = register_optimizer_step_post_hook(after_step)
        try:
            yield
        finally:
            handle.remove()


def lucent(classes: list[int], recorder: Recorder, subject: Subject, fix_seed: Callable[[], None]) -> None:
    from lucent.optvis import param, render

    for index in classes:
        fix_seed()
        parameters, image = param.image(SIDE)
        with recorder.watching(index, lambda _, image=image: {"lucent": image()[0]}):
            render.render_vis(
                subject,
                f"labels:{index}",
                lambda parameters=parameters, image=image: (parameters, image),
                preprocess=False,
                thresholds=tuple(recorder.stops),
                progress=False,
                show_image=False,
            )


def dreamlens(classes: list[int], recorder: Recorder, subject: Subject, fix_seed: Callable[[], None]) -> None:
    from dreamlens import FeatureVisualizer, RenderConfig

    class Visualizer(FeatureVisualizer):
        def _prepare_image_parameter(self, **options: object) -> object:
            self.canvas = super()._prepare_image_parameter(**options)
            return self.canvas

    visualizer = Visualizer(subject, quiet=True, normalize=False)
    config = RenderConfig(width=SIDE, height=SIDE, steps=max(recorder.stops))
    for index in classes:
        fix_seed()
        with recorder.watching(index, lambda _: {"dreamlens": visualizer.canvas(device="cpu").reshape(3, SIDE, SIDE)}):
            visualizer.maximize_class(index, config=config)


def horama(classes: list[int], recorder: Recorder, subject: Subject, fix_seed: Callable[[], None]) -> None:
    import horama as library
    from horama.fourier_fv import fourier_preconditionner, get_fft_scale

    low, high = -127 / 128, 1.0
    scale = get_fft_scale(1280, 1280, 1.5)

    def look(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        spectrum = optimizer.param_groups[0]["params"][0]
        whole = (fourier_preconditionner(spectrum, scale, (low, high), "cpu") - low) / (high - low)
        side = round(1280 * CROP_SIDE)
        start = (1280 - side) // 2
        return {"horama": whole[:, start : start + side, start : start + side], "horama-whole": whole}

    for index in classes:
        fix_seed()
        with recorder.watching(index, look):
            library.fourier(
                lambda crops, index=index: subject(crops)[:, index].mean(),
                total_steps=max(recorder.stops),
                values_range=(low, high),
                device="cpu",
            )


PEERS = {"lucent": lucent, "dreamlens": dreamlens, "horama": horama}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--folder", type=Path, required=True, help="where the PNGs go")
    parser.add_argument("--steps", type=int, nargs="+", required=True, help="numbers of forward+backward passes")
    parser.add_argument("--classes", type=int, nargs="+", required=True, help="class indices")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)

    def fix_seed() -> None:
        random.seed(options.seed)
        np.random.seed(options.seed)
        torch.manual_seed(options.seed)

    def emit(name: str, index: int, steps: int, picture: Tensor, seconds: float, compute: float) -> None:
        pixels = (picture * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
        image = Image.fromarray(pixels)
        if image.size != (SIDE, SIDE):
            image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        path = options.folder / f"{name}-{steps}-{index}-{options.seed}.png"
        image.save(path)
        line = {"name": name, "steps": steps, "index": index, "path": str(path)}
        print(json.dumps(line | {"seconds": round(seconds, 3), "compute": round(compute, 2)}), flush=True)

    a_step = CROPS if options.peer == "horama" else 1
    stops = {round(steps / a_step): steps for steps in options.steps}
    subject = Subject(normalised=options.peer == "horama")
    PEERS[options.peer](options.classes, Recorder(subject, stops, emit), subject, fix_seed)


if __name__ == "__main__":
    main()
