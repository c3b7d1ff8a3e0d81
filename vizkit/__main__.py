"""`python -m vizkit`: every recipe; with `atlas FOLDER` or `contest FOLDER`, these."""

import sys

from .terminal.command import main

main(sys.argv[1:])
