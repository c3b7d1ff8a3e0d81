"""Makes the picture of the Explorer that the README shows, in the real JupyterLab; or that of an atlas.

Run it where Chromium is: python tests/benchmarks/readme_picture.py [FOLDER OF AN ATLAS]
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from browsers import ExplorerPage, Lab, chromium_page, jupyter, with_cells  # noqa: E402


def of_atlas(folder: Path) -> None:
    """The cards, and beside them one class large."""
    with chromium_page() as page:
        page.set_viewport_size({"width": 1000, "height": 760})
        page.goto((folder / "index.html").resolve().as_uri())
        page.wait_for_timeout(1000)
        shots = [page.screenshot()]
        page.get_by_label("Search").fill("flamingo")
        page.locator("#grid a").first.click()
        page.wait_for_timeout(1000)
        shots.append(page.screenshot())
    both = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots]
    whole = Image.new("RGB", (2010, 760), "white")
    for at, one in enumerate(both):
        whole.paste(one, (1010 * at, 0))
    whole.save(ROOT / "notebooks" / "pictures" / "atlas.jpg", quality=82)


def of_explorer() -> None:
    with tempfile.TemporaryDirectory() as name:
        notebook = with_cells(ROOT / "notebooks" / "00_explore.ipynb", Path(name))
        with jupyter(Path(name)) as address, chromium_page() as page:
            page.set_viewport_size({"width": 1560, "height": 1300})
            lab = Lab(page, address, notebook)
            lab.run_cell(1)
            lab.run_cell(2)
            explorer = ExplorerPage(lab)
            for label in ("golden retriever", "strawberry", "tiger", "flamingo"):
                explorer.search(label)
                explorer.pick(label)
                explorer.button("Start").click()
                explorer.wait_for_line("step")
                explorer.wait_for_line("finished")
                page.wait_for_timeout(1000)
                explorer.button("Keep").click()
            page.wait_for_timeout(500)
            explorer.root.first.screenshot(path=ROOT / "notebooks" / "pictures" / "explorer.png")


if __name__ == "__main__":
    of_atlas(Path(sys.argv[1])) if sys.argv[1:] else of_explorer()
