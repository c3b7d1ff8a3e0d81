"""The repository that the tests belong to, and what its pyproject.toml says."""

from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11, pytest brings the same module under its first name
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
