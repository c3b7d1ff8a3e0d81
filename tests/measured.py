"""What tests measured on the way, for the summary at the end: a line each in tests/output/measured.txt."""

from pathlib import Path

OUTPUT = Path(__file__).parent / "output"


def note(line: str) -> None:
    OUTPUT.mkdir(exist_ok=True)
    with (OUTPUT / "measured.txt").open("a") as file:
        file.write(f"{line}\n")
