"""The review page in a real browser: what is ticked is what is saved, and nothing in it is more than text."""

import csv
import hashlib
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from cleanup.api.changes import Change
from cleanup.api.drafts import Draft
from cleanup.find.findings import Findings
from cleanup.model import Owner
from cleanup.pages.review import review_page
from cleanup.simulator import Mode, Simulator, World
from tests.browser.conftest import Looked
from tests.conftest import MODES, Drafts
from tests.runner import Runner

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOSTILE = [
    "<script>alert('name')</script>",
    "</script><script>alert('data')</script>",
    "<img src=x onerror=alert('image')>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }} ${7 * 7}",
    "=HYPERLINK(\"http://example.com\")",
    "a\u202eb\u0007c",
    "<!--", "-->", "&lt;b&gt;", "\u2028", "x" * 10_000,
    '{"agent": "</script>"}',
]  # fmt: skip


def findings(names: list[str]) -> Findings:
    """A draft for each name, with changes that say it again; the first one is being published."""
    drafts = [
        Draft(
            f"{number:024x}",
            f"d{number}",
            name,
            name,
            "2026-08-01T12:00:00Z",
            "",
            name,
            publishing=not number,
            edits=number,
        )
        for number, name in enumerate(names)
    ]
    changes: dict[tuple[str, str], tuple[Change, ...]] = {
        (draft.agent, draft.draft): (Change(draft.name, draft.name, draft.name, [draft.name]),) for draft in drafts
    }
    return Findings(found=drafts[1:], publishing=drafts[:1], changes=changes, agents=len(drafts), seen=len(drafts))


def written(folder: Path, found: Findings) -> Path:
    """The page of what was found."""
    file = folder / "review.html"
    owner = Owner("66a1", None, None, HOSTILE[0])
    file.write_text(review_page(found, owner, HOSTILE[1], NOW, "python job.py"), encoding="utf-8")
    return file


@MODES
def test_what_is_ticked_is_saved_and_the_job_discards_exactly_that(
    mode: Mode, context: BrowserContext, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """From `find --review` to the run that was approved: untick, filter, sort, save; the hash fits."""
    world.mode = mode
    held = drafts(12)
    held[3].name = world.agents[held[3].agent].branches[held[3].branch].name = "Refunds, \"shorter\"\n'x'"
    world.publish(held[4].id)
    assert job("find", "--review", "review.html").code == 0
    looked = Looked(context, job.folder / "review.html")
    page = looked.page
    stays = {held[4].id}
    assert page.locator("#count").text_content() == "11 ticked, 12 of 12 shown"
    for draft in held[:2]:
        page.locator("tr", has_text=draft.id).get_by_role("checkbox").uncheck()
        stays.add(draft.id)
    page.fill("#filter", held[2].id)  # only hides
    assert page.locator("#count").text_content() == "9 ticked, 1 of 12 shown"
    page.click("th button[data-sort=edits]")
    with page.expect_download() as download:
        page.click("#save")
    file = job.folder / "approved.csv"
    download.value.save_as(file)
    page.locator("#saved").wait_for()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert page.locator("#hash").text_content() == digest
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["draft"] for row in rows} == {draft.id for draft in held} - stays
    command = shlex.split(page.locator("#command").text_content() or "")
    assert command[-2:] == ["--sha256", digest]
    assert command[command.index("--backup") + 1] == "copies", "what is discarded by this page can be undone"
    assert "--ledger" in command
    ended = job(file.name, *command[-2:])
    assert (ended.code, sim.left()) == (0, stays)
    looked.check_quiet()


def test_nothing_in_it_is_more_than_text(context: BrowserContext, tmp_path: Path) -> None:
    """Names, editors, sections, values, the organization, the rule: all of them hostile, none of them run."""
    looked = Looked(context, written(tmp_path, findings(HOSTILE)))
    page = looked.page
    for button in page.locator("tbody tr button").all():
        button.click()
    page.fill("#filter", "alert")
    page.fill("#filter", "")
    body = page.locator("body").inner_text()
    assert HOSTILE[0] in body
    assert "a\\u202eb\\u0007c" in body
    assert "49" not in [cell.inner_text() for cell in page.locator("tbody bdi").all()]
    with page.expect_download() as download:
        page.click("#save")
    with Path(download.value.path()).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["draft"] for row in rows] == [f"d{number}" for number in range(1, len(HOSTILE))]
    # A spreadsheet would run it otherwise.
    assert {row["name"].removeprefix("'") for row in rows} == set(HOSTILE[1:])
    assert all(not row["name"].startswith("=") for row in rows)
    looked.check_quiet()


def test_by_keyboard_alone(context: BrowserContext, tmp_path: Path) -> None:
    """Every control is reached by Tab, and named; a draft is unticked, its changes opened, the list saved."""
    looked = Looked(context, written(tmp_path, findings(["first", "second", "third"])))
    page = looked.page
    names = []
    for _ in range(24):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "() => { const e = document.activeElement; return e.getAttribute('aria-label') || e.textContent }"
        )
        names.append(name)
        if name == "second goes":
            page.keyboard.press("Space")
        elif name == "third":
            page.keyboard.press("Enter")
            break
    assert names[:4] == ["Filter the drafts that are shown", "Tick all shown", "Untick all shown", "Save list"]
    assert "second goes" in names
    assert page.locator("#count").text_content() == "1 ticked, 3 of 3 shown"
    assert page.locator(".change").count() == 1
    page.focus("#save")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert Path(download.value.path()).read_text().splitlines()[1:] == [
        f"{2:024x},d2,third,third,third,2026-08-01T12:00:00.000Z"
    ]
    looked.check_quiet()


def test_five_thousand_drafts_open_in_two_seconds(context: BrowserContext, tmp_path: Path) -> None:
    """With a prompt of two hundred words on either side of each."""
    names = [f"Draft {number}" for number in range(5000)]
    found = findings(names)
    prompt = "ask the caller politely for their name and order " * 22
    found.changes = {draft: (Change("prompt", "", prompt, prompt + draft[1]),) for draft in found.changes}
    file = written(tmp_path, found)
    context.add_init_script(
        "addEventListener('DOMContentLoaded', () => { rowsAtFirst = document.querySelectorAll('tbody tr').length })"
    )
    began = time.monotonic()
    looked = Looked(context, file)
    assert looked.page.locator("#count").text_content() == "4999 ticked, 5000 of 5000 shown"
    assert time.monotonic() - began < 10, "five times what it takes on an idle machine"
    assert looked.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") < 2000
    assert 200 <= looked.page.evaluate("rowsAtFirst") < 5000, "the first rows must not wait for the others"
    expect(looked.page.locator("tbody tr")).to_have_count(5000)
    looked.check_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_on_a_phone_and_in_the_dark_nothing_is_wider_than_the_screen(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    """Whatever drafts are called."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    looked = Looked(context, written(tmp_path, findings(["x" * 300, "y z " * 100, "plain"])))
    for button in looked.page.locator("tbody tr button").all():
        button.click()
    assert looked.page.evaluate("document.documentElement.scrollWidth") <= width
    looked.check_quiet()
    context.close()
