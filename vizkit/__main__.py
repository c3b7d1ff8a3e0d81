"""`python -m vizkit` prints every recipe: its name, its source, its code."""

import sys

from .recipes import table

sys.stdout.write(table() + "\n")
