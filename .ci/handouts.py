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
from html import escape
from pathlib import Path

import latex2mathml.converter
import nbformat
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import Page, expect
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from browsers import Lab, chromium_page, jupyter  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
PICTURES = ROOT / "notebooks" / "pictures" / "lessons"
# The picture of each lesson that stands in the README, by its place among the pictures of the page.
STRIPS = dict.fromkeys((path.stem for path in LESSONS), 0)
WIDGET = "application/vnd.jupyter.widget-view+json"
PAGE = Path(__file__).with_name("handout.html").read_text(encoding="utf-8")


def executed(path: Path, page: Page, address: str, folder: Path) -> nbformat.NotebookNode:
    """The notebook after Run All in JupyterLab, with a picture in place of each widget. A cell that fails ends it."""
    shutil.copy(path, folder)
    lab = Lab(page, address, path.name)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")  # waits for the last
    waiting = page.locator(".vizkit", has=page.locator(".vizkit-invitation:visible"))
    while waiting.count():  # an Explorer that nobody has started
        explorer = waiting.first
        explorer.get_by_role("button", name="Start").click()
        expect(explorer.get_by_role("button", name="Stop")).to_be_enabled()
        expect(page.get_by_role("button", name="Stop").and_(page.locator(":enabled"))).to_have_count(0)
    page.wait_for_timeout(3000)  # as long as the last pictures may be on their way
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    document = nbformat.read(folder / path.name, as_version=4)
    document.metadata.pop("widgets", None)
    cells = page.locator(".jp-Notebook .jp-Cell")
    for place, cell in enumerate(document.cells):
        for number, output in enumerate(cell.get("outputs", [])):
            if output.output_type == "error":
                raise SystemExit(f"{path.name}, cell {place}: {output.ename}: {output.evalue}")
            data = output.get("data", {})
            if "image/gif" in data:  # which nbconvert does not know
                alt = output.metadata["image/gif"]["alt"]
                data["text/html"] = f'<img src="data:image/gif;base64,{data["image/gif"]}" alt="{escape(alt)}">'
            if WIDGET in data:
                shown = cells.nth(place).locator(".jp-OutputArea-child").nth(number).locator(".vizkit").first
                output.data = {"image/png": base64.b64encode(shown.screenshot()).decode()}
                words = "; ".join(filter(None, shown.locator(".vizkit-alt").all_inner_texts()))
                output.metadata = {"image/png": {"alt": words or " ".join(shown.inner_text().split())}}
    if lab.errors:
        raise SystemExit(f"{path.name}: {lab.errors}")
    return document


def as_page(document: nbformat.NotebookNode, stem: str) -> str:
    """A notebook as a page without scripts: formulas as MathML, pictures inside, links to the other lessons' pages."""
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
    body = re.sub(r'<div class="input_hidden">.*?</div>', "", body, flags=re.DOTALL)
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


def strip(picture: Image.Image) -> Image.Image:
    """A picture as it stands in the README: on white, 960 pixels wide."""
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB").resize((960, round(960 * picture.height / picture.width)), Image.Resampling.LANCZOS)


def index() -> str:
    """The README's table of lessons as a page, each with its picture."""
    row = re.compile(r"^\| \[(0\d_\w+)\]\(.*\| (.*)<br>!\[(.*)\]\((.*)\) \|$", re.MULTILINE)
    items = []
    for stem, text, words, path in row.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        data = base64.b64encode((ROOT / path).read_bytes()).decode()
        image = f'<img src="data:image/jpeg;base64,{data}" alt="{escape(words)}">'
        items.append(f'<li><h2><a href="{stem}.html">{stem}</a></h2><p>{escape(text)}</p>{image}</li>')
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
        with jupyter(Path(place)) as address, chromium_page() as page:
            for path in LESSONS:
                if only and not path.stem.startswith(tuple(only)):
                    continue
                document = executed(path, page, address, Path(place))
                if strips:
                    PICTURES.mkdir(exist_ok=True)
                    strip(pictures(document)[STRIPS[path.stem]]).save(PICTURES / f"{path.stem}.jpg", quality=85)
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
