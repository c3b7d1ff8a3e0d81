"""The teachers' page: nothing is missing, its links lead somewhere, its commands run, and what it answers is so."""

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise

import nbformat
import pytest
import torch
from repository import ROOT

import vizkit

PAGE = ROOT / "notebooks" / "README.md"
TEXT, README = PAGE.read_text(), (ROOT / "README.md").read_text()
LESSONS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises" / "source").rglob("*.ipynb"))
TABLE = TEXT.split("## What each lesson gives")[1].split("## ")[0]
ANSWERS = TEXT.split('## Answers to "Try this"')[1].split("\n## ")[0]
HERE = str(ROOT / "notebooks" / "exercises" / "README.md"), str(ROOT / "README.md"), str(PAGE)


def anchors(text):
    """Of every heading, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(language, text=TEXT):
    """The commands of a page, a line each, without what indents them in a list."""
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [line.strip() for block in found for line in block.strip().splitlines()]


def items(text):
    """The numbers of a numbered list: 1. 2. 3."""
    return re.findall(r"^(\d)\. ", text, re.MULTILINE)


def test_every_lesson_has_its_row_and_the_exercises_have_theirs():
    rows = re.findall(r"^\| (.*) \|$", TABLE, re.MULTILINE)
    cells = [row.split(" | ") for row in rows]
    assert len({len(row) for row in cells}) == 1
    linked = [re.findall(r"\((\d\d\w+\.ipynb)\)", row[0]) for row in cells]
    assert [name for row in linked for name in row] == [lesson.name for lesson in LESSONS]
    for row in cells[1 : 1 + len(LESSONS)]:
        assert re.match(r"\d+ min", row[2])
        assert re.match(r"\d+ s$", row[3])
        assert re.match(r"\d\.\d GB", row[4])
    assert f"exercises [1 to {len(EXERCISES)}]" in TABLE


def test_every_try_this_has_its_answers():
    sections = dict(re.findall(r"^### Lesson (\d)\n(.*?)(?=^### |\Z)", ANSWERS, re.DOTALL | re.MULTILINE))
    for lesson in LESSONS:
        asked = "\n".join(cell.source for cell in nbformat.read(lesson, as_version=4).cells)
        asked = re.split(r"## Try this|things to try", asked)[1].split("<details>")[0]
        assert items(sections[lesson.name[1]]) == items(asked) != [], lesson.name


@pytest.mark.parametrize("page", HERE, ids=lambda page: page.removeprefix(str(ROOT)))
def test_every_link_and_every_anchor_leads_somewhere(page):
    page = PAGE.__class__(page)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        there = (page.parent / target) if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.read_text()), f"{target}#{anchor}"


def test_the_project_leads_to_the_page():
    assert "](notebooks/README.md)" in README
    assert len(TEXT.splitlines()) < 350


def test_the_first_command_is_that_of_the_project_and_on_windows_the_same():
    first, *others = blocks("bash")
    assert first == blocks("bash", README)[0]
    assert len(others) == 3  # those that the next test runs
    translated = []
    for line in blocks("powershell"):
        line = line.replace("\\", "/").replace(".venv/Scripts/python -m pip", ".venv/bin/pip")
        translated.append(re.sub(r"^py ", "python3 ", line).replace(".venv/Scripts/", ".venv/bin/"))
    assert translated == first.split(" && ")


@pytest.mark.notebook
@pytest.mark.parametrize("command", blocks("bash")[1:], ids=lambda command: command[-40:])
def test_the_other_commands_run(command, tmp_path):
    """By the environment of the tests, which stands in for the one just made."""
    python = shlex.quote(sys.executable)
    command = re.sub(r"^\.venv/bin/python", lambda _: python, command)
    command = re.sub(r"^\.venv/bin/", lambda _: f"{python} -m ", command)
    command = command.replace("--output-dir handouts", f"--output-dir {shlex.quote(str(tmp_path))}")
    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if "fashion()" in command and "there is no network" in ran.stderr and not os.environ.get("CI"):
        pytest.skip("no Fashion-MNIST, and no network to fetch it")
    assert ran.returncode == 0, ran.stderr
    if "nbconvert" in command:
        assert "<img" in (tmp_path / "00_explore.html").read_text()
    if "__version__" in command:
        assert ran.stdout.startswith(vizkit.__version__)


# Answers: numbers that the page gives, made again. What the lessons say themselves, tests/claims holds.


@pytest.mark.training
def test_downhill_the_score_ends_below_all_others(net):
    image, spider = 0.1 * torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)), 75
    assert net.labels[spider] == "black widow"
    for _ in range(60):
        image.requires_grad_(True)
        (gradient,) = torch.autograd.grad(net(image)[0, spider] - 1e-4 * image.square().sum(), image)
        image = (image - 1.0 * gradient).detach()
    scores = net(image)[0]
    assert scores.argmin() == spider
    assert -35 < scores[spider] < -15


@pytest.mark.training
@pytest.mark.parametrize("penalty", [vizkit.l1(0.03), vizkit.l2(0.1)], ids=str)
def test_what_is_grey_to_the_eye_is_a_flamingo_to_the_second_network(net, penalty):
    parts = vizkit.recipe("vizkit").regularizer
    run = vizkit.ascend(net, "flamingo", recipe="vizkit", regularizer=penalty + parts, seed=0).run()
    assert vizkit.lessons.statistics(run.pictures)[0]["near zero"] > 0.95
    assert vizkit.second_opinion(run.pictures, "flamingo")[0].probability > 0.4


@pytest.mark.training
def test_in_the_noise_the_strongest_fall_and_lemons_relatives_rise(net):
    parts = vizkit.recipe("vizkit").regularizer.without("activations")
    run = vizkit.ascend(net, "lemon", recipe="vizkit", regularizer=parts, steps=24, objective="probability").run()
    with torch.no_grad():
        before, after = net(run.start_image)[0], net(run.image)[0]
    lemon = net.index("lemon")

    def fallen(scores):
        rivals = [index for index in scores.topk(11).indices.tolist() if index != lemon][:10]
        return sum((after - before)[index].item() < 0 for index in rivals)

    assert fallen(before) >= 8
    assert fallen(after) <= 2


@pytest.mark.training
def test_a_bare_probability_leaves_its_start_late_and_then_at_once(net):
    steps = [step.probability for step in vizkit.ascend(net, "tiger", objective="probability", steps=280)]
    sure = next(index for index, p in enumerate(steps) if p > 0.99)
    assert sure > 120
    assert steps[sure - 40] < 0.01
    assert max(after - before for before, after in pairwise(steps)) > 0.1


@pytest.mark.training
def test_a_mark_on_one_star_in_ten_is_found_and_seen_by_a_recipe_that_shows_all_of_it():
    data, mark = vizkit.datasets.shapes(train=6000, seed=0), vizkit.datasets.Mark("star")
    torch.manual_seed(0)
    cnn = vizkit.small_cnn(channels=3, classes=8, size=64, width=16)
    training = vizkit.Training(cnn, vizkit.datasets.plant(data, mark, share=0.1), epochs=4, batch=64).run()
    net, star = training.classifier(), data.labels.index("star")
    rows, columns = mark.region(64, 64)
    others = data.test_pictures[data.test_targets != star][:400].clone()
    others[:, :, rows, columns] = torch.tensor(mark.colour, dtype=torch.uint8)[:, None, None]
    called = (net(net.normalise(others / 255)).argmax(dim=1) == star).float().mean().item()
    assert 0.05 < called < 0.35
    energy = {
        recipe: mark.energy(vizkit.ascend(net, "star", recipe=recipe).run().image).item()
        for recipe in ("small", "vizkit")
    }
    assert energy["small"] > 2
    assert energy["vizkit"] < 1.2
