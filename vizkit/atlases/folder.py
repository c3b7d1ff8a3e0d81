"""A folder that is an atlas. Each picture holds all that is to be told of it; the table and the page are made of them,
so that folders which several machines have filled become one by being copied together."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import VizkitError
from ..images import to_file
from ..saved import check_same, write_whole

TOLD = "vizkit atlas"  # of the texts in a PNG
END = b"IEND\xaeB`\x82"  # of a PNG that is whole
HEAD = Path(__file__).with_name("head.html")  # that all pages have: their colours, light and dark
THUMBNAIL = 128  # pixels a side; what is smaller needs none


@dataclass(frozen=True)
class Entry:
    """
    >>> vizkit.atlases.folder.Entry(130, "flamingo", score=23.4).score
    23.4

    What there is to know of one class model: its class, its `score` and `probability`, the strongest `rival`; the
    `opinion` of the judge (its probability for the class), the `rank` of the class in it (1 is first) and what it has
    `seen` first of all; how many `seconds` it took; or why it could not be made: `failure`. `scores` is its curve, at
    most 65 points, evenly spread over its `steps`.
    """

    index: int
    label: str
    score: float | None = None
    probability: float | None = None
    rival: str = ""
    seconds: float = 0.0
    steps: int = 0
    scores: Sequence[float] = field(default=(), repr=False)
    opinion: float | None = None
    rank: int | None = None
    seen: str = ""
    failure: str = ""


def picture_path(folder: Path, index: int) -> Path:
    return folder / "pictures" / f"{index:05d}.png"


def read(folder: Path, identity: Mapping[str, Any]) -> dict[int, Entry]:
    """The classes whose pictures lie in a folder, whole. Raises `VizkitError` where one is of another atlas."""
    found = {}
    for path in sorted((folder / "pictures").glob("*.png")):
        told: Any = None
        # Half a file, or a picture from elsewhere, counts as none.
        with suppress(KeyError, TypeError, ValueError, OSError), Image.open(path) as picture:
            if path.read_bytes().endswith(END):
                entry, atlas = json.loads(picture.info[TOLD])
                told = Entry(**entry), atlas["settings"], atlas["facts"]
        if told:
            check_same(f"Take another folder: {path}", told[1], identity["settings"], "other settings")
            check_same(f"Take another folder: {path}", told[2], identity["facts"])
            found[told[0].index] = told[0]
    return found


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns what a disk has to say into a `VizkitError`."""
    try:
        yield
    except OSError as error:
        remedy = "What is there stays. Once it can be written, run the atlas again: it goes on."
        raise VizkitError(f"{folder} cannot be written: {error.strerror or error}. {remedy}") from error


def write(folder: Path, entries: Iterable[Entry], heading: Mapping[str, Any]) -> None:
    """The table, the thumbnails that are missing, and the page."""
    rows, columns = [asdict(entry) for entry in entries], list(Entry.__dataclass_fields__)
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [name for name in columns if name != "scores"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / "atlas.csv", table.getvalue().encode("utf-8-sig"))  # so that Excel, too, reads é
    for path in [picture_path(folder, row["index"]) for row in rows if not row["failure"]]:
        thumbnail = folder / "thumbnails" / f"{path.stem}.jpg"
        if heading["side"] > THUMBNAIL and not thumbnail.exists():
            with Image.open(path) as picture:
                thumbnail.parent.mkdir(exist_ok=True)
                picture.thumbnail((THUMBNAIL, THUMBNAIL))
                write_whole(thumbnail, to_file(picture, "jpeg", quality=85))
    told = {**heading, "columns": columns, "entries": [list(row.values()) for row in rows]}
    write_page(folder / "index.html", Path(__file__).with_name("page.html"), told)


def write_page(path: Path, template: Path, told: Mapping[str, Any]) -> None:
    """A page that holds what it tells, as JSON, in place of "the data": a page opened from the disk can load none."""
    content = json.dumps(told).replace("<", "\\u003c")
    page = "".join(part.read_text(encoding="utf-8") for part in (HEAD, template))
    write_whole(path, page.replace('"the data"', content).encode())
