"""The handouts: lessons that were run in JupyterLab, as pages that need nothing else."""

import re
import runpy
import subprocess
import sys

import nbformat
import pytest
from browsers import OUTPUT, chromium_page, require_chromium
from repository import ROOT
from test_contest import AXE

README = (ROOT / "README.md").read_text()
LESSONS = [path.stem for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))]


@pytest.fixture(scope="module")
def handouts(tmp_path_factory):
    """One lesson with questions, formulas, pictures and bars; and the page that lists all."""
    require_chromium()
    folder = tmp_path_factory.mktemp("handouts")
    made = subprocess.run(
        [sys.executable, ROOT / ".ci" / "handouts.py", folder, "--only", "03"], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.browser
@pytest.mark.parametrize("name", ["03_score_or_probability", "index"])
def test_a_page_needs_nothing_else_and_everybody_can_read_it(handouts, name):
    text = (handouts / f"{name}.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|iframe|object)\b", text)
    assert all(source.startswith("data:image/") for source in re.findall(r'\bsrc="([^"]*)"', text))
    with chromium_page() as first:
        for width, scheme in ((1366, "light"), (390, "dark")):
            how = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "offline": True}
            context = first.context.browser.new_context(**how)
            page = context.new_page()
            page.goto((handouts / f"{name}.html").as_uri())
            assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth && one.alt)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.evaluate(AXE)
            found = page.evaluate("axe.run({resultTypes: ['violations']}).then(one => one.violations)")
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
            page.screenshot(path=OUTPUT / f"handout-{name}-{width}.png", full_page=True)
            context.close()


@pytest.mark.notebook
@pytest.mark.parametrize("stem", LESSONS)
def test_every_formula_of_a_lesson_can_be_read_without_a_script(stem):
    page = runpy.run_path(str(ROOT / ".ci" / "handouts.py"))["as_page"]
    text = page(nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4), stem)
    formulas = re.findall(r"<math.*?</math>", text, re.DOTALL)
    assert ("$" in text.split("<main>")[1]) is False
    assert not [formula for formula in formulas if "\\" in formula]  # a command that the converter does not know


@pytest.mark.browser
def test_a_lesson_has_its_text_code_pictures_and_formulas(handouts):
    text = (handouts / "03_score_or_probability.html").read_text(encoding="utf-8")
    assert text.count("<math") == 2
    assert "$" not in re.sub(r"<[^>]*>", "", text.split("<main>")[1])
    alternatives = re.findall(r'<img[^>]*\balt="([^"]*)"', text)
    assert len(alternatives) == 5  # two grids, the bars, the question before and after
    assert "lemon" in alternatives[0] or "orange" in alternatives[0]
    assert any(
        "What does lemon's own score do?" in one.replace("&#x27;", "'").replace("&#39;", "'") for one in alternatives
    )
    assert "second opinion: " in text  # what a cell has printed
    for name in re.findall(r'href="(0\d_\w+)\.html', text):
        assert name in LESSONS


@pytest.mark.browser
def test_the_page_of_all_lessons_and_the_readme_show_a_picture_of_each(handouts):
    text = (handouts / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<a href="(0\d_\w+)\.html"', text) == LESSONS
    shown = re.findall(r"!\[([^\]]+)\]\((notebooks/pictures/lessons/(0\d_\w+)\.jpg)\)", README)
    assert [stem for _, _, stem in shown] == LESSONS
    assert all((ROOT / path).stat().st_size < 200_000 for _, path, _ in shown)
    assert all(words in text for words, _, _ in shown)
