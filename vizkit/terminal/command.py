"""What `python -m vizkit` does: it prints every recipe, makes an atlas, or holds a contest."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..atlases.atlas import atlas
from ..classroom.contest import PAGE, contest
from ..errors import VizkitError
from ..networks import load
from ..recipes import table


def main(arguments: list[str]) -> None:
    """
    >>> from vizkit.terminal.command import main
    >>> main(["atlas", str(folder / "shapes"), "--network", "shapes", "--steps", "8", "--processes", "1"])
    <BLANKLINE>
    ...index.html has 8 of 8 classes.

    Without arguments: every recipe with its name, its source, its code.
    """
    parser = ArgumentParser("python -m vizkit", description="Without a command: prints every recipe.")
    commands = parser.add_subparsers(dest="command")
    command = commands.add_parser("atlas", help="the class models of all classes")
    command.add_argument("folder", help="where to put it; what lies there already is not made again")
    command.add_argument("--network", default="efficientnet_lite0", help="any name that vizkit.load knows")
    command.add_argument("--layer", help="its units, in place of the classes")
    command.add_argument("--targets", nargs="+", type=target, help="labels or indices; all of them, if none is named")
    command.add_argument("--recipe", help="as python -m vizkit lists them; else the one that suits the network")
    command.add_argument("--steps", type=int)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--processes", type=int, help="one a core, if it is left out")
    command = commands.add_parser("contest", help="makes pictures that were handed in again, and has them judged")
    command.add_argument("folder", help="where they lie, each under its maker's name")
    command.add_argument("--network", default="efficientnet_lite0", help="the network of the contest")
    command.add_argument("--target", type=target, help="the class of the contest; any, if none is named")
    command.add_argument("--judges", nargs="+", default=(), help="other networks that know the classes")
    command.add_argument("--steps", type=int, default=256, help="the most that a picture may take")
    command.add_argument("--minutes", type=float, default=5, help="the longest that a picture may take here")
    command.add_argument("--anew", action="store_true", help="for pictures of other machines: judge what is made here")
    given = vars(parser.parse_args(arguments))
    try:
        COMMANDS[given.pop("command")](**given)
    except (VizkitError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "Stopped. An atlas goes on where it was, if it is run again.")


def target(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def make_atlas(
    folder: str, network: str, layer: str | None, targets: Any, steps: int | None, processes: int | None, **how: Any
) -> None:
    net = load(network).inside(layer) if layer else load(network)
    how |= {"executor": processes} | ({} if steps is None else {"steps": steps})
    made = atlas(net, folder, targets, **how).run(progress=True)
    sys.stdout.write(f"{made.page} has {made.step} of {len(net.labels)} classes.\n")


def hold_contest(folder: str, network: str, target: Any, **rules: Any) -> None:
    for entry in contest(folder, load(network, device="cpu"), target, **rules):
        line = f"{entry.name}: {entry.refused or f'{entry.label}, {entry.opinion:.3f}'}"
        sys.stdout.write("".join(filter(str.isprintable, line)) + "\n")  # whatever a file's name has in it
        sys.stdout.flush()
    sys.stdout.write(f"{Path(folder) / PAGE} has the ranking.\n")


def print_recipes() -> None:
    sys.stdout.write(table() + "\n")


COMMANDS: dict[str | None, Callable[..., None]] = {None: print_recipes, "atlas": make_atlas, "contest": hold_contest}
