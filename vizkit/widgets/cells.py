"""One panel a cell: what an earlier run of the same cell has left is closed."""

from typing import Any
from weakref import WeakSet

from IPython import get_ipython


def replace_panels_of_this_cell(panel: Any) -> None:
    """Closes what an earlier run of the same cell has left; panels of one run of a cell live side by side. The shell
    remembers them, each as long as it lives: outside a cell nobody does."""
    shell = get_ipython()
    parent = getattr(shell, "parent_header", None) or {}
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code")
    if not cell:
        return
    run, cells = parent.get("header", {}).get("msg_id"), vars(shell).setdefault("_vizkit_panels", {})
    if cells.get(cell, (run,))[0] != run:
        for old in cells.pop(cell)[1]:
            old.close()
            # Out keeps what the last line of a cell gave: of a closed panel it need not.
            for number in [number for number, output in shell.user_ns["_oh"].items() if output is old]:
                del shell.user_ns["_oh"][number]
                for kept in (shell.user_ns, shell.user_ns_hidden):
                    kept.pop(f"_{number}", None)
    cells.setdefault(cell, (run, WeakSet()))[1].add(panel)
