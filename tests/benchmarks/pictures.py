"""Whose pictures does a network recognise that took no part? Ours, the classical recipes and the installable peers.

Same classes (48, drawn by a seed, that no recipe of ours was tuned on), same subject (EfficientNet-Lite0 at 224
pixels), same judge (EfficientNet-Lite2), same machine, one thread. Run it, about two hours of one core:

    python tests/benchmarks/pictures.py

Whether one setting is better than another, 48 classes cannot tell. 200 others can, with three seeds, class by class:

    python tests/benchmarks/pictures.py --compare "recipe('vizkit')" "recipe('vizkit').but(steps=128)"

compares each setting, as Python, with the first, and says how sure it is: 95 % intervals, from the classes drawn anew
2,000 times. Half an hour of two cores for each setting of 64 steps; a run that was cut off goes on.

The peers (torch-lucent, dreamlens, horama) run by their own code, `peers.py` beside this file, in an environment that
is made on first use in `tests/benchmarks/.venv` (it shares this one's torch; torch-lucent's pin of kornia holds there).
`--peers-python` names the Python of one that exists.

Everything is kept in the output folder as it comes: a line in `results.jsonl` and a PNG for each picture. A run that
was cut off goes on where it was; the tables are those of all results there. Recipes that were run on fewer classes
(`--classes`) are compared on those alone, in a table of their own.

What the columns say. p, top-1, top-5: the judge's mean probability of the class, and how often the class was its first
or among its first five. variation: mean |dx| + mean |dy| of the picture at 224 pixels in [0, 1]. compute: forward and
backward passes by the pixels that the subject was really shown, in images of 224 × 224. seconds: of the processor, for
one class (one thread: wall-clock seconds of a core that does nothing else); ours and the classical recipes grow twelve
classes at a time, the peers one, as their code does.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
import venv
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import vizkit
from vizkit.images import Pictures

HERE = Path(__file__).parent
CLASSES: list[int] = np.random.RandomState(2026).choice(1000, 48).tolist()
# What our recipe was made with: flamingo, ostrich, golden retriever, sports car, goldfish, monarch, banana, …
TUNED = (130, 9, 207, 817, 1, 323, 954, 74, 279, 292, 985, 949)
OTHERS_THAN = {*CLASSES, *TUNED}
DECIDING: list[int] = np.random.RandomState(14).permutation(sorted({*range(1000)} - OTHERS_THAN))[:200].tolist()
SUBJECT, JUDGE = "efficientnet_lite0", "efficientnet_lite2"
OURS = "vizkit"
CLASSICAL = ("lucid", "cs231n", "yosinski-c", "ozbulak-regularized", "ozbulak", "simonyan")
PEERS = ("lucent", "dreamlens", "horama")
REQUIREMENTS = ("torch-lucent==0.1.8", "kornia==0.4.1", "dreamlens==0.1.1", "horama==0.3.0")
OTHERS = ("tqdm", "future", "decorator", "einops", "scikit-learn", "ipython")  # what those import beyond torch's
BATCH = 12


@dataclass(frozen=True)
class Result:
    """One picture and what became of it."""

    name: str
    steps: int
    index: int
    label: str
    seed: int
    probability: float
    rank: int
    seen: str
    seen_probability: float
    variation: float
    compute: float
    seconds: float


class Results:
    """All results of an output folder, on disk as soon as they are added."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed, self.file = folder, seed, folder / "results.jsonl"
        (folder / "single").mkdir(parents=True, exist_ok=True)
        self.by_key: dict[tuple[str, int, int], Result] = {}
        if self.file.exists():
            for line in self.file.read_text().splitlines():
                result = Result(**json.loads(line))
                if result.seed == seed:
                    self.by_key[result.name, result.steps, result.index] = result

    def missing(self, name: str, steps: Sequence[int], classes: Sequence[int]) -> list[int]:
        """The classes that lack a picture of that name at any of these steps."""
        return [index for index in classes if any((name, budget, index) not in self.by_key for budget in steps)]

    def path(self, name: str, steps: int, index: int) -> Path:
        name = name if name.replace("-", "").isalnum() else f"setting-{zlib.crc32(name.encode()):08x}"
        return self.folder / "single" / f"{name}-{steps}-{index}-{self.seed}.png"

    def add(self, name: str, steps: int, index: int, picture: Pictures, compute: float, seconds: float) -> None:
        """Ask for the second opinion, and keep everything."""
        if (name, steps, index) in self.by_key:
            return
        Image.fromarray(picture).save(self.path(name, steps, index))
        (opinion,) = vizkit.second_opinion(picture[None], index)
        seen = (opinion.probability, opinion.rank, opinion.seen, opinion.seen_probability)
        made = (variation(picture), round(compute, 2), round(seconds, 3))
        result = Result(name, steps, index, opinion.target, self.seed, *seen, *made)
        self.by_key[name, steps, index] = result
        with self.file.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")

    def of(self, name: str, steps: int, classes: Sequence[int]) -> list[Result]:
        return [self.by_key[name, steps, index] for index in classes if (name, steps, index) in self.by_key]

    def complete(self, name: str, steps: int, classes: Sequence[int]) -> int:
        """How many of these classes, from the first on, have their picture."""
        found = [(name, steps, index) in self.by_key for index in classes]
        return [*found, False].index(False)

    @property
    def rows(self) -> list[tuple[str, int]]:
        """(name, steps) of all there is, ours first."""
        order = (OURS, "lucent", "dreamlens", "horama", "horama-whole", *CLASSICAL)
        found = {key[:2] for key in self.by_key if key[0] in order}
        return sorted(found, key=lambda row: (order.index(row[0]), row[1]))


def variation(picture: Pictures) -> float:
    """Mean |dx| + mean |dy| over pixels and channels, in [0, 1]."""
    values = picture / 255
    return float(np.abs(np.diff(values, axis=1)).mean() + np.abs(np.diff(values, axis=0)).mean())


def by_vizkit(results: Results, name: str, steps: Sequence[int], classes: Sequence[int]) -> None:
    """Pictures of a recipe of vizkit, at the given steps of one run."""
    net = vizkit.load(SUBJECT, device="cpu")
    shown = 0.0

    def count(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        nonlocal shown
        shown += len(inputs[0]) * inputs[0].shape[-1] * inputs[0].shape[-2] / 224**2

    net.network.register_forward_pre_hook(count)
    for first in range(0, len(classes), BATCH):
        batch = results.missing(name, steps, classes[first : first + BATCH])
        if not batch:
            continue
        ascent = vizkit.ascend(net, batch, recipe=name, steps=max(steps), seed=results.seed)
        shown, seconds = 0.0, 0.0
        while ascent.step < max(steps):
            began = time.process_time()
            next(ascent)
            seconds += time.process_time() - began
            if ascent.step in steps:
                for index, picture in zip(batch, ascent.pictures, strict=True):
                    results.add(name, ascent.step, index, picture, shown / len(batch), seconds / len(batch))
        print(f"  {name} {max(steps)}: {first + len(batch)} classes", file=sys.stderr, flush=True)


def setting(code: str) -> vizkit.Recipe:
    """The recipe that a piece of Python gives, of vizkit's names."""
    made: vizkit.Recipe = eval(code, vars(vizkit).copy())
    return made


def grown(code: str, seed: int, batch: Sequence[int]) -> tuple[list[Pictures], float, float]:
    """The pictures of a setting for some classes, the compute of each, and its seconds."""
    torch.set_num_threads(1)
    net, shown = vizkit.load(SUBJECT, device="cpu"), 0.0

    def count(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        nonlocal shown
        shown += len(inputs[0]) * inputs[0].shape[-1] * inputs[0].shape[-2] / 224**2

    ascent = setting(code).ascend(net, list(batch), seed=seed)
    net.network.register_forward_pre_hook(count)
    began = time.process_time()
    while ascent.step < ascent.steps:
        next(ascent)
    seconds = time.process_time() - began
    return list(ascent.pictures), shown / len(batch), seconds / len(batch)


def compare(folder: Path, codes: Sequence[str], seeds: Sequence[int], count: int, jobs: int) -> str:
    """A table of settings over the first `count` classes that decide, each beside the first."""
    each = {seed: Results(folder, seed) for seed in seeds}
    classes, steps = DECIDING[:count], {code: setting(code).steps for code in codes}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        jobs_of = {}
        for first in range(0, count, BATCH):
            for code in codes:
                for seed in seeds:
                    batch = each[seed].missing(code, [steps[code]], classes[first : first + BATCH])
                    if batch:
                        jobs_of[pool.submit(grown, code, seed, batch)] = code, seed, batch
        for done, future in enumerate(as_completed(jobs_of)):
            code, seed, batch = jobs_of[future]
            pictures, compute, seconds = future.result()
            for index, picture in zip(batch, pictures, strict=True):
                each[seed].add(code, steps[code], index, picture, compute, seconds)
            print(f"  {done + 1} of {len(jobs_of)} batches", file=sys.stderr, flush=True)

    lines = ["| setting | p | better by | top-1 | better by | seconds a class |", "|---|---|---|---|---|---|"]
    base: dict[str, np.ndarray] = {}
    for code in codes:
        found = [each[seed].of(code, steps[code], classes) for seed in seeds]
        measured = {
            "p": np.array([[one.probability for one in row] for row in found]).mean(axis=0),
            "top-1": np.array([[one.rank == 1 for one in row] for row in found]).mean(axis=0),
        }
        base = base or measured
        cells = []
        for name, values in measured.items():
            cells += [interval(values), interval(values - base[name], sign="+")]
        seconds = np.mean([[one.seconds for one in row] for row in found])
        lines.append(f"| {code} | {' | '.join(cells)} | {seconds:.2f} |")
    return "\n".join(lines)


def interval(values: np.ndarray, sign: str = "") -> str:
    """The mean, and where it lies in 95 of 100 draws of as many classes from these."""
    chance = np.random.default_rng(0)
    means = values[chance.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{values.mean():{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def by_peer(results: Results, name: str, steps: Sequence[int], classes: Sequence[int], python: Path) -> None:
    """Pictures of a peer, by its own code in its own environment."""
    missing = results.missing(name, steps, classes)
    if not missing:
        return
    command = [str(python), str(HERE / "peers.py"), name, "--folder", str(results.folder / "single")]
    command += ["--seed", str(results.seed), "--steps", *map(str, steps), "--classes", *map(str, missing)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    complaints = results.folder / f"{name}.log"
    with (
        complaints.open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as peer,
    ):
        for line in peer.stdout or ():
            made = json.loads(line)
            picture = np.array(Image.open(made["path"]))
            results.add(made["name"], made["steps"], made["index"], picture, made["compute"], made["seconds"])
            if made["steps"] == max(steps):
                print(f"  {made['name']} {max(steps)}: {made['index']}", file=sys.stderr, flush=True)
    if peer.returncode:
        print(f"{name} stopped with {peer.returncode}; it said: {' '.join(complaints.read_text().splitlines()[-1:])}")


def peers_python(folder: Path) -> Path:
    """The Python of the peers' environment, which is made where it is missing; torch is this one's."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"installing {', '.join(REQUIREMENTS)} into {folder.name}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = subprocess.run([python, "-c", purelib], check=True, capture_output=True, text=True).stdout.strip()
        shared = str(Path(torch.__file__).parents[1])
        Path(site, "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, *OTHERS], check=True)
        subprocess.run([*install, "--no-deps", *REQUIREMENTS], check=True)
    return python


def table(results: Results, rows: Sequence[tuple[str, int]], classes: Sequence[int]) -> str:
    """A row for each recipe and number of passes, over these classes."""
    lines = [
        "| recipe | forward+backward | p | top-1 | top-5 | variation | compute | seconds a class |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, steps in rows:
        found = results.of(name, steps, classes)
        ranks = np.array([one.rank for one in found])
        numbers = [
            f"{mean([one.probability for one in found]):.2f}",
            f"{100 * (ranks == 1).mean():.0f}%",
            f"{100 * (ranks <= 5).mean():.0f}%",
            f"{mean([one.variation for one in found]):.3f}",
            f"{mean([one.compute for one in found]):.0f}",
            f"{mean([one.seconds for one in found]):.1f}",
        ]
        lines.append(f"| {name} | {steps} | " + " | ".join(numbers) + " |")
    return "\n".join(lines)


def table_of_equal_seconds(results: Results, rows: Sequence[tuple[str, int]], classes: Sequence[int]) -> str:
    """Each recipe's p after the seconds that ours takes, on a straight line between its numbers of passes; ≤ where it
    has made fewer than its first number by then, ≥ where more than its last."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, steps in rows:
        found = results.of(name, steps, classes)
        point = mean([one.seconds for one in found]), mean([one.probability for one in found])
        curves.setdefault(name, []).append(point)
    ours = [seconds for seconds, _ in curves[OURS]]
    lines = ["| p after | " + " | ".join(f"{seconds:.1f} s" for seconds in ours) + " |", "|---" * (len(ours) + 1) + "|"]
    for name, curve in curves.items():
        cells = []
        for seconds in ours:
            sign = "≤ " if seconds < curve[0][0] else "≥ " if seconds > curve[-1][0] else ""
            cells.append(f"{sign}{np.interp(seconds, *zip(*curve, strict=True)):.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def save_grid(results: Results, name: str, steps: int, classes: Sequence[int], columns: int = 8) -> None:
    """All pictures of a row of the table in one PNG, captioned with the label and the judge's opinion."""
    found, side, caption = results.of(name, steps, classes), 224, 34
    rows = -(-len(found) // columns)
    sheet = Image.new("RGB", (min(columns, len(found)) * (side + 4), rows * (side + caption)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, one in enumerate(found):
        left, top = place % columns * (side + 4), place // columns * (side + caption)
        sheet.paste(Image.open(results.path(name, steps, one.index)), (left, top))
        seen = "" if one.rank == 1 else f", sees {one.seen} {one.seen_probability:.2f}"
        text = f"{one.label}\n{one.probability:.2f}{seen}"
        draw.multiline_text((left + 2, top + side + 2), text, fill="black" if one.rank == 1 else "firebrick")
    sheet.save(results.folder / f"{name}-{steps}.png")


def save_comparison(results: Results, path: Path, steps: int = 64, columns: int = 8) -> None:
    """The first classes by ours, by every peer and by a classical recipe, a row each: the README's picture."""
    names, side, margin = (OURS, *PEERS, "simonyan"), 112, 76
    sheet = Image.new("RGB", (margin + columns * (side + 3), len(names) * (side + 3) + 16), "white")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        top = 16 + row * (side + 3)
        draw.text((4, top + side // 2 - 6), name, fill="black")
        for column, one in enumerate(results.of(name, steps, CLASSES[:columns])):
            left = margin + column * (side + 3)
            picture = Image.open(results.path(name, steps, one.index)).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(picture, (left, top))
            if row == 0:
                draw.text((left + 2, 2), one.label[:18], fill="black")
    sheet.save(path, quality=90)


def in_batches(results: Results, name: str, steps: Sequence[int], classes: Sequence[int]) -> Iterator[list[int]]:
    """Which steps may share a run: all of them, unless the learning rate depends on how many there are."""
    if vizkit.recipe(name).schedule == "fading":
        yield from ([budget] for budget in steps if results.missing(name, [budget], classes))
    else:
        yield list(steps)


def main() -> None:
    names = (OURS, *PEERS, *CLASSICAL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, metavar="N", help="the first N of the 48, or of the 200")
    parser.add_argument("--steps", type=int, nargs="+", default=[64, 128, 256], help="forward+backward passes")
    parser.add_argument("--only", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=0, help="of the starts and views")
    parser.add_argument("--output", type=Path, default=HERE.parent / "output" / "pictures")
    parser.add_argument("--peers-python", type=Path, help="the Python of an environment that has the peers")
    parser.add_argument("--comparison", type=Path, metavar="FILE", help="write the README's picture there")
    parser.add_argument("--compare", nargs="+", metavar="CODE", help="settings, as Python, each beside the first")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="with --compare")
    parser.add_argument("--jobs", type=int, default=2, help="with --compare: how many processes")
    parser.add_argument("--table", action="store_true", help="make no picture: only tables and grids of what is there")
    options = parser.parse_args()

    torch.set_num_threads(1)
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if options.compare:
        count = min(len(DECIDING), options.classes or len(DECIDING))
        print(f"subject {SUBJECT}, judge {JUDGE}, {count} classes, seeds {options.seeds}, torch {torch.__version__}")
        print(compare(options.output, options.compare, options.seeds, count, options.jobs))
        return
    results, classes = Results(options.output, options.seed), CLASSES[: options.classes]  # all of them for None
    for name in () if options.table else options.only:
        if name in PEERS:
            python = options.peers_python or peers_python(HERE / ".venv")
            by_peer(results, name, options.steps, classes, python)
        else:
            for steps in in_batches(results, name, options.steps, classes):
                by_vizkit(results, name, steps, classes)

    print(f"subject {SUBJECT}, judge {JUDGE}, seed {options.seed}, torch {torch.__version__}, one thread")
    complete = {(name, steps): results.complete(name, steps, classes) for name, steps in results.rows}
    for count in sorted(set(complete.values()) - {0}, reverse=True):
        rows = [row for row in results.rows if complete[row] >= count]
        print(f"\nThe first {count} classes:\n\n{table(results, rows, classes[:count])}")
        if any(name == OURS for name, _ in rows):
            print(f"\nAt equal seconds:\n\n{table_of_equal_seconds(results, rows, classes[:count])}")
    for name, steps in results.rows:
        save_grid(results, name, steps, classes)
    if options.comparison:
        save_comparison(results, options.comparison)


if __name__ == "__main__":
    main()
