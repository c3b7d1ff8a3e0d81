"""Runs all lessons in the real JupyterLab, as a student would, and writes them as web pages that need nothing else.

.venv/bin/python .ci/handouts.py                 # all of them, into handouts/, with an index.html
.venv/bin/python .ci/handouts.py --only 03 04    # only these
.venv/bin/python .ci/handouts.py --strips        # and the README's pictures of the lessons anew

It takes what the tests take (`pip install -e ".[test]"`, Chromium). What a page shows came about just now: text, code
and every output; of a widget the picture that it showed at the end, with its words.
"""

import argparse
import base64
import io
import re
import shutil
import sys
import tempfile
from collections import Counter
from html import escape
from pathlib import Path

import latex2mathml.converter
import nbformat
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import Locator, Page
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from browsers import Lab, chromium_page, jupyter  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
PICTURES = ROOT / "notebooks" / "pictures" / "lessons"
# The picture of each lesson that stands in the README: its place among those of the page, and which part of its height.
STRIPS = {
    "00_explore": (1, 0, 1),
    "01_class_models": (5, 0, 1),
    "02_regularizers": (2, 0, 1),
    "03_score_or_probability": (2, 0, 1),
    "04_gallery": (1, 0, 1 / 3),
    "05_better_pictures": (2, 0, 1),
    "06_your_own_cnn": (5, 0, 1),
    "07_catch_the_shortcut": (2, 0, 1),
    "08_inside": (6, 1 / 2, 1),
    "09_atlas": (6, 0, 1 / 2),
}
WIDGET = "application/vnd.jupyter.widget-view+json"
RESTS = """() => [...document.querySelectorAll(".vizkit button")].every(
    (button) => button.disabled || button.textContent.trim() !== "Stop")"""
PARTS = (ROOT / "vizkit" / "atlases" / "head.html", ROOT / ".ci" / "handout.html")
PAGE = "".join(part.read_text(encoding="utf-8") for part in PARTS)


def executed(path: Path, page: Page, address: str, folder: Path) -> nbformat.NotebookNode:
    """The notebook, run cell by cell in JupyterLab; in place of each widget its picture. A cell that fails ends it."""
    shutil.copy(path, folder)
    lab, cells = Lab(page, address, path.name), page.locator(".jp-Notebook .jp-Cell")
    kinds = [cell.cell_type for cell in nbformat.read(path, as_version=4).cells]
    asked = {}  # what a cell showed when it had run: a question, say, whose answer comes later
    for place in (place for place, kind in enumerate(kinds) if kind == "code"):
        lab.run_cell(place)
        asked[place] = [seen(one) for one in cells.nth(place).locator(".vizkit").all() if one.is_visible()]
    waiting = page.locator(".vizkit", has=page.locator(".vizkit-invitation:visible"))
    while waiting.count():  # an Explorer that nobody has started
        waiting.first.get_by_role("button", name="Start").click()
        page.wait_for_timeout(1000)
        page.wait_for_function(RESTS, timeout=600_000)
    page.wait_for_timeout(3000)  # as long as the last pictures may be on their way
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    document = nbformat.read(folder / path.name, as_version=4)
    document.metadata.pop("widgets", None)
    model_ids = Counter(widget.model_id for cell in document.cells for widget in widgets(cell))
    for place, cell in enumerate(document.cells):
        areas = cells.nth(place).locator(".jp-OutputArea-child")
        for number, output in reversed(list(enumerate(cell.get("outputs", [])))):
            if output.output_type == "error":
                raise SystemExit(f"{path.name}, cell {place}: {output.ename}: {output.evalue}")
            data = output.get("data", {})
            if "image/gif" in data:  # which nbconvert does not know
                alt = output.metadata["image/gif"]["alt"]
                data["text/html"] = f'<img src="data:image/gif;base64,{data["image/gif"]}" alt="{escape(alt)}">'
            elif WIDGET in data:
                shown_later = model_ids[data[WIDGET]["model_id"]] > 1
                model_ids[data[WIDGET]["model_id"]] -= 1
                picture, words = asked[place][0] if shown_later else seen(areas.nth(number).locator(".vizkit").first)
                output.data = {"image/png": base64.b64encode(picture).decode()}
                output.metadata = {"image/png": {"alt": words}}
            elif "image/png" in data and not areas.nth(number).locator("img").is_visible():
                del cell.outputs[number]  # for viewers without widgets
    if lab.errors:
        raise SystemExit(f"{path.name}: {lab.errors}")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    return document


def seen(widget: Locator) -> tuple[bytes, str]:
    """What a widget shows, as a PNG and in words: those of its pictures, or all that is written there."""
    words = "; ".join(filter(None, widget.locator(".vizkit-alt").all_inner_texts()))
    return widget.screenshot(), words or " ".join(widget.inner_text().split())


def widgets(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The widgets that a cell shows."""
    data = [output.get("data", {}) for output in cell.get("outputs", [])]
    return [one[WIDGET] for one in data if WIDGET in one]


def as_page(document: nbformat.NotebookNode, stem: str) -> str:
    """A notebook as a page without scripts: formulas as MathML, pictures inside, links to the other lessons' pages."""
    document.cells.remove(next(cell for cell in document.cells if cell.cell_type == "code"))  # it sets Colab up
    for cell in document.cells:
        if cell.cell_type == "markdown":
            cell.source = "\n\n".join(part for part in cell.source.split("\n\n") if "colab-badge" not in part)
            for marks, display in (("$$", "block"), ("$", "inline")):
                formula = re.compile(rf"{re.escape(marks)}([^$]+){re.escape(marks)}")
                cell.source = formula.sub(
                    lambda found, display=display: latex2mathml.converter.convert(found[1], display=display),
                    cell.source,
                )
    title = next(line for line in document.cells[0].source.splitlines() if line.startswith("# ")).removeprefix("# ")
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(document)
    body = re.sub(r'href="(0\d_\w+)\.ipynb', r'href="\1.html', body)
    before = f'<nav><a href="index.html">All lessons</a> · {stem}.ipynb</nav>'
    return page_of(title, f"{before}<main>{body}</main>")


def page_of(title: str, body: str) -> str:
    """A whole page. Its colours of code are those of Pygments that everybody can read, by day and by night."""
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("vs", "github-dark"))
    look = f"{light} @media (prefers-color-scheme: dark) {{ {dark} }}"
    return PAGE.replace("the title", escape(title)).replace("/* code */", look).replace("<!-- body -->", body)


def pictures(document: nbformat.NotebookNode) -> list[Image.Image]:
    """All pictures of the outputs, in their order."""
    data = [output.get("data", {}) for cell in document.cells for output in cell.get("outputs", [])]
    return [Image.open(io.BytesIO(base64.b64decode(one["image/png"]))) for one in data if "image/png" in one]


def strip(document: nbformat.NotebookNode, at: int, top: float, bottom: float) -> Image.Image:
    """A picture of an output as it stands in the README: on white, 960 pixels wide."""
    picture = pictures(document)[at].convert("RGBA")
    picture = picture.crop((0, round(top * picture.height), picture.width, round(bottom * picture.height)))
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB").resize((960, round(960 * picture.height / picture.width)), Image.Resampling.LANCZOS)


def index() -> str:
    """The README's table of lessons as a page, each with its picture."""
    row = re.compile(r"^\| \[(0\d_\w+)\]\(.*\| (.*)<br>!\[(.*)\]\((.*)\) \|$", re.MULTILINE)
    items = []
    for stem, text, words, path in row.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        data = base64.b64encode((ROOT / path).read_bytes()).decode()
        plain = text.replace("*", "")  # of what Markdown sets in italics
        image = f'<img src="data:image/jpeg;base64,{data}" alt="{escape(words)}">'
        items.append(f'<li><h2><a href="{stem}.html">{stem}</a></h2><p>{escape(plain)}</p>{image}</li>')
    body = (
        f'<main><h1>What a trained CNN thinks a class looks like</h1><ul class="lessons">{"".join(items)}</ul></main>'
    )
    return page_of("vizkit: all lessons", body)


def main(folder: Path, only: list[str], strips: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        settings = Path(place) / ".jupyter" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"windowingMode": "none"}')  # or what is not in sight is not drawn
        # In one thread, as in the tests, which hold what the lessons say: in two, other pictures come about.
        with jupyter(Path(place), environment={"OMP_NUM_THREADS": "1"}) as address, chromium_page() as page:
            for path in LESSONS:
                if only and not path.stem.startswith(tuple(only)):
                    continue
                document = executed(path, page, address, Path(place))
                if strips:
                    PICTURES.mkdir(exist_ok=True)
                    strip(document, *STRIPS[path.stem]).save(PICTURES / f"{path.stem}.jpg", quality=85)
                (folder / f"{path.stem}.html").write_text(as_page(document, path.stem), encoding="utf-8")
                sys.stdout.write(f"{folder / path.stem}.html\n")
                sys.stdout.flush()
    (folder / "index.html").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "handouts")
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of names")
    parser.add_argument("--strips", action="store_true")
    given = parser.parse_args()
    main(given.folder, given.only, given.strips)
