"""Brings every notebook's badge and set-up cell, and the README's links, in line with the repository address.

python .ci/repository.py                                # where git's origin is, or as it stands in pyproject.toml
python .ci/repository.py https://github.com/you/vizkit  # this address, there and everywhere
python .ci/repository.py --tag v0.2.0                   # notebooks that keep to that tag: for a course
python .ci/repository.py --tag main                     # back to the newest
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BADGE = "[![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})"
LINK = "https://colab.research.google.com/github/{name}/blob/{tag}/{place}"
SETUP = """\
# Where vizkit is missing, this installs it: from a wheel beside the notebook or, on Colab, from its address.
import sys
from glob import glob
from importlib.util import find_spec

if not find_spec("vizkit"):
    wheel = max(glob("vizkit_notebooks-*.whl"), default=None)
    if wheel:
        %pip install -q $wheel
    elif "google.colab" in sys.modules:
        %pip install -q git+{address}
        assert find_spec("vizkit"), "No vizkit there. Whoever hands this out runs .ci/repository.py with its address."\
"""


def address_in(pyproject: str) -> str:
    """The repository address, from the one place where it stands."""
    found = re.search(r'^Repository = "(https://github\.com/[\w.-]+/[\w.-]+)"$', pyproject, re.MULTILINE)
    if not found:
        raise SystemExit('pyproject.toml has no line Repository = "https://github.com/owner/name".')
    return found[1]


def origin(root: Path) -> str | None:
    """Where git says that this copy comes from, if that is GitHub."""
    asked = subprocess.run(["git", "-C", root, "remote", "get-url", "origin"], capture_output=True, text=True)
    found = re.fullmatch(r"(?:https://|git@)github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?", asked.stdout.strip())
    return f"https://github.com/{found[1]}" if found else None


def moved(text: str, old: str, new: str) -> str:
    """A text with every link into one repository, or to the pages that it publishes, turned into one into another."""
    before, after = (address.removeprefix("https://github.com/") for address in (old, new))
    text = text.replace(pages(before), pages(after))
    return re.sub(rf"(github\.com|/github)/{re.escape(before)}(?![\w-])", rf"\g<1>/{after}", text)


def pages(name: str) -> str:
    """Where GitHub publishes the handouts of a repository, owner/name."""
    owner, repository = name.split("/")
    return f"https://{owner.lower()}.github.io/{repository}/"


def in_line(notebook: str, place: str, address: str, tag: str) -> str:
    """A notebook's text with badge and set-up cell as they have to be; exercises have no badge, since it would lead
    students to the solution."""
    document = json.loads(notebook)
    link = LINK.format(name=address.removeprefix("https://github.com/"), tag=tag, place=place)
    first = "".join(document["cells"][0]["source"])
    title, *rest = [part for part in first.split("\n\n") if "colab-badge" not in part]
    badge = [] if "exercises" in place else [BADGE.format(link=link)]
    document["cells"][0]["source"] = "\n\n".join([title, *badge, *rest]).splitlines(keepends=True)
    setup = next(cell for cell in document["cells"] if cell["cell_type"] == "code")
    pinned = address if tag == "main" else f"{address}@{tag}"
    setup["source"] = SETUP.format(address=pinned).splitlines(keepends=True)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(root: Path, new: str | None = None, tag: str | None = None) -> None:
    """Without a tag it stays the one that the README's links have."""
    pyproject = root / "pyproject.toml"
    old = address_in(pyproject.read_text())
    new = new or origin(root)
    new = address_in(f'Repository = "{new.rstrip("/")}"') if new else old
    links = re.compile(r"(colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/)([^/]+)")
    tag = tag or links.findall((root / "README.md").read_text())[0][1]
    for path in [pyproject, root / "README.md", *sorted((root / "notebooks").rglob("*.ipynb"))]:
        before = path.read_text()
        after = links.sub(rf"\g<1>{tag}", moved(before, old, new))
        if path.suffix == ".ipynb":
            after = in_line(after, path.relative_to(root).as_posix(), new, tag)
        if after != before:
            path.write_text(after)
            sys.stdout.write(f"rewrote {path.relative_to(root)}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?")
    parser.add_argument("--tag")
    given = parser.parse_args()
    main(ROOT, given.address, given.tag)
