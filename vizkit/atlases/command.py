"""What `python -m vizkit` does: it prints every recipe, or makes an atlas."""

import sys
from argparse import ArgumentParser

from ..errors import VizkitError
from ..networks import load
from ..recipes import table
from .atlas import atlas


def main(arguments: list[str]) -> None:
    """
    >>> from vizkit.atlases.command import main
    >>> main(["atlas", str(folder / "shapes"), "--network", "shapes", "--steps", "8", "--processes", "1"])
    <BLANKLINE>
    ...index.html has 8 of 8 classes.

    Without arguments: every recipe with its name, its source, its code.
    """
    parser = ArgumentParser("python -m vizkit", description="Without a command: prints every recipe.")
    command = parser.add_subparsers(dest="command").add_parser("atlas", help="the class models of all classes")
    command.add_argument("folder", help="where to put it; what lies there already is not made again")
    command.add_argument("--network", default="efficientnet_lite0", help="any name that vizkit.load knows")
    command.add_argument("--layer", help="its units, in place of the classes")
    command.add_argument("--targets", nargs="+", help="labels or indices; all of them, if none is named")
    command.add_argument("--recipe", help="as python -m vizkit lists them; else the one that suits the network")
    command.add_argument("--steps", type=int)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--processes", type=int, help="one a core, if it is left out")
    given = parser.parse_args(arguments)
    if not given.command:
        sys.stdout.write(table() + "\n")
        return
    targets = given.targets and [int(one) if one.isdecimal() else one for one in given.targets]
    how = {} if given.steps is None else {"steps": given.steps}
    try:
        net = load(given.network).inside(given.layer) if given.layer else load(given.network)
        how |= {"recipe": given.recipe, "seed": given.seed, "executor": given.processes}
        made = atlas(net, given.folder, targets, **how).run(progress=True)
    except (VizkitError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "Stopped. Run it again, and it goes on.")
    sys.stdout.write(f"{made.page} has {made.step} of {len(net.labels)} classes.\n")
