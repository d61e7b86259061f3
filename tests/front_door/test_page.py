"""`output.page` and `report --format html`: what came of a run, or of many, as one page to look at."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cleanup.cli.report import report
from cleanup.simulator import Simulator, World
from tests.accounts import FLAGS
from tests.conftest import Drafts, aged
from tests.pages import Page
from tests.runner import JOB, Ended, Runner

PAGE = ("--page", "page.html")


def page_of(ended: Ended) -> Page:
    """The page that a run has written."""
    return Page(ended.folder / "page.html")


def over_time(page: Page) -> dict[str, float]:
    """The sums of the columns of what happened when."""
    header, *rows = page.tables["Over time"]
    return {
        name: sum(float(row[place].split()[0]) for row in rows) for place, name in enumerate(header) if name != "from"
    }


@pytest.mark.unverified
def test_the_page_of_a_good_run(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The verdict first; then what there is to tell, the same numbers as in the summary."""
    held = drafts(12, agents=3)
    ended = job(job.list_of(held), *FLAGS, *PAGE, "--note", "CHG-7 <b>")
    assert ended.code == 0
    page, summary = page_of(ended), ended.summary
    assert page.headline == "All 12 drafts were discarded."
    assert page.rows("Outcomes") == {
        "outcome": ["drafts"], "discarded": ["12"], "skipped": ["0"], "failed": ["0"], "not attempted": ["0"],
        "listed": ["12"],
    }  # fmt: skip
    assert page.rows("By agent").keys() == {"agent", *(draft.agent for draft in held)}
    assert page.rows("By day (UTC)")[summary["finished_at"][:10]] == ["12", "12"]
    assert list(page.rows("By user of the key").values())[1] == ["12", "12", "0", "0"]
    assert page.rows("Requests")["all"] == ["13", "of these 0 retries"]
    for text in ("CHG-7 <b>", summary["organization"], summary["run_id"], summary["list_sha256"], "drafts.csv"):
        assert text in page.text
    assert page.rows("Settings")["output.ledger"] == ["ledger.jsonl"]
    assert stat.S_IMODE((job.folder / "page.html").stat().st_mode) & 0o007 == 0


@pytest.mark.unverified
def test_the_page_of_a_bad_night(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Failures with reasons and messages, retries, 429s, an outage: each as a figure of its own, and over time."""
    held = drafts(80)
    sim.faults.script(held[0].id, "400")
    sim.faults.script(held[1].id, ["429", "ok"])
    sim.faults.script(held[2].id, ["500", "ok"])
    sim.after(lambda _world: sim.down("500", seconds=0.8), endpoint="discard", nth=40)
    waits = ("--retry-wait", "50ms", "--retry-max-wait", "200ms")
    ended = job(job.list_of(held), *FLAGS, *PAGE, *waits, "--concurrency", "4")
    assert (ended.code, len(ended.of("outage.ended"))) == (3, 1)
    page, summary = page_of(ended), ended.summary
    assert page.headline == "79 of 80 drafts were discarded and 1 failed."
    (failed,) = [row for row in page.tables["Failures"] if held[0].id in row[0]]
    assert (failed[1], failed[3:]) == ("bad request (400)", ["1", "drafts.csv:2"])
    assert failed[2].startswith(summary["failures"][0]["message"])
    total = over_time(page)
    assert total.pop("outage") >= 0.5
    assert total == {
        "discarded": 79, "failed": 1, "retries": summary["requests"]["retries"], "429s": 1,
        "requests": summary["requests"]["total"],
    }  # fmt: skip
    assert f"Retries: {summary['requests']['retries']}" in page.text
    assert "Outages: none" not in page.text


def test_only_the_first_hundred_failures_are_shown(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """And how many more there are."""
    (held,) = drafts(1)
    sim.faults.script("*", "400*")
    rows = [(held.agent, f"draft{number}") for number in range(130)]
    ended = job(job.list_of([*rows, *rows[:2]]), *PAGE)
    page = page_of(ended)
    assert (ended.code, page.headline) == (3, "None of 132 drafts were discarded, 2 were skipped and 130 failed.")
    assert "2 drafts on no day: never sent." in page.text
    assert len(page.tables["Failures"]) == 101
    assert "30 more failures are not shown here" in page.text


@pytest.mark.parametrize("sweeps", [False, True])
def test_a_dry_run_says_of_nothing_that_it_was_discarded(
    sweeps: bool, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """It says what would be."""
    held = drafts(5, updated_at=aged(40))
    rule = ["--older-than", "30d", "--organization", world.organization, "--max-share", "off"]
    ended = job(*(["sweep", *rule] if sweeps else [job.list_of(held)]), *PAGE, "--dry-run")
    assert ended.code == 0
    page = page_of(ended)
    assert page.headline == "All 5 drafts would be discarded. Nothing was changed: this was a dry run."
    said = page.text.replace("would be discarded", "").replace("nothing was discarded", "")
    assert "discarded" not in said
    assert page.rows("Outcomes")["would discard"] == ["5"]


@pytest.mark.parametrize("dry", [True, False])
def test_the_page_of_an_undo(dry: bool, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """What was made anew, or would be."""
    assert job(job.list_of(drafts(3)), "--ledger", "ledger.jsonl", "--backup", "copies").code == 0
    ended = job("undo", "ledger.jsonl", *PAGE, *(["--dry-run"] if dry else []))
    assert ended.code == 0
    page = page_of(ended)
    assert page.headline.startswith("All 3 drafts would be restored. Nothing" if dry else "All 3 drafts were restored.")
    outcome = "would restore" if dry else "restored"
    assert page.rows("Outcomes")[outcome] == ["3"]
    assert page.tables["By agent"][0] == ["agent", "drafts", outcome, "skipped", "failed", ""]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bad.csv"], 65, "bad.csv: 1 row is invalid"),
        (["drafts.csv", "--max-discards", "1"], 78, "2 drafts would be sent"),
    ],
)
def test_a_refused_run_has_a_page_too(
    job: Runner, sim: Simulator, drafts: Drafts, words: list[str], code: int, said: str
) -> None:
    """So that no old page passes for a new one; it says why."""
    job.list_of(drafts(2))
    job.write("bad.csv", "agent,draft\nx,y\n")
    job.write("page.html", "of an earlier night")
    ended = job(*words, *PAGE)
    assert ended.code == code
    page = page_of(ended)
    assert page.headline == "The run was refused: no draft was touched."
    assert said in page.text
    assert "Nothing was sent." in page.text


def test_a_page_that_cannot_be_written_refuses_the_run(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """As for the summary (74), before anything is sent; nor may it be the list (78)."""
    listed = job.list_of(drafts(2))
    ended = job(listed, "--page", "absent/page.html")
    assert (ended.code, len(sim.left())) == (74, 2)
    assert "absent/page.html: could not be written" in ended.stderr
    assert job(listed, "--page", listed).code == 78
    assert (job.folder / listed).read_text().startswith("agent,draft\n")


def test_a_find_has_no_page(job: Runner, drafts: Drafts) -> None:
    """It has one to review; the flag is refused, and the setting means nothing to it."""
    drafts(1)
    assert job("find", *PAGE).code == 2
    assert job("find", env={"CLEANUP_OUTPUT__PAGE": "page.html"}).code == 0
    assert not (job.folder / "page.html").exists()


def nights(path: Path, count: int) -> None:
    """The ledger of a nightly sweep: three drafts a night, every tenth time one fails."""
    lines: list[dict[str, Any]] = []
    for night in range(count):
        time = f"{datetime(2026, 5, 1, 2, tzinfo=UTC) + timedelta(days=night):%FT%TZ}"
        run = {"run_id": f"r{night}", "time": time}
        user = "maria" if night < 100 else "bot"
        lines.append({"type": "run", **run, "mode": "sweep", "version": "1.1.0", "host": f"pod-{night}", "user": user,
                      "os_user": "cleanup", "organization": "66a1", "base_url": "https://x", "list": "sweep",
                      "settings": {"limits": {"rate": "auto", "concurrency": 8}}})  # fmt: skip
        for number in range(3):
            failed = night % 10 == 0 and number == 0
            lines.append({"type": "pair", **run, "agent": f"{number:024x}", "draft": f"n{night}-{number}",
                          "outcome": "failed" if failed else "discarded", "reason": "timeout" if failed else None,
                          "status": None if failed else 200, "attempts": 5 if failed else 1, "request_id": None,
                          "source": f"sweep:{number}"})  # fmt: skip
        counts = {"listed": 3, "discarded": 3, "skipped": 0, "failed": 0, "not_attempted": 0}
        lines.append({"type": "end", **run, "exit_code": 0, "counts": counts})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_page_of_180_nights(runner: Runner) -> None:
    """By day, by agent, by user, over time; the runs with their hosts; nothing that a ledger does not know."""
    nights(runner.folder / "ledger.jsonl", 180)
    assert runner("report", "ledger.jsonl", "--format", "html", "-o", "page.html").code == 0
    page = Page(runner.folder / "page.html")
    assert page.headline == "522 of 540 drafts were discarded and 18 failed."
    days = page.rows("By day (UTC)")
    assert len(days) == 181
    assert (days["2026-05-01"], days["2026-10-27"]) == (["3", "2", "0", "1"], ["3", "3", "0", "0"])
    assert page.rows("By agent")[f"{0:024x}"] == ["180", "162", "0", "18"]
    assert page.rows("By user of the key")["bot"] == ["240", "232", "0", "8"]
    assert page.rows("Outcomes").keys() == {"outcome", "discarded", "skipped", "failed", "timeout", "listed"}
    assert len(page.tables["Failures"]) == 19
    where = page.rows("Where it ran")
    assert where["2026-10-27 02:00:00"] == ["sweep 1.1.0", "pod-179 as cleanup", "sweep", "3", "0"]
    assert "80 still earlier runs are not shown here." in page.text
    assert page.rows("Settings of the latest run") == {"limits.rate": ["auto"]}
    for unknown in ("429", "Requests", "Retries", "Outages", "message"):
        assert unknown not in page.text


def test_the_page_of_ledgers_on_standard_output(runner: Runner) -> None:
    """Where the other formats go too; damage is said there as everywhere (65)."""
    nights(runner.folder / "ledger.jsonl", 2)
    with (runner.folder / "ledger.jsonl").open("a") as ledger:
        ledger.write("{}\n{}\n")
    ended = runner("report", "ledger.jsonl", "--format", "html")
    assert ended.code == 65
    assert ended.stdout.startswith("<!doctype html>\n")
    assert ended.stdout.endswith("</html>\n")
    assert "ledger.jsonl:11: this line cannot be read" in Page(runner.folder / runner.write("p", ended.stdout)).text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--format", "html", "--by", "day"], 2),
        (["--format", "html", "--draft", "d"], 2),
        (["-o", "page.html"], 2),
        (["--format", "html", "-o", "./ledger.jsonl"], 2),
        (["--format", "html", "-o", "absent/page.html"], 74),
    ],
)
def test_a_page_of_ledgers_that_is_no_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    """Wrong usage, and places that cannot be written; no ledger is overwritten."""
    nights(tmp_path / "ledger.jsonl", 1)
    before = (tmp_path / "ledger.jsonl").read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(JOB)])
    try:
        ended = report(["ledger.jsonl", *words])
    except SystemExit as end:
        ended = int(end.code or 0)
    out, err = capsys.readouterr()
    assert (ended, out) == (code, "")
    assert err.startswith("job.py report: ")
    assert (tmp_path / "ledger.jsonl").read_bytes() == before
