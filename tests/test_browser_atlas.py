"""The page of an atlas, opened from the disk, in Chromium: as one who was handed the folder would use it."""

from pathlib import Path

import axe_playwright_python
import measured
import numpy as np
import pytest
from browsers import LIMIT, OUTPUT, chromium_page
from PIL import Image
from playwright.sync_api import expect

import vizkit
from vizkit.atlases import folder as folders

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
SHOWN = "[...document.querySelectorAll('#grid b')].map(one => one.textContent)"


def entry(net, index, random):
    """As of a real atlas; where the judge knows it, it is sure, and of every 100th there is no picture."""
    label, rank = net.labels[index], int(random.choice([1, 1, 1, 2, 40]))
    if index % 100 == 50:
        return folders.Entry(index, label, failure="Diverged: The image is no longer finite at step 3.")
    curve = np.round(30 * (1 - np.exp(-np.arange(65) / 12)) + random.normal(0, 1, 65), 2).tolist()
    seen = label if rank == 1 else net.labels[(index + 1) % 1000]
    told = {
        "opinion": float(random.uniform(0.5, 1) if rank == 1 else random.uniform(0, 0.3)),
        "rank": rank,
        "seen": seen,
    }
    score, rival = float(random.uniform(10, 40)), net.labels[(index + 7) % 1000]
    return folders.Entry(index, label, score, 0.99, rival, 1.6, 64, curve, **told)


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    """1,000 classes, whose pictures are noise: making them takes half an hour."""
    folder, random = tmp_path_factory.mktemp("atlas"), np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for index in range(1000):
        colours = random.integers(0, 256, (7, 7, 3), np.uint8)
        Image.fromarray(colours).resize((224, 224)).save(folders.picture_path(folder, index))
    settings = vizkit.atlas(net, folder / "empty", [0]).job.identity["settings"]
    heading = {"network": net.name, "classes": 1000, "side": 224, "shape": "224 / 224", "measured": net.measured}
    folders.write(folder, [entry(net, index, random) for index in range(1000)], {**heading, **settings})
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium_page() as page:
        yield page.context.browser


@pytest.fixture
def page(browser, folder):
    """The page, opened from the disk; whatever it asks for beyond the folder, and every error, is a fault."""
    context = browser.new_context(viewport={"width": 1366, "height": 800}, offline=True)
    context.set_default_timeout(LIMIT * 1000)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(folder.as_uri()) else faults.append(asked.url))
    page.goto((folder / "index.html").as_uri())
    yield page
    context.close()
    assert faults == []


def shown(page):
    return page.evaluate(SHOWN)


def test_the_page_is_small_and_loads_the_pictures_that_one_sees(page, folder):
    size = (folder / "index.html").stat().st_size
    measured.note(f"page of an atlas of 1,000 classes: {size / 1000:.0f} kB")
    assert size < 1_000_000
    assert len(shown(page)) == 1000
    loaded = "[...document.querySelectorAll('#grid img')].filter(one => one.complete && one.naturalWidth).length"
    page.wait_for_function(f"{loaded} > 20")
    assert page.evaluate(loaded) < 600  # Chromium loads some 3,000 pixels ahead
    expect(page.locator("#grid img").first).to_have_js_property("naturalWidth", folders.THUMBNAIL)


@pytest.mark.parametrize(
    "query", ["spider", "dog", "cat", "car", "crane", "bird", "fish", "ball", "Wolf", "bus", "tern", "flam"]
)
def test_search_finds_what_the_explorer_finds_in_the_same_order(query, page, net):
    page.get_by_label("Search").fill(query)
    assert shown(page) == list(net.find(query).values())


def test_what_is_not_there_shows_what_is_spelt_like_it(page):
    page.get_by_label("Search").fill("flamigo")
    expect(page.get_by_text("No class contains “flamigo”. Nearest:")).to_be_visible()
    assert shown(page)[0] == "flamingo"
    page.get_by_label("Search").fill("qqqq")
    expect(page.get_by_text("No class contains “qqqq”.", exact=True)).to_be_visible()
    assert shown(page) == []
    page.get_by_label("Search").fill("130")
    assert shown(page) == ["flamingo"]
    page.get_by_label("Search").fill("")
    assert len(shown(page)) == 1000


def test_it_sorts_and_shows_only_what_the_judge_does_not_recognise(page, folder, net):
    entries = page.evaluate("entries.map(({card, folded, ...one}) => one)")
    made = [one for one in entries if one["score"] is not None]
    label = {one["index"]: one["label"] for one in entries}

    def order(some, key):
        return [label[one["index"]] for one in sorted(some, key=key)]

    page.get_by_label("Sort").select_option("second opinion, worst first")
    assert shown(page)[: len(made)] == order(made, lambda one: one["opinion"])
    page.get_by_label("Sort").select_option("class score, highest first")
    assert shown(page)[: len(made)] == order(made, lambda one: -one["score"])
    page.get_by_label("Sort").select_option("by name")
    assert shown(page)[0] == min(label.values(), key=str.lower)
    page.get_by_label("Sort").select_option("as in the network")
    assert shown(page) == net.labels
    page.get_by_label("does not recognise").check()
    wrong = [one["label"] for one in made if one["rank"] > 1]
    assert shown(page) == wrong
    expect(page.locator("#count")).to_have_text(f"{len(wrong)} of 1000")


def test_a_click_opens_a_class_large_and_the_keyboard_turns_the_pages(page, net):
    page.get_by_label("Search").fill("flamingo")
    page.get_by_label("Search").fill("")
    page.locator("#grid a", has_text="flamingo").click()
    large = page.get_by_role("dialog", name="flamingo")
    expect(large).to_be_visible()
    page.wait_for_function("location.hash === '#130'")
    expect(large.get_by_alt_text("class model of flamingo")).to_be_visible()
    expect(large.get_by_role("img", name="class score: from")).to_be_visible()
    expect(large).to_contain_text("strongest rival")
    expect(large).to_contain_text('vizkit.reproduce("pictures/00130.png")')
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name=net.labels[131])).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("dialog", name=net.labels[129])).to_be_visible()
    page.screenshot(path=OUTPUT / "atlas-large.png")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.wait_for_function("!location.hash")  # the dialog is hidden a moment before it says so
    page.wait_for_function("document.activeElement.getAttribute('href') === '#129'")
    page.keyboard.press("/")
    page.wait_for_function("document.activeElement.id === 'query'")
    page.keyboard.type("ostrich")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="ostrich")).to_be_visible()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_link_opens_its_class_and_back_closes_it(page, folder):
    page.goto((folder / "index.html").as_uri() + "#9")
    page.reload()
    expect(page.get_by_role("dialog", name="ostrich")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.locator("#grid a").nth(3).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto((folder / "index.html").as_uri() + "#50")
    expect(page.get_by_role("dialog")).to_contain_text("no longer finite at step 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1366])
def test_axe_finds_no_fault(scheme, width, page):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.evaluate(AXE)
    for state in ("cards", "large"):
        if state == "large":
            page.locator("#grid a").first.click()
        faults = page.evaluate("axe.run().then(found => found.violations.map(one => [one.id, one.nodes[0].html]))")
        assert faults == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=OUTPUT / f"atlas-{state}-{scheme}-{width}.png")


def test_a_thousand_entries_are_scrolled_through(page):
    """Every picture that one stops at is there; how smooth it was goes into the summary."""
    frames = page.evaluate(
        """async () => {
            const end = document.documentElement.scrollHeight, steps = 120, times = [];
            for (let step = 1; step <= steps; step++) {
                scrollTo(0, end * step / steps);
                times.push(await new Promise(requestAnimationFrame));
            }
            return times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
        }"""
    )
    usual, slow = frames[len(frames) // 2], frames[int(len(frames) * 0.95)]
    measured.note(f"scrolling through 1,000 classes: {usual:.0f} ms a frame, {slow:.0f} ms one in twenty")
    last = page.locator("#grid img").last
    expect(last).to_be_in_viewport()
    page.wait_for_function("[...document.querySelectorAll('#grid img')].at(-1).naturalWidth > 0")
