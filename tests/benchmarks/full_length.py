"""Makes the picture that lesson 4 shows: one class by every recipe, each with all the steps that it was made for.

    python tests/benchmarks/full_length.py

Twenty minutes or more on two cores, most of them for the two recipes that show six views a step of a large image.
"""

import time
from pathlib import Path

from PIL import Image

import vizkit

PICTURE = Path(__file__).parents[2] / "vizkit" / "classroom" / "full_length.jpg"


def main() -> None:
    net = vizkit.load()
    pictures, captions = [], []
    for name, recipe in vizkit.recipes.recipes().items():
        began = time.process_time()
        run = vizkit.ascend(net, "flamingo", recipe=recipe, seed=0).run()
        seconds = time.process_time() - began
        opinion = vizkit.second_opinion(run.pictures, run.labels)[0]
        pictures.append(Image.fromarray(run.picture).resize((224, 224), Image.Resampling.LANCZOS))
        steps, score = recipe.steps, run.history[-1].score
        captions.append(f"{name}\n{steps} steps, score {score:.0f}\nopinion {opinion.probability:.2f}")
        print(*captions[-1].splitlines(), f"{seconds:.0f} s", sep=", ", flush=True)
    figure = vizkit.figures.grid(pictures, captions, columns=6)
    figure.set_facecolor("white")
    figure.savefig(PICTURE, dpi=100, pil_kwargs={"quality": 82})


if __name__ == "__main__":
    main()
