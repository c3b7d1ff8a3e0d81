"""`python -m vizkit` prints every recipe; `python -m vizkit atlas FOLDER` makes an atlas."""

import sys

from .atlases.command import main

main(sys.argv[1:])
