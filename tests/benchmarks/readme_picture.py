"""Makes the picture of the Explorer that the README shows, in the real JupyterLab.

Run it where Chromium is: python tests/benchmarks/readme_picture.py
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from browsers import ExplorerPage, Lab, chromium_page, jupyter, with_cells  # noqa: E402


def main() -> None:
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
    main()
