"""The report page in a real browser: it shows what there is, runs nothing, and can be read anywhere."""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from cleanup.api.series import Moment
from cleanup.pages.of_ledgers import told_of_ledgers
from cleanup.pages.report import Told, report_page
from cleanup.records.report import read_report
from tests.browser.conftest import Looked
from tests.browser.test_review import HOSTILE

BEGAN = datetime(2026, 11, 29, 2, tzinfo=UTC).timestamp()


def failure(number: int, text: str) -> dict[str, Any]:
    """A failure that says this wherever the API, a gateway or a file name has a say."""
    said = dict.fromkeys(("reason", "request_id", "message", "source"), text)
    return {"agent": f"{number:024x}", "draft": f"d{number}", "status": 500, "attempts": 5, **said}


def told(texts: list[str], failed: int) -> Told:
    """A run of so many failures, in which everything that may be said is one of these texts."""
    first = texts[0]
    run = dict.fromkeys(("host", "os_user", "user", "note", "list", "organization_name", "organization"), first)
    counts = {"listed": failed + 9, "discarded": 9, "skipped": 0, "failed": failed, "not_attempted": 0}
    summary = {
        "version": "1.1.0", "mode": "discard", "status": "stopped", "stopped_by": "outage", "reason": first,
        "exit_code": 75, "meaning": first, "next": f"{first}, run: cd {first}", "started_at": first, "seconds": 200.0,
        "finished_at": first, "counts": counts, "skipped": {}, "failed": dict.fromkeys(texts, 1),
        "not_attempted": {}, "verified": {"checked": 3, "gone": 3, "not_gone": 0, "unknown": 1},
        "requests": {"total": 20, "retries": 4, "by_status": dict.fromkeys(texts, 1)},
        "rate": {"achieved": 4.8, "limit": None, "began_at": 9, "because": first},
        "seconds_per_request": {"p50": 0.08, "p95": 0.2, "max": 61.0}, "warnings": texts,
        "failures": [failure(number, text) for number, text in enumerate((texts * failed)[:100])],
    }  # fmt: skip
    amounts = Counter({"discarded": 9, "failed": failed, "requests": 20, "429s": 2, "retries": 4, "down": 3})
    moments = [Moment(BEGAN + number, amounts if number % 3 else Counter()) for number in range(200)]
    groups = dict.fromkeys(texts, counts)
    where = {**run, "run_id": first, "base_url": first, "model": first, "shard": first, "list_sha256": first,
             "version": first}  # fmt: skip
    return Told(summary, groups, groups, groups, moments, 1.0, [where], {text: text for text in texts})


def written(folder: Path, what: Told) -> Path:
    """The page."""
    file = folder / "page.html"
    file.write_text(report_page(what), encoding="utf-8")
    return file


def test_nothing_in_it_is_more_than_text(context: BrowserContext, tmp_path: Path) -> None:
    """Messages, names, reasons, hosts, notes, settings: all of them hostile, none of them run, none turns the text."""
    looked = Looked(context, written(tmp_path, told(HOSTILE, 50)))
    body = looked.page.locator("body").inner_text()
    assert HOSTILE[0] in body
    assert "a\\u202eb\\x07c" in body
    assert "\u202e" not in body
    assert "{{ 7 * 7 }}" in body
    assert looked.page.locator("script, img, iframe, object, [onerror], [onload], [style]").count() == 0
    looked.check_quiet()


def test_a_script_that_somebody_puts_in_is_not_run(context: BrowserContext, tmp_path: Path) -> None:
    """The page's own policy allows none, and no picture or frame from anywhere."""
    file = written(tmp_path, told(["plain"], 1))
    added = "<script>document.title = 'run'</script><img src='https://example.com/x.png'></main>"
    file.write_text(file.read_text().replace("</main>", added))
    looked = Looked(context, file)
    assert looked.page.title() != "run"
    assert len([said for said in looked.complaints if "Content Security Policy" in said]) == 2


def test_a_ledger_is_as_hostile(context: BrowserContext, tmp_path: Path) -> None:
    """What somebody has written into one."""
    for number, text in enumerate(HOSTILE):
        lines = [
            {"type": "run", "run_id": text, "time": text, "mode": text, "host": text, "user": text, "list": text,
             "note": text, "organization": text, "base_url": text, "version": text, "settings": {text: {text: text}}},
            {"type": "pair", "run_id": text, "time": "2026-11-29T02:00:00Z", "agent": "0" * 24, "draft": "d",
             "outcome": "failed", "reason": text, "status": text, "attempts": text, "source": text},
            {"type": "end", "run_id": text, "time": text, "exit_code": text, "counts": {"listed": text}},
        ]  # fmt: skip
        (tmp_path / f"{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_report([str(path) for path in sorted(tmp_path.glob("*.jsonl"))])
    looked = Looked(context, written(tmp_path, told_of_ledgers(found)))
    body = looked.page.locator("body").inner_text()
    assert HOSTILE[0] in body
    assert "\u202e" not in body
    looked.check_quiet()


def test_ten_thousand_failures_open_quickly(context: BrowserContext, tmp_path: Path) -> None:
    """The first hundred are shown, and how many more there are."""
    began = time.monotonic()
    looked = Looked(context, written(tmp_path, told(["plain"], 10_000)))
    assert "10,000 failed" in looked.page.locator("h1").inner_text()
    assert time.monotonic() - began < 5, "many times what it takes on an idle machine"
    assert looked.page.get_by_role("table", name="The drafts that failed, and why").locator("tbody tr").count() == 100
    assert "9,900 more failures are not shown here" in looked.page.locator("body").inner_text()
    looked.check_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_on_a_phone_and_in_the_dark_nothing_is_wider_than_the_screen(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    """Whatever is said; everything that folds is open."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    looked = Looked(context, written(tmp_path, told(["x" * 300, "y z " * 100, *"abcdefghijklmnopqrstu"], 200)))
    for fold in looked.page.locator("summary").all():
        fold.click()
    assert looked.page.evaluate("document.documentElement.scrollWidth") <= width
    looked.check_quiet()
    context.close()


def test_by_keyboard_and_for_a_screen_reader(context: BrowserContext, tmp_path: Path) -> None:
    """Links lead to the sections, folds open by Enter; tables and drawings have names, and each drawing a table."""
    looked = Looked(context, written(tmp_path, told(["plain"], 2)))
    page = looked.page
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#time")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("table", name="What happened when").locator("tbody tr").count() == 133
    tables = page.locator("table").count()
    assert page.locator("table > caption").count() == tables
    assert page.get_by_role("table").count() == tables
    assert page.get_by_role("img", name="Drafts over time").count() == 1
    assert page.locator("svg:not([aria-hidden]):not([role=img]):not(.key svg)").count() == 0
    looked.check_quiet()


def test_printed_everything_is_there(context: BrowserContext, tmp_path: Path) -> None:
    """Also what is folded on the screen."""
    looked = Looked(context, written(tmp_path, told(["plain"], 2)))
    table = looked.page.get_by_role("table", name="What happened when", include_hidden=True)
    assert not table.is_visible()
    looked.page.emulate_media(media="print")
    assert table.is_visible()
    assert not looked.page.locator("nav").is_visible()
