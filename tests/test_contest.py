"""A contest: honest entries count, edited ones are refused, and hostile ones do nothing."""

import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import axe_playwright_python
import numpy as np
import pytest
from browsers import OUTPUT, chromium_page
from PIL import Image, PngImagePlugin

import vizkit
from vizkit import saved
from vizkit.classroom.contest import contest

pytestmark = pytest.mark.processes
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
JUDGES = ["shapes_transformer"]


def ascent(target="ring", **how):
    return vizkit.ascend("shapes", target, **{"recipe": "small", "steps": 20} | how)


def honest(folder):
    """As the Explorer, a notebook and an atlas write them."""
    ascent(steps=64).run().save(folder / "ada.png")
    ascent(seed=3, regularizer=vizkit.l2(1e-3) + vizkit.jitter(2), optimizer="adam").run().save(folder / "grace.png")
    turned = ascent(seed=4, steps=30)
    for step in turned:
        if step.index == 9:
            turned.regularizer, turned.learning_rate = vizkit.total_variation(1e-3), 0.02
        if step.index == 19:
            turned.restart_optimizer()
    (folder / "turing").mkdir()
    turned.save(folder / "turing" / "my best ring.png")
    with Image.open(folder / "ada.png") as picture:
        rewrite(folder / "optimized.png", picture, texts(folder / "ada.png"), compress_level=9)  # the same pixels
    vizkit.atlas("shapes", folder.parent / "atlas", ["ring"], executor=1, steps=20).run()
    shutil.copy(next((folder.parent / "atlas" / "pictures").glob("*.png")), folder / "atlas.png")


def texts(path):
    with Image.open(path) as picture:
        return {name: text for name, text in picture.info.items() if isinstance(text, str)}


def rewrite(path, picture, told, **how):
    metadata = PngImagePlugin.PngInfo()
    for name, text in told.items():
        metadata.add_text(name, text)
    picture.save(path, pnginfo=metadata, **how)


def edited(folder):
    """Each with the words that its refusal has to have."""
    ascent(seed=7).run().save(folder.parent / "plain.png")
    with Image.open(folder.parent / "plain.png") as opened:
        picture, told = opened.convert("RGB"), texts(folder.parent / "plain.png")
    painted = picture.copy()
    painted.putpixel((31, 17), (255, 0, 0))
    rewrite(folder / "one pixel.png", painted, told)
    rewrite(folder / "brighter.png", picture.point(lambda value: min(255, value + 8)), told)
    rewrite(folder / "larger.png", picture.resize((128, 128)), told)
    for name, old, new in (
        ("other seed", "seed=7", "seed=8"),
        ("other steps", "steps=20", "steps=19"),
        ("other start", "seed=7", "seed=8, start='zero'"),
    ):
        assert old in told["vizkit"]
        other = {"vizkit": told["vizkit"].replace(old, new)}
        rewrite(folder / f"{name}.png", picture, told | other | {"vizkit network": "{}"})
        if name == "other seed":
            rewrite(folder / "other seed alone.png", picture, told | other)
    picture.save(folder / "no settings.png")
    picture.save(folder / "jpeg.jpg")
    (folder / "essay.txt").write_text("My best ring.")
    photo = np.full((64, 64, 3), 128, np.uint8)
    photo[20:40, 20:40] = 255
    ascent(start=photo, steps=1).run().save(folder / "from a photo.png")
    ascent(steps=65).run().save(folder / "too long.png")
    longer = ascent(steps=64)
    for step in longer:
        if step.index == 60:
            longer.steps = 80
    longer.save(folder / "longer on its way.png")
    ascent(["ring", "ring"]).run().save(folder / "two.png")
    ascent("disc").run().save(folder / "disc.png")
    vizkit.ascend("fashion", 3, steps=5).run().save(folder / "fashion.png")
    known = dict(vizkit.regularizers._known)

    @vizkit.regularizer("penalty", strengths=(1e-6, 1))
    def darkness(image):
        return image.sum(dim=(1, 2, 3))

    ascent(regularizer=darkness(1e-4)).run().save(folder / "own regularizer.png")
    vizkit.regularizers._known = known
    another = "make another picture"
    return dict.fromkeys(("one pixel", "brighter", "other seed", "other steps", "other start"), another) | {
        "other seed alone": "another network (scores)",
        "larger": "another size",
        "no settings": "carries no settings",
        "jpeg": "jpeg.jpg carries no settings",
        "essay": "essay.txt is no picture",
        "from a photo": "starts from a photo",
        "too long": "takes 65 steps. 64 are allowed",
        "longer on its way": "takes 80 steps",
        "two": "shows 2 class models",
        "disc": "another class, disc",
        "fashion": "No class",
        "own regularizer": "darkness is not in the file",
    }


def hostile(folder):
    """Files that would do something to whoever opens them without care."""
    plain = texts(folder.parent / "plain.png")
    with Image.open(folder.parent / "plain.png") as opened:
        picture = opened.convert("RGB")
    evil = f"__import__('pathlib').Path({str(folder.parent / 'evil')!r}).touch()"
    code = plain["vizkit"]
    attacks = {
        "runs code": f"{evil}\n{code}",
        "code as a setting": code.replace("steps=20", f"steps={evil}"),
        "code as a network": code.replace("net = ", f"net = {evil} or "),
        "nested": "(" * 50_000,
        "nested twice": code.replace("steps=20", "steps=" + "[" * 4000 + "]" * 4000),
        "a long number": code.replace("seed=7", "seed=" + "9" * 5000),
        "no number of steps": code.replace("steps=20", "steps=float('inf')"),
        "text for steps": code.replace("steps=20", "steps='20'"),
        "a path": code.replace("steps=20", "steps=20, start='/etc/passwd'"),
        "memory": code.replace("vizkit.Fourier(", "vizkit.Fourier(scale=600.0, "),
        "time": code.replace("vizkit.Fourier(", "vizkit.Fourier(scale=30.0, ").replace("steps=20", "steps=64"),
    }
    for name, text in attacks.items():
        rewrite(folder / f"{name}.png", picture, plain | {"vizkit": text, "vizkit network": "{}"})
    rewrite(folder / "threads.png", picture, plain | {"vizkit network": json.dumps({"threads": "all"})})
    rewrite(folder / "facts.png", picture, plain | {"vizkit network": "[" * 50_000})
    rewrite(folder / "a start.png", picture, plain | {"vizkit start": "eJ" * 400})
    whole = (folder.parent / "plain.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    # A picture of 3.6 billion pixels, in a few bytes.
    size = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + size + struct.pack(">I", zlib.crc32(size))
    (folder / "bomb.png").write_bytes(whole[:8] + header + whole[33:])
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / ".hidden.png").write_bytes(b"")
    shutil.copy(folder.parent / "plain.png", folder / "<img src=x onerror=document.title='evil'>.png")
    shutil.copy(folder.parent / "plain.png", folder / "\x1b[2J\x1b[31mred\n.png")
    return {*attacks, "threads", "facts", "half", "bomb", "a start"} - {"runs code", "code as a network"}


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """The folder, what had to be refused and why, and the entries by their names."""
    folder = tmp_path_factory.mktemp("contest") / "handed in"
    folder.mkdir()
    honest(folder)
    wrong = edited(folder)
    attacks = hostile(folder)
    rules = {"judges": JUDGES, "steps": 64, "minutes": 0.5}
    return folder, wrong, attacks, {entry.name: entry for entry in contest(folder, "shapes", "ring", **rules)}


def test_honest_entries_are_made_again_and_judged(held):
    folder, _, _, entries = held
    judge = vizkit.load(JUDGES[0])
    for name in ("ada", "grace", "turing/my best ring", "optimized", "atlas"):
        entry, file = entries[name], folder / f"{name}.png"
        assert (entry.refused, entry.label) == ("", "ring")
        picture = np.array(Image.open(file).convert("RGB"))
        assert entry.opinions == vizkit.second_opinion(picture, "ring", judge)
        assert entry.opinion == entry.opinions[0].probability
        assert entry.steps == saved.load_run(file, {}).settings.steps or name == "turing/my best ring"
    assert entries["turing/my best ring"].steps == 30


def test_edited_entries_are_refused_with_a_sentence(held):
    _, wrong, _, entries = held
    for name, words in wrong.items():
        assert words in entries[name].refused, name
        assert entries[name].opinion == 0


def test_hostile_entries_do_nothing(held):
    folder, wrong, attacks, entries = held
    assert not (folder.parent / "evil").exists()
    for name in attacks:
        assert entries[name].refused, name
    assert entries["time"].refused.startswith("It takes more than 0.5 minutes")
    assert {name for name in attacks if "minutes" in entries[name].refused} == {"time"}
    for name in ("half", "bomb"):
        assert entries[name].refused.startswith("It cannot be made again: ")
    known = {"ada", "grace", "turing/my best ring", "optimized", "atlas", *wrong, *attacks}
    others = entries.keys() - known  # of strange names, or with code around their settings, at which nobody looks
    assert len(others) == 4
    assert len({entries[name].code for name in others}) == 1
    assert all(not entries[name].refused for name in others)


def test_what_a_judge_or_a_target_cannot_be_is_said_before_anything_is_made(held, tmp_path):
    folder = held[0]
    for where, rules, said in (
        (tmp_path, {"judges": JUDGES}, "There is no file in"),
        (tmp_path / "nowhere", {"judges": JUDGES}, "There is no file in"),
        (folder, {}, "Name judges that know the classes of shapes"),
        (folder, {"judges": ["shapes"]}, "other networks than it"),
        (folder, {"judges": ["fashion"]}, "No class"),
        (folder, {"judges": JUDGES, "target": "rang"}, 'No class "rang". Nearest: ring'),
    ):
        before = (folder / "contest.html").stat().st_mtime_ns
        with pytest.raises(vizkit.VizkitError, match=said):
            next(contest(where, "shapes", **rules))
        assert (folder / "contest.html").stat().st_mtime_ns == before


def test_from_a_terminal_any_class_from_any_machine(held, tmp_path):
    """Made anew, a picture whose pixels are others counts as what its settings make. What stands in a file's name, a
    terminal does not obey."""
    for name in ("ada", "one pixel", "disc"):
        shutil.copy(held[0] / f"{name}.png", tmp_path)
    shutil.copy(held[0] / "essay.txt", tmp_path / "\x1b[2J\x1b[31mred\n.txt")
    command = [
        sys.executable,
        "-m",
        "vizkit",
        "contest",
        tmp_path,
        "--network",
        "shapes",
        "--judges",
        *JUDGES,
        "--anew",
    ]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    red, *lines = made.stdout.splitlines()
    assert red.startswith("[2J[31mred: [2J[31mred.txt is no picture")
    assert [line.split(",")[0] for line in lines[:-1]] == ["ada: ring", "disc: disc", "one pixel: ring"]
    assert lines[-1] == f"{tmp_path / 'contest.html'} has the ranking."


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_the_ranking_and_obeys_no_name(held, scheme):
    folder, _, _, entries = held
    ranked = sorted((one for one in entries.values() if not one.refused), key=lambda one: (-one.opinion, one.steps))
    with chromium_page() as first:
        for width in (1366, 390):
            context = first.context.browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
            )
            page, faults = context.new_page(), []
            page.on("pageerror", lambda error: faults.append(str(error)))  # noqa: B023
            page.goto((folder / "contest.html").as_uri())
            assert page.title() == "Contest: ring"
            names = page.locator("#ranking h3").all_text_contents()
            assert sorted(names) == sorted(one.name for one in ranked)
            told = page.locator("#ranking strong").all_text_contents()
            assert told == [f"{one.opinion:.3f}" for one in ranked]
            assert page.locator("#refused li").count() == len(entries) - len(ranked)
            ranks = page.locator(".rank").all_text_contents()
            assert ranks[0] == "1."
            # Four files hold one and the same picture, two another one: they share a rank, and each says so.
            assert page.locator("#ranking dd", has_text="those of").count() == 6
            assert (ranks.count("1."), ranks.count("6.")) == (2, 4)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth === 64)")
            page.evaluate(AXE)
            found = page.evaluate("axe.run({resultTypes: ['violations']}).then(one => one.violations)")
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
            OUTPUT.mkdir(exist_ok=True)
            page.screenshot(path=OUTPUT / f"contest-{scheme}-{width}.png", full_page=True)
            context.close()
            assert faults == []


def test_a_label_that_stands_for_several_classes_is_judged_by_its_index(make_cnn, tmp_path):
    labels, how = ["crane", "crane", "ring"], {"size": 32, "mean": 0.5, "std": 0.25, "device": "cpu"}
    net = vizkit.Classifier(make_cnn(3, 3), labels, name="mine", **how)
    judge = vizkit.Classifier(make_cnn(3, 3), labels, name="another", **how)
    for index in (0, 1):
        vizkit.ascend(net, index, steps=3).run().save(tmp_path / f"{index}.png")
    for entry in contest(tmp_path, net, judges=[judge]):
        picture = np.array(Image.open(tmp_path / f"{entry.name}.png").convert("RGB"))
        assert entry.opinions == vizkit.second_opinion(picture, int(entry.name), judge)
