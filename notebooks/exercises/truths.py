"""Who cheats in the case of a student, in exercise 4, and how: what the hidden tests know.

python truths.py ada bob        of these
python truths.py                of all who have handed in, and of the case that all can share
"""

import ast
import re
import sys
from pathlib import Path

import nbformat

from vizkit import exercises

HERE = Path(__file__).parent


def trained() -> list[dict[str, str]]:
    """What is true of each line-up as it was trained, out of the source notebook's hidden tests."""
    (source,) = (HERE / "source" / "class_models").glob("4_*.ipynb")
    cells = [cell.source for cell in nbformat.read(source, as_version=4).cells]
    tables = [re.search(r"truth\((.*?\])", cell, re.DOTALL) for cell in cells]
    verdicts, marks = (ast.literal_eval(table[1].strip()) for table in tables if table)
    return [verdict | mark for verdict, mark in zip(verdicts, marks)]


def main(students: list[str]) -> None:
    students = students or ["", *(folder.name for folder in sorted(HERE.glob("submitted/*")))]
    for student in students:
        truth = exercises.case(student).truth(trained())
        print(f"{student or '(without a name)':20s}", *(f"{part} {word:13s}" for part, word in truth.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
