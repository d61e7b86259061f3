"""--resume: by pair and never by position; what is `settled` stays so, everything else is tried again."""

import json
import random
import shlex
import signal
import subprocess

import pytest

from cleanup.simulator import Simulator
from tests.accounts import FLAGS, check_account, endings, keys, leftover
from tests.conftest import Drafts, wait_until
from tests.runner import Runner

RESUME = (*FLAGS, "--resume")


def sent(sim: Simulator, since: int = 0) -> list[tuple[str, str]]:
    return [(r.agent, r.draft or "") for r in sim.requests()[since:] if r.endpoint == "discard"]


def test_a_list_that_was_sorted_cut_and_extended_meanwhile(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Pairs that are not `settled` are sent, wherever they are in the list now. What was cut from it stays."""
    held = drafts(60)
    first = job(job.list_of(held), *RESUME, "--limit", "25")  # as a CronJob's first run: there is no ledger yet
    assert (first.code, first.summary["not_attempted"]) == (0, {"limit": 35})
    check_account(first, sim, keys(held))
    run = first.ledger()[0]
    assert (run["base_url"], run["organization"], run["user"]) == (sim.url, sim.world.organization, sim.world.user)
    assert run["list_sha256"] == first.summary["list_sha256"]
    before = len(sim.requests())
    now = [*held[10:50], *drafts(5)]
    random.Random(3).shuffle(now)
    ended = job(job.list_of(now, "other.csv"), *RESUME)
    assert ended.code == 0
    check_account(ended, sim, keys(now))
    assert ended.summary["skipped"] == {"settled": 15}
    assert sorted(sent(sim, before)) == sorted(keys([*held[25:50], *(draft for draft in now if draft not in held)]))
    assert sim.left() == {draft.id for draft in held[50:]}
    third = job("other.csv", *RESUME)
    assert (third.code, third.summary["skipped"]) == (0, {"settled": 45})
    assert third.summary["requests"]["total"] == 0, "nothing to send, so not even whose key it is is asked"
    assert [line["type"] for line in third.ledger()[-2:]] == ["run", "end"]


def test_only_what_is_done_is_settled(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A night with the wrong key skipped drafts as forbidden: these are tried again, as is everything that failed."""
    held = drafts(8)
    texts = {
        "403": "forbidden",
        "404": "not_found",
        "400": "bad_request",
        "423": "frozen",
        "empty200": "unexpected_response",
    }
    for draft, text in zip(held, texts, strict=False):
        if text == "404":
            sim.world.take_away(draft.id)
        else:
            sim.faults.script(draft.id, text)
    first = job(job.list_of(held), *FLAGS, "--attempts", "1")
    assert first.code == 75
    check_account(first, sim, keys(held))
    assert [reason for _, reason in endings(first).values()].count(None) == 3
    before = len(sim.requests())
    again = job(job.list_of(held), *RESUME)
    assert again.code == 0
    check_account(again, sim, keys(held))
    assert sorted(sent(sim, before)) == sorted(keys([held[0], *held[2:5]]))
    assert again.summary["skipped"] == {"settled": 4}
    assert sim.left() == set()


def test_torn_and_foreign_lines(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A torn last line is cut off, lines of others stay and are reported. Neither makes a pair `settled`."""
    held = drafts(6)
    job(job.list_of(held), *FLAGS)
    lines = (job.folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    pairs = [line for line in lines if b'"type": "pair"' in line]
    torn = lines[0] + b"not ours\n" + b"".join(pairs[:3]) + b'{"type": "other"}\n' + pairs[3] + pairs[4][:-9]
    job.write("ledger.jsonl", torn)
    before = len(sim.requests())
    again = job(job.list_of(held), *RESUME)
    assert again.code == 0
    done = {(json.loads(line)["agent"], json.loads(line)["draft"]) for line in pairs[:4]}
    assert set(sent(sim, before)) == set(keys(held)) - done
    assert again.summary["skipped"] == {"settled": 4, "not_found": 2}
    assert [warning.split(": ")[0] for warning in again.summary["warnings"]] == ["ledger.jsonl:2", "ledger.jsonl:6"]
    now = (job.folder / "ledger.jsonl").read_bytes()
    kept = torn[: -len(pairs[4]) + 9]
    assert now.startswith(kept)
    assert [json.loads(line)["type"] for line in now[len(kept) :].splitlines()] == ["run", "pair", "pair", "end"]


def test_a_ledger_of_something_else_is_refused(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Ids of another place must not pass for done here: 78, nothing sent, the ledger as it was, all left over.

    A run that does not resume is refused as well: a trial run does not spoil the ledger.
    """
    held = drafts(4)
    job(job.list_of(held[:2]), *FLAGS)
    before, ledger = len(sim.requests()), (job.folder / "ledger.jsonl").read_bytes()
    sim.world.add_key("sk_of_others", organization=sim.world.new_id())
    elsewhere: tuple[str, ...] = ("--base-url", sim.url.replace("127.0.0.1", "localhost"))
    others = {"SMALLEST_API_KEY": "sk_of_others"}
    listed = job.list_of(held)
    for more, env, words in ((elsewhere, {}, "runs against"), ((), others, "to organization")):
        ended = job(listed, *RESUME, *more, env=env)
        assert ended.code == 78
        assert words in ended.summary["next"]
        assert [row["reason"] for row in leftover(job.folder)] == ["stopped"] * 2
        assert ended.summary["skipped"] == {"settled": 2}
        asked = len(sim.requests())
        ended = job(listed, *FLAGS, *more, env=env)
        assert ended.code == 78
        assert "name another ledger" in ended.summary["reason"]
        if more:
            assert len(sim.requests()) == asked == before
    assert sent(sim, before) == []
    assert (job.folder / "ledger.jsonl").read_bytes() == ledger
    assert job(listed, *RESUME).code == 0, "and so it is still good to resume by"


@pytest.mark.unverified
def test_a_ledger_in_use(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A second run exits 75 at once: no request, no file, not even a summary; the first one does not notice."""
    held = drafts(30)
    sim.faults.script("*", "hang*")
    first = job.start(job.list_of(held), *FLAGS, "--timeout", "60s", stderr=subprocess.PIPE)
    wait_until(lambda: len(sim.requests("discard")) >= 8)
    before = {path.name for path in job.folder.iterdir()}
    (job.folder / "link.jsonl").symlink_to("ledger.jsonl")
    second = job(
        *("drafts.csv", "--ledger", "link.jsonl", "--leftover", "l2.csv", "--summary", "s2.json"),
        *("--metrics", "m2.prom", "--page", "p2.html"),
    )
    assert second.code == 75
    assert "another run is using this ledger" in second.stderr
    assert {path.name for path in job.folder.iterdir()} - before <= {"link.jsonl", "summary.json", "leftover.csv"}
    assert len(sim.requests("user")) == 1
    assert first.stderr is not None
    first.send_signal(signal.SIGTERM)
    said = next(line for line in first.stderr if "run.stopping" in line)
    first.send_signal(signal.SIGTERM)
    ended = job.wait(first)
    assert said
    assert ended.code == 143
    assert ended.summary["failed"] == {"interrupted": 8}
    assert [line["type"] for line in ended.ledger()] == ["run", *["pair"] * 8, "end"]


@pytest.mark.unverified
def test_a_ledger_behind_a_link(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It is the file that is appended to, and the link stays one."""
    held = drafts(6)
    (job.folder / "elsewhere").mkdir()
    (job.folder / "ledger.jsonl").symlink_to("elsewhere/real.jsonl")
    for _ in range(2):
        assert job(job.list_of(held), *RESUME, "--limit", "3").code == 0
    assert (job.folder / "ledger.jsonl").is_symlink()
    assert sim.left() == set()
    lines = job.ended[-1].ledger("elsewhere/real.jsonl")
    assert [line["type"] for line in lines] == ["run", "pair", "pair", "pair", "end"] * 2
    assert len({line["run_id"] for line in lines}) == 2


def test_a_dry_run_records_nothing(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It reads the ledger to say what a run would do, also while another run holds it, and writes none."""
    held = drafts(5)
    job(job.list_of(held), *FLAGS, "--limit", "2")
    before = {path.name: path.read_bytes() for path in job.folder.iterdir()}
    ended = job("drafts.csv", *RESUME, "--metrics", "metrics.prom", "--dry-run")
    assert ended.code == 0
    assert ended.summary["counts"] == {"listed": 5, "would_discard": 3, "skipped": 2, "failed": 0, "not_attempted": 0}
    after = {path.name: path.read_bytes() for path in job.folder.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"summary.json", "metrics.prom"}
    assert len(sim.left()) == 3


def test_warnings_that_prevent_silent_failure(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """An old list, an empty one, an endpoint about to end, a key of nobody: exit 0 or not, it is said."""
    held = drafts(4)
    rows = [(draft.agent, "0" * 24) for draft in held[:1]] + [(held[1].agent, "f" * 24)]
    sim.world.headers = {"Deprecation": "true", "Sunset": "Sat, 31 Oct 2026 23:59:59 GMT"}
    sim.faults.script("*", "500", on="user")
    old = job(job.list_of(rows))
    assert old.code == 0
    told = "\n".join(old.summary["warnings"])
    for words in (
        "none of the listed drafts was found",
        "Deprecation: true",
        "Sunset: Sat, 31 Oct",
        "could not determine",
    ):
        assert words in told
    logged = [entry["message"] for entry in old.of("run.warning")]
    assert [warning for warning in old.summary["warnings"] if warning not in logged] == []
    assert len(logged) == len(set(logged))
    empty = job(job.list_of([]))
    assert (empty.code, empty.summary["requests"]["total"]) == (0, 0)
    assert "empty" in empty.summary["warnings"][0]
    fine = job(job.list_of([*rows, *keys(held)]))
    assert not any("none of the listed" in warning for warning in fine.summary["warnings"])


def test_a_sweep_is_refused_before_it_searches_the_workspace(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The ledger is of another API: not one request. Of another organization: none but whose key it is."""
    job(job.list_of(drafts(1)), *FLAGS)
    before, others = len(sim.requests()), sim.world.new_id()
    sweep = ("sweep", "--yes", "--older-than", "30d", *FLAGS, "--organization", others)
    ended = job(*sweep, "--base-url", sim.url.replace("127.0.0.1", "localhost"))
    assert (ended.code, len(sim.requests())) == (78, before)
    sim.world.add_key("sk_of_others", organization=others)
    ended = job(*sweep, env={"SMALLEST_API_KEY": "sk_of_others"})
    assert (ended.code, [request.endpoint for request in sim.requests()[before:]]) == (78, ["user"])
    assert "this ledger belongs to organization" in ended.summary["reason"]


def test_pairs_of_no_known_run_refuse_a_resume(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """logrotate's copytruncate leaves pairs without their run line: of which API they speak cannot be determined."""
    held = drafts(4)
    job(job.list_of(held[:3]), *FLAGS)
    lines = (job.folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    job.write("ledger.jsonl", b"".join(lines[2:]))
    before = len(sim.requests())
    ended = job(job.list_of(held), *RESUME)
    assert (ended.code, len(sim.requests())) == (78, before)
    assert "ledger.jsonl:1: there is no run line before this line" in ended.summary["reason"]
    assert job("drafts.csv", *FLAGS).code == 0, "a run that does not resume does not read them"


def test_a_resume_without_the_guards_of_the_run_before_is_refused(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whoever repeats a command by heart learns which flag was forgotten. A different value is a decision."""
    held = drafts(4, agents=2)
    agent, backup = held[0].agent, job.folder / "copies"
    guards = [
        ("--protect", agent, f"{agent},{'f' * 24}"),
        ("--min-idle", "2h", "1ms"),
        ("--backup", str(backup), str(job.folder / "elsewhere")),
        ("--organization", sim.world.organization, sim.world.organization),
    ]
    first = [word for flag, value, _ in guards for word in (flag, value)]
    assert job(job.list_of(held), *FLAGS, "--limit", "1", *first).code == 0
    before = len(sim.requests())
    for flag, value, _ in guards:
        others = [word for name, _, other in guards if name != flag for word in (name, other)]
        refused = job("drafts.csv", *RESUME, *others)
        assert (refused.code, len(sim.requests())) == (78, before)
        assert f"pass {flag} {shlex.quote(value)}," in refused.summary["reason"]
    assert job("drafts.csv", *RESUME, *(word for flag, _, other in guards for word in (flag, other))).code == 0


def test_pairs_that_always_fail_do_not_keep_others_from_being_sent(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Two that are forbidden at the list's head and `--limit 2`: each night goes on where the last one ended.

    A night that got nothing done, and had to leave drafts for later, warns of that, though it exits with 0.
    """
    held = drafts(6)
    for draft in held[:2]:
        sim.faults.script(draft.id, "403*")
    nights, told, metrics = [], [], job.folder / "nightly.prom"
    for _ in range(4):
        ended = job(job.list_of(held), *RESUME, "--limit", "2", "--metrics", metrics.name)
        nights.append(ended.events[-1])
        told.append(ended.summary["warnings"])
        counted = 'draft_cleanup_warnings{kind="limited_nothing_done",mode="discard",task="nightly"} 1.0'
        assert (counted in metrics.read_text()) is bool(told[-1])
    (warning,) = told[0]
    assert "4 drafts are beyond limits.per_run" in warning
    assert told[1:] == [[], [], []]
    assert [night["exit_code"] for night in nights] == [0, 0, 0, 0]
    assert [night["counts"]["discarded"] for night in nights] == [0, 2, 2, 0]
    assert sim.left() == {draft.id for draft in held[:2]}


def test_a_ledger_whose_folder_cannot_be_searched(job: Runner, drafts: Drafts) -> None:
    """A folder that may not be searched, say, or a name too long: a sentence, also in a dry run."""
    ended = job(job.list_of(drafts(1)), "--ledger", "x" * 300, "--resume", "--dry-run")
    assert (ended.code, ended.of("run.bug")) == (78, [])
    assert "the ledger cannot be read: File name too long" in ended.summary["reason"]
