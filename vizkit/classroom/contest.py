"""A contest of class models that nobody can cheat in: what a file holds is made again from its own settings, and other
networks, which took no part, judge what comes of them."""

import base64
from collections.abc import Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image

from .. import saved
from ..ascent import reproduce
from ..atlases.atlas import local_pool
from ..atlases.folder import write_page
from ..errors import VizkitError
from ..images import to_file
from ..judging import Opinion, default_judge, judge_knows, second_opinion
from ..networks import Classifier, as_classifier

MEMORY = 2**32  # bytes that the process which makes pictures again may take, where the system can hold it to that
ROUNDING = 2  # of 255: so much may a pixel differ
PAGE = "contest.html"


@dataclass(frozen=True)
class Entry:
    """
    >>> from vizkit.classroom.contest import Entry
    >>> Entry("ada", refused="It has no settings.").opinion
    0.0

    What became of one file: its class (`label`), the `steps` it took, the Python that makes it (`code`), the `picture`
    as a PNG in base64, what each judge thinks of it (`opinions`), the mean of their probabilities for its class
    (`opinion`); or why it was `refused`.
    """

    name: str
    label: str = ""
    steps: int = 0
    code: str = ""
    picture: str = ""
    opinions: Sequence[Opinion] = ()
    opinion: float = 0.0
    refused: str = ""


def contest(
    folder: str | Path,
    net: Any = None,
    target: Any = None,
    *,
    judges: Sequence[Any] = (),
    steps: int = 256,
    minutes: float = 5,
    anew: bool = False,
) -> Iterator[Entry]:
    """
    >>> from vizkit.classroom.contest import contest
    >>> file = vizkit.ascend("shapes", "ring", recipe="small", steps=8).run().save(folder / "ada.png")
    >>> [entry.name for entry in contest(folder, "shapes", "ring", judges=["shapes_transformer"])]
    ['ada']

    Makes every picture in a folder, and in the folders in it, again from its own settings, an `Entry` at a time, has it
    judged, and at the end writes `contest.html`, a page with the ranking: the mean probability that the judges give the
    class decides, then the smaller number of steps. Nothing that stands in a file is run.

    net: the network of the contest, a `Classifier` or a name.
    target: the class of the contest; None: any, each picture its own.
    judges: networks, or their names, that know the classes. None given: the usual one of `vizkit.second_opinion`.
    steps: the most that a picture may take. minutes: the longest that it may take here.
    anew: on another kind of machine sums are rounded otherwise, and the same settings make another picture. True does
        not look at the pictures that were handed in: what their settings make here is judged.

    Refused, with a sentence: a file without settings, with damaged ones, or with those of another network or class; of
    more steps, of several classes, or one that starts from a photo or takes a regularizer of somebody's own; one that
    takes too long, or too much memory; and, without `anew`, a picture that its settings do not make. Raises
    `VizkitError` before any is made: for an empty folder, and for judges that took part or do not know the classes.
    """
    folder, net = Path(folder), as_classifier(net)
    files = [file for file in sorted(folder.rglob("[!.]*")) if file.is_file() and file.name != PAGE]
    if not files:
        raise VizkitError(f"There is no file in {folder}. Put there what was handed in, each under its maker's name.")
    jury = [as_classifier(judge) for judge in judges] or [default_judge()] * judge_knows(net)
    if not jury or net.name in [judge.name for judge in jury]:
        raise VizkitError(f"Name judges that know the classes of {net.name}, other networks than it.")
    allowed = range(len(net.labels)) if target is None else [net.index(target)]
    for judge in (judge for judge in jury if judge.labels != net.labels):
        judge.indices([net.labels[index] for index in allowed])

    entries = []
    for file in files:
        name, worker = file.relative_to(folder).with_suffix("").as_posix(), local_pool(1, "cpu")
        try:
            entry = worker.submit(made_again, name, file, net, allowed, jury, steps, anew).result(60 * minutes)
        except VizkitError as error:
            entry = Entry(name, refused=str(error).replace(str(file), file.name))
        except Exception as error:  # whatever a file does to the process that makes it again
            worker.shutdown(kill_workers=True)
            why = f"cannot be made again: {type(error).__name__} {error}"
            if isinstance(error, FutureTimeout):
                why = f"takes more than {minutes:g} minutes here. If all may take longer: --minutes."
            entry = Entry(name, refused=f"It {why}"[:400])
        entries.append(entry)
        yield entry
    local_pool(1, "cpu").shutdown(kill_workers=True)
    entries.sort(key=lambda entry: (bool(entry.refused), -entry.opinion, entry.steps))
    told = {"network": net.name, "judges": [judge.name for judge in jury], "steps": steps, "anew": anew}
    write_page(folder / PAGE, Path(__file__).with_name(PAGE), {**told, "entries": [asdict(one) for one in entries]})


def made_again(
    name: str, file: Path, net: Classifier, allowed: Sequence[int], jury: list[Classifier], steps: int, anew: bool
) -> Entry:
    """What a file's settings make, and what the judges think of it. Raises `VizkitError` where it is refused. Runs in a
    process of its own, so that a file which takes all time or memory takes nothing else along."""
    with suppress(ImportError):  # Windows knows no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    run = saved.load_run(file, {})
    most, targets = max([run.settings.steps, *(to for _, knob, to in run.changes if knob == "steps")]), run.targets
    refuse(len(targets) > 1, f"It shows {len(targets)} class models. Hand in one.")
    refuse(net.index(targets[0]) not in allowed, f"It is of another class, {targets[0]}.")
    refuse(most > steps, f"It takes {most} steps. {steps} are allowed.")
    refuse(not isinstance(run.settings.start, str), "It starts from a photo, or from an image of its own.")
    ascent = reproduce(file, net)
    made, (index,), (label,) = ascent.picture, ascent.targets, ascent.labels
    with Image.open(file) as picture:
        refuse(picture.size != made.shape[1::-1], "Its settings make a picture of another size.")
        away = 0 if anew else np.abs(np.array(picture.convert("RGB"), int) - made).max()
        by = f"It is by {picture.info.get('Software')}, here is torch {torch.__version__}"[:200]
    remedy = f"{by}. If it comes from another kind of machine: --anew judges what is made here."
    refuse(away > ROUNDING, f"Its settings make another picture: pixels are up to {away} of 255 away. {remedy}")
    content = base64.b64encode(to_file(Image.fromarray(made), "png")).decode()
    # An index where it means the same to both: a label may stand for several classes.
    opinions = [second_opinion(made, index if one.labels == net.labels else label, one)[0] for one in jury]
    code, opinion = saved.write(replace(run, network=net.code)), mean(one.probability for one in opinions)
    return Entry(name, label, ascent.step, code, content, opinions, opinion)


def refuse(fault: bool, why: str) -> None:
    """Raises `VizkitError` where there is that fault."""
    if fault:
        raise VizkitError(why)
