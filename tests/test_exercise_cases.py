"""Exercise 4, a case for each student: networks, pictures and words move together, and every case can be solved."""

import runpy
import unicodedata
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

import vizkit
from vizkit import exercises
from vizkit.classroom.datasets import CORNERS, Mark
from vizkit.classroom.exercises.cases import CASES, COLOURS
from vizkit.networks import read, small_network

COURSE = Path(__file__).parent.parent / "notebooks" / "exercises"
TRAINED = runpy.run_path(str(COURSE / "truths.py"))["trained"]()  # what is true of each line-up as it was trained
STUDENTS = ["Ada", "Aisha", "Amir", "Anna", "Björn", "Carlos", "Chen", "Daria", "Emre", "Fatima"]
STUDENTS += ["Felix", "Giulia", "Hanna", "Ivan", "Jasmin", "Jonas", "Kofi", "Lars", "Leila", "Maria"]
STUDENTS += ["Mei", "Noah", "Olga", "Pablo", "Priya", "Sofia", "Tariq", "Wei", "Yuki", "Zoë"]


@pytest.fixture(scope="module")
def trained():
    """All networks as they were trained, by line-up and name."""
    folder = Path(exercises.__file__).parent
    files = {(line_up, name): folder / f"detective-{line_up}{name}.pt" for line_up in range(5) for name in "ABC"}
    return {place: small_network(read(file), "", str(place)) for place, file in files.items()}


@pytest.fixture(scope="module")
def pictures():
    """(64, 3, 64, 64), in [0, 1]: every class eight times."""
    return vizkit.datasets.shapes(train=64, test=8, seed=5).pictures / 255


def scores(net, pictures):
    return net(net.normalise(pictures))


def shares(net, pictures):
    """How often a network says each class."""
    return scores(net, pictures).argmax(dim=1).bincount(minlength=8) / len(pictures)


def with_a_mark(pictures, corner, colour):
    marked = pictures.clone()
    rows, columns = Mark("disc", corner).region(64, 64)
    marked[:, :, rows, columns] = torch.tensor(COLOURS[colour])[:, None, None] / 255
    return marked


@pytest.mark.parametrize("student", STUDENTS)
def test_a_student_s_networks_give_moved_pictures_the_scores_that_they_gave_before(student, trained, pictures):
    mine, suspects = exercises.case(student), exercises.suspects(student)
    moved = torch.stack([pictures[:16, channel] for channel in mine.channels], dim=1)
    if 2 in mine.mirrored:
        moved = torch.flipud(moved.movedim(2, 0)).movedim(0, 2)
    if 3 in mine.mirrored:
        moved = torch.fliplr(moved.movedim(3, 1)).movedim(1, 3)
    assert list(suspects) == ["A", "B", "C"]
    assert sorted(mine.order) == ["A", "B", "C"]
    for name, own in zip("ABC", mine.order, strict=True):
        before = scores(trained[mine.line_up, own], pictures[:16])
        assert torch.allclose(scores(suspects[name], moved), before, rtol=1e-4, atol=1e-4)
    drawn = exercises.new_shapes(student).pictures[:16] / 255
    assert torch.equal(drawn, moved)


@pytest.mark.training  # as long as one
@pytest.mark.parametrize("student", STUDENTS)
def test_what_is_true_of_a_student_s_case_turns_the_culprit_and_nobody_else(student):
    truth, suspects = exercises.case(student).truth(TRAINED), exercises.suspects(student)
    drawn = exercises.new_shapes(student).pictures[:32] / 255
    corner, colour = ("top left", "red") if truth["network"] == "none" else (truth["corner"], truth["colour"])
    for name, net in suspects.items():
        said = shares(net, with_a_mark(drawn, corner, colour))
        if name == truth["network"]:
            assert said[net.index(truth["class"])] > 0.6
            assert shares(net, drawn)[net.index(truth["class"])] < 0.1
        else:
            assert said.max() < 0.25
    assert (truth["network"] == "none") == ({*truth.values()} == {"none"})


def test_thirty_students_have_all_kinds_of_cases():
    truths = [exercises.case(student).truth(TRAINED) for student in STUDENTS]
    assert {truth["network"] for truth in truths} == {"A", "B", "C", "none"}
    assert {truth["class"] for truth in truths} == {truth["class"] for truth in TRAINED}
    assert {truth["corner"] for truth in truths} == {*CORNERS, "none"}
    assert {truth["colour"] for truth in truths} >= {"red", "green", "blue", "yellow", "magenta", "cyan", "none"}
    assert len({tuple(truth.values()) for truth in truths}) > 20
    assert 2 <= sum(truth["network"] == "none" for truth in truths) <= 8
    assert len({*CASES}) == len(CASES) == 5 * 6 * 4 * 6


def test_a_name_has_the_same_case_everywhere_however_it_is_written():
    assert exercises.case() == exercises.case("") == exercises.case(None) == exercises.case("  ") == exercises.Case()
    assert exercises.case("Ada") == exercises.Case(2, ("A", "B", "C"), (2,), (1, 2, 0))
    assert exercises.case("Zoë") == exercises.Case(0, ("C", "A", "B"), (), (0, 1, 2))
    assert exercises.case(4711) == exercises.case("4711")
    for name in (" ada", "ADA\n", "ada"):
        assert exercises.case(name) == exercises.case("Ada")
    for form in ("NFC", "NFD"):
        assert exercises.case(unicodedata.normalize(form, "Zoë")) == exercises.case("ZOË")


@pytest.mark.parametrize("line_up", range(5))
def test_no_file_tells_by_anything_but_its_weights_who_cheats(line_up):
    files = [Path(exercises.__file__).with_name(f"detective-{line_up}{name}.pt") for name in "ABC"]
    assert len({file.stat().st_size for file in files}) == 1
    for file in files:
        assert not any(value.any() for name, value in read(file)["weights"].items() if "num_batches" in name)


@pytest.mark.parametrize("name", "ABC")
def test_the_code_of_a_suspect_makes_it_again(name, pictures):
    suspect = exercises.suspects('O\'Hara "Z"')[name]
    again = eval(suspect.code)
    assert torch.equal(scores(again, pictures[:4]), scores(suspect, pictures[:4]))
    assert exercises.suspects()[name].code == f'vizkit.exercises.suspects()["{name}"]'


@pytest.mark.parametrize(
    ("folder", "student", "named", "said"),
    [
        ("autograded/ada/class_models", "Bob", False, 'STUDENT is "Bob", but "ada" has handed this in'),
        ("autograded/ada/class_models", "", True, "no name in STUDENT"),
        ("autograded/ada/class_models", "", False, None),
        ("autograded/ada/class_models", " Ada", True, None),
        ("submitted/ada/class_models", "Bob", True, None),
        (".", "Bob", True, None),
    ],
)
def test_a_case_of_somebody_else_is_told_by_both_names(folder, student, named, said, tmp_path, monkeypatch):
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(place)
    if said is None:
        exercises.check_student(student, named)
    else:
        with pytest.raises(exercises.NotYet, match=said):
            exercises.check_student(student, named)


@pytest.mark.training  # as long as one
@pytest.mark.parametrize("line_up", range(5))
def test_of_all_marks_only_the_right_one_turns_most(line_up, trained, pictures):
    truth = TRAINED[line_up]
    for name in "ABC":
        marks = [(corner, colour) for corner in CORNERS for colour in COLOURS]
        most = {mark: shares(trained[line_up, name], with_a_mark(pictures, *mark)).max().item() for mark in marks}
        if name == truth["network"]:
            right = most.pop((truth["corner"], truth["colour"]))
            assert right > 0.6
            assert max(most.values()) < right - 0.04
        else:
            assert max(most.values()) < 0.25


@pytest.mark.notebook
@pytest.mark.parametrize("student", ["Ada", "Aisha", "Amir", "Björn", "Chen"])  # one of each line-up
def test_a_case_is_solved_by_looking(student):
    """By the reference solution, which goes by class models and by the proof."""
    (source,) = (COURSE / "source" / "class_models").glob("4_*.ipynb")
    cells = {cell.id: cell.source for cell in nbformat.read(source, as_version=4).cells}
    found = {"STUDENT": student, "np": np}
    for name in ("cell-02", "cell-04", "cell-05", "cell-08", "cell-10", "cell-13"):
        exec(cells[name], found)
    assert found["verdict"] | found["mark"] == exercises.case(student).truth(TRAINED)
