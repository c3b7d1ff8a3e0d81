"""What the live Explorer costs: its steps per second in JupyterLab, against the same ascent without widgets.

Run it where Chromium is: python tests/benchmarks/live_rate.py
"""

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from browsers import ExplorerPage, Lab, chromium_page, jupyter, with_cells

NOTEBOOK = Path(__file__).parent.parent.parent / "notebooks" / "00_explore.ipynb"
STEPS, ROUNDS = 128, 9
# Both are timed inside the same kernel, one after the other, by the ascent's own steps.
TIMER = """
import time
times = []
original = vizkit.Ascent.__next__
def timed(self):
    times.append(time.perf_counter())
    return original(self)
vizkit.Ascent.__next__ = timed
"""
HEADLESS = f"""
times.clear()
vizkit.ascend(explorer.net, "flamingo", recipe="vizkit", steps={STEPS}).run()
print(len(times) / (times[-1] - times[0]))
"""
LIVE = "print(len(times) / (times[-1] - times[0]))\ntimes.clear()"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notebook = with_cells(NOTEBOOK, folder, TIMER, HEADLESS, LIVE)
        with jupyter(folder) as address, chromium_page() as page:
            lab = Lab(page, address, notebook)
            first = 6
            for cell in (1, 2, first):
                lab.run_cell(cell)
            explorer = ExplorerPage(lab)
            page.evaluate(
                "() => { for (let one = 1; one < 9999; one++) clearInterval(one); }"
            )  # of the tests: it costs
            explorer.set_steps(STEPS)
            ratios = []
            print("headless   live   ratio   (steps per second)")
            for _ in range(ROUNDS):
                lab.run_cell(first + 1)
                headless = float(lab.output(first + 1))
                page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[2].node.scrollIntoView()")
                lab.run_cell(first + 2)
                explorer.button("Start").click()
                explorer.wait_for_line("step")
                explorer.wait_for_line("finished")
                lab.run_cell(first + 2)
                live = float(lab.output(first + 2))
                ratios.append(live / headless)
                print(f"{headless:8.1f} {live:6.1f} {live / headless:7.2f}")
            print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
