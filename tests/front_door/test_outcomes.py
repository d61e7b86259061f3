"""Every way a pair can end on the drafts endpoint, by what the API answers; checked against what the API saw."""

import gzip
import subprocess
from collections.abc import Sequence

from cleanup.simulator import Simulator
from tests.conftest import Drafts
from tests.raw_api import DISCARDED, Cut, Hang, RawApi, answer
from tests.runner import Ended, Runner

ATTEMPTS = 3
AGENT = "a" * 24

# script, outcome, reason, status, attempts, and whether the draft is still there
SCRIPTED: list[tuple[Sequence[str], str, str | None, int | None, int, bool]] = [
    (["ok"], "discarded", None, 200, 1, False),
    (["slow:20ms"], "discarded", None, 200, 1, False),
    (["204"], "discarded", None, 204, 1, False),
    # what is not the API's own answer
    (["status_false"], "failed", "unexpected_response", 200, 1, True),
    (["empty200"], "failed", "unexpected_response", 200, 1, True),
    (["html"], "failed", "unexpected_response", 200, 1, True),
    (["html_after"], "failed", "unexpected_response", 200, 1, False),
    (["html403*"], "failed", "unexpected_response", 403, 3, True),
    (["html404*"], "failed", "unexpected_response", 404, 3, True),
    (["empty401", "empty403", "ok"], "discarded", None, 200, 3, False),
    (["nginx404", "ok"], "discarded", None, 200, 2, False),
    (["empty404*"], "failed", "unexpected_response", 404, 3, True),
    (["huge"], "failed", "unexpected_response", 200, 1, False),
    (["201"], "failed", "unexpected_response", 201, 1, True),
    (["202"], "failed", "unexpected_response", 202, 1, True),
    (["redirect"], "failed", "unexpected_response", 302, 1, True),
    (["418"], "failed", "unexpected_response", 418, 1, True),
    (["408"], "failed", "unexpected_response", 408, 1, True),
    # the API's own
    (["400"], "failed", "bad_request", 400, 1, True),
    (["409"], "failed", "conflict", 409, 1, True),
    (["423"], "failed", "frozen", 423, 1, True),
    (["403"], "skipped", "forbidden", 403, 1, True),
    (["404"], "failed", "unexpected_response", 404, 1, True),  # the agent's list has it
    # tried again: 429
    (["429", "ok"], "discarded", None, 200, 2, False),
    (["429:retry_after=0", "ok"], "discarded", None, 200, 2, False),
    (["429:retry_after=0.05", "429:body=0.05", "ok"], "discarded", None, 200, 3, False),
    (["429:retry_after=soon", "429:retry_after=-5", "ok"], "discarded", None, 200, 3, False),
    (["429:retry_after=nan", "429:body=1e999", "ok"], "discarded", None, 200, 3, False),
    (["html429", "ok"], "discarded", None, 200, 2, False),
    (["429*"], "failed", "rate_limited", 429, 3, True),
    (["429", "404"], "failed", "unexpected_response", 404, 2, True),
    # tried again: 5xx
    (["500", "ok"], "discarded", None, 200, 2, False),
    (["500", "502", "ok"], "discarded", None, 200, 3, False),
    (["503:retry_after=0.05", "503:body=0.05", "ok"], "discarded", None, 200, 3, False),
    (["html502", "599", "ok"], "discarded", None, 200, 3, False),
    (["500*"], "failed", "server_error", 500, 3, True),
    (["html504*"], "failed", "server_error", 504, 3, True),
    (["500", "500_after", "ok"], "skipped", "gone_after_retry", 404, 3, False),
    (["500_after"], "skipped", "gone_after_retry", 404, 2, False),
    (["503_after", "429"], "skipped", "gone_after_retry", 404, 3, False),
    (["500", "404"], "failed", "unexpected_response", 404, 2, True),
    (["500", "403"], "skipped", "forbidden", 403, 2, True),
    (["500", "400"], "failed", "bad_request", 400, 2, True),
    (["500", "409"], "failed", "conflict", 409, 2, True),
    (["500", "html404", "ok"], "discarded", None, 200, 3, False),
    # tried again: no answer
    (["lost", "ok"], "discarded", None, 200, 2, False),
    (["reset", "garbage", "ok"], "discarded", None, 200, 3, False),
    (["lost_after"], "skipped", "gone_after_retry", 404, 2, False),
    (["reset_after"], "skipped", "gone_after_retry", 404, 2, False),
    (["garbage_after"], "skipped", "gone_after_retry", 404, 2, False),
    (["truncated"], "skipped", "gone_after_retry", 404, 2, False),
    (["lost", "429", "404"], "failed", "unexpected_response", 404, 3, True),
    (["lost*"], "failed", "connection", None, 3, True),
    (["500", "lost", "500"], "failed", "server_error", 500, 3, True),
    (["500", "500", "reset"], "failed", "connection", None, 3, True),
]


def check_counts(ended: Ended) -> None:
    """Everything that is reported of a run adds up, in the summary, the ledger and the log."""
    summary, pairs = ended.summary, [line for line in ended.ledger() if line["type"] == "pair"]
    counts = dict(summary["counts"])
    listed = counts.pop("listed")
    assert sum(counts.values()) == listed == len(pairs)
    for outcome in ("skipped", "failed", "not_attempted"):
        assert sum(summary[outcome].values()) == counts[outcome]
    told = [entry for entry in ended.events if entry["event"] in ("draft.discarded", "draft.skipped", "draft.failed")]
    fields = ("agent", "draft", "reason", "status", "attempts", "seconds", "request_id")
    by_draft = {line["draft"]: {field: line[field] for field in fields} for line in pairs}
    assert {entry["draft"]: {field: entry[field] for field in fields} for entry in told} == by_draft
    assert all(entry["event"] == f"draft.{line['outcome']}" for entry, line in zip(told, pairs, strict=True))
    assert all(entry["level"] == ("error" if entry["event"] == "draft.failed" else "info") for entry in told)
    retries = [entry for entry in ended.of("draft.retrying") if entry["draft"]]
    assert len(retries) == sum(line["attempts"] - 1 for line in pairs) == summary["requests"]["retries"]
    assert sum(summary["requests"]["by_status"].values()) == summary["requests"]["total"]
    assert {failure["draft"] for failure in summary["failures"]} == {
        line["draft"] for line in pairs if line["outcome"] == "failed"
    }


def test_each_answer_means_what_the_table_says(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """One draft for each fault, and between any two of them one that nothing is wrong with."""
    held = drafts(len(SCRIPTED) * 2, agents=7)
    faulty, sound = held[::2], held[1::2]
    for draft, row in zip(faulty, SCRIPTED, strict=True):
        sim.faults.script(draft.id, row[0])
    flags = ("--attempts", str(ATTEMPTS), "--concurrency", "1", "--ledger", "ledger.jsonl")
    ended = job(job.list_of(held), *flags)
    lines = {line["draft"]: line for line in ended.ledger() if line["type"] == "pair"}
    found = [
        (
            row[0],
            *(lines[draft.id][field] for field in ("outcome", "reason", "status", "attempts")),
            draft.id in sim.left(),
        )
        for draft, row in zip(faulty, SCRIPTED, strict=True)
    ]
    assert found == SCRIPTED
    assert {(lines[draft.id]["outcome"], lines[draft.id]["attempts"]) for draft in sound} == {("discarded", 1)}
    for draft in held:
        seen = sim.requests("discard", draft=draft.id)
        line = lines[draft.id]
        assert line["attempts"] == len(seen)
        assert line["status"] == seen[-1].status or seen[-1].fault in ("huge", "lost", "reset")
        if line["status"] is not None:
            assert line["request_id"] == seen[-1].request_id
        assert line["agent"] == draft.agent
        assert line["source"] == f"drafts.csv:{held.index(draft) + 2}"
    check_counts(ended)
    requests = ended.summary["requests"]
    assert requests["total"] == len(sim.requests())
    seen_statuses = {status: count for status, count in sim.journal.by_status().items() if status.isdigit()}
    # The simulator has no status for what it sends past its own protocol: the one huge answer.
    seen_statuses["200"] += 1
    assert {status: count for status, count in requests["by_status"].items() if status.isdigit()} == seen_statuses
    # A retry is reported with the reason that the pair would have failed with.
    assert {entry["reason"] for entry in ended.of("draft.retrying")} == {
        *("server_error", "rate_limited", "connection", "unexpected_response")
    }
    assert ended.code == 75
    assert not sim.requests("unknown"), "no redirect was followed"


RAW: dict[str, tuple[Sequence[bytes], str, str | None, int | None, int]] = {
    # JSON of any shape, and what is none
    "not-found-list": ([answer(404, "[]")], "skipped", "not_found", 404, 1),
    "not-found-text": ([answer(404, '"no such draft"')], "skipped", "not_found", 404, 1),
    "not-found-null": ([answer(404, "null")], "skipped", "not_found", 404, 1),
    "not-found-true": ([answer(404, '{"status": true}')], "skipped", "not_found", 404, 1),
    "not-found-empty": ([answer(404)], "failed", "unexpected_response", 404, 3),
    "not-found-digits": ([answer(404, '{"code": ' + "9" * 5000 + "}")], "skipped", "not_found", 404, 1),
    "not-found-plain": ([answer(404, "404 page not found\n")], "failed", "unexpected_response", 404, 3),
    "not-found-nan": ([answer(404, "NaN")], "failed", "unexpected_response", 404, 3),
    "not-found-deep": ([answer(404, "[" * 100_000 + "]" * 100_000)], "failed", "unexpected_response", 404, 3),
    "not-found-latin": ([answer(404, b'{"e": "\xff"}')], "failed", "unexpected_response", 404, 3),
    "forbidden-empty": ([answer(403), DISCARDED], "discarded", None, 200, 2),
    "forbidden-list": ([answer(403, "[1]")], "failed", "unexpected_response", 403, 3),
    "forbidden-plain": ([answer(403, "Access denied")], "failed", "unexpected_response", 403, 3),
    "true-as-text": ([answer(200, '{"status": "true"}')], "failed", "unexpected_response", 200, 1),
    "true-as-one": ([answer(200, '{"status": 1}')], "failed", "unexpected_response", 200, 1),
    "true-alone": ([answer(200, "true")], "failed", "unexpected_response", 200, 1),
    "no-object": ([answer(200, '[{"status": true}]')], "failed", "unexpected_response", 200, 1),
    "two-objects": ([answer(200, '{"status": true}{"status": true}')], "failed", "unexpected_response", 200, 1),
    "nan-in-it": ([answer(200, '{"status": true, "data": NaN}')], "failed", "unexpected_response", 200, 1),
    "digits-in-it": ([answer(200, '{"status": true, "data": ' + "9" * 5000 + "}")], "discarded", None, 200, 1),
    "any-data": ([answer(200, '{"status": true, "data": [1, {"x": "\\ud800"}]}')], "discarded", None, 200, 1),
    "no-data": ([answer(200, '{"status": true}')], "discarded", None, 200, 1),
    "byte-order-mark": ([answer(200, b'\xef\xbb\xbf{"status": true}')], "discarded", None, 200, 1),
    "as-html": ([answer(200, "<html>true</html>", "Content-Type: text/html")], "failed", "unexpected_response", 200, 1),
    # lengths and encodings
    "huge-announced": (
        [Cut(answer(200, " " * (1 << 20) + '{"status": true}'))],
        "failed",
        "unexpected_response",
        200,
        1,
    ),
    "bomb": (
        [answer(200, gzip.compress(b" " * (8 << 20) + b'{"status": true}'), "Content-Encoding: gzip")],
        *("failed", "unexpected_response", 200, 1),
    ),
    "gzip": (
        [answer(200, gzip.compress(b'{"status": true}'), "Content-Encoding: gzip")],
        *("failed", "unexpected_response", 200, 1),
    ),
    "gzip-broken": ([answer(200, b"no", "Content-Encoding: gzip")], "failed", "unexpected_response", 200, 1),
    "gzip-broken-404": ([answer(404, b"no", "Content-Encoding: gzip"), DISCARDED], "discarded", None, 200, 2),
    "gzip-broken-500": ([answer(500, b"no", "Content-Encoding: gzip"), DISCARDED], "discarded", None, 200, 2),
    "until-the-end": ([Cut(b'HTTP/1.0 200 OK\r\n\r\n{"status": true}')], "discarded", None, 200, 1),
    "cut-200": (
        [Cut(answer(200, '{"status": true}', length=99)), answer(404, "{}")],
        "skipped",
        "gone_after_retry",
        404,
        2,
    ),
    "cut-404": ([Cut(answer(404, "{}", length=99)), DISCARDED], "discarded", None, 200, 2),
    "cut-400": ([Cut(answer(400, "{}", length=99))], "failed", "bad_request", 400, 1),
    "cut-500": ([Cut(answer(500, "{}", length=99)), DISCARDED], "discarded", None, 200, 2),
    "cut-429": ([Cut(answer(429, "{}", "Retry-After: 0", length=99)), DISCARDED], "discarded", None, 200, 2),
    "hang-400": ([Hang(answer(400, "{}", length=99))], "failed", "bad_request", 400, 1),
    "cut-chunks": (
        [Cut(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"status": true}\r\n'), answer(404, "{}")],
        *("skipped", "gone_after_retry", 404, 2),
    ),
    "bad-chunks": (
        [Cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), DISCARDED],
        *("discarded", None, 200, 2),
    ),
    "bad-length": ([Cut(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"), DISCARDED], "discarded", None, 200, 2),
    "bad-header": ([Cut(answer(200, "{}", "X-\x01: y")), DISCARDED], "discarded", None, 200, 2),
    "endless-header": ([Cut(answer(200, "{}", "X: " + "y" * 200_000)), DISCARDED], "discarded", None, 200, 2),
    "no-status": ([Cut(b"HTTP/1.1 OK\r\n\r\n"), DISCARDED], "discarded", None, 200, 2),
    "other-protocol": ([Cut(b"SSH-2.0-OpenSSH_9.6\r\n"), DISCARDED], "discarded", None, 200, 2),
    # more than one answer
    "longer": ([answer(200, '{"status": true} and more', length=16)], "discarded", None, 200, 1),
    "with-a-body": ([b"HTTP/1.1 204 No Content\r\n\r\n{}"], "discarded", None, 204, 1),
    "two-answers": ([DISCARDED + answer(404, "{}")], "discarded", None, 200, 1),
    "continue": ([b"HTTP/1.1 100 Continue\r\n\r\n" + DISCARDED], "discarded", None, 200, 1),
    "early-hints": ([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + DISCARDED], "discarded", None, 200, 1),
    # statuses that nobody has documented
    **{
        f"status-{status}": ([answer(status, "{}")], "failed", "unexpected_response", status, 1)
        for status in (203, 206, 301, 303, 304, 307, 308, 402, 405, 410, 451, 600, 999)
    },
    "conflict-list": ([answer(409, "[]")], "failed", "conflict", 409, 1),
    "conflict-html": ([answer(409, "<html>")], "failed", "conflict", 409, 1),
}


def test_bytes_that_no_good_server_sends(runner: Runner) -> None:
    """Each is reported as what it is, and never touches the draft after it, not even on the same connection."""
    answers = {name: row[0] for name, row in RAW.items()}
    names = [part for name in RAW for part in (name, f"after-{name}")]
    with RawApi(answers).running() as api:
        flags = ("--base-url", api.url, "--rate", "off", "--retry-wait", "1ms", "--retry-max-wait", "10ms")
        ended = runner(
            runner.list_of([(AGENT, name) for name in names]),
            *(*flags, "--concurrency", "1", "--attempts", "3", "--timeout", "1500ms", "--ledger", "ledger.jsonl"),
        )
        lines = {line["draft"]: line for line in ended.ledger() if line["type"] == "pair"}
        fields = ("outcome", "reason", "status", "attempts")
        found = {name: tuple(lines[name][field] for field in fields) for name in RAW}
        assert found == {name: row[1:] for name, row in RAW.items()}
        assert {tuple(lines[f"after-{name}"][field] for field in fields) for name in RAW} == {
            ("discarded", None, 200, 1)
        }
        assert {name: api.asked(name) for name in names} == {name: lines[name]["attempts"] for name in names}
    check_counts(ended)
    assert all(len(failure["message"] or "") <= 300 for failure in ended.summary["failures"])


def test_no_answer_in_time(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A server that hangs, or drips a byte now and then, has `api.timeout` in all, however busy it seems."""
    held = drafts(24)
    scripts = {"hang*": held[4], "drip*": held[8], "drip_body*": held[12]}
    for script, draft in scripts.items():
        sim.faults.script(draft.id, [script])
    sim.faults.script(held[16].id, ["hang_after"])
    ended = job(job.list_of(held), "--timeout", "1s", "--attempts", "2", "--ledger", "ledger.jsonl")
    lines = {line["draft"]: line for line in ended.ledger() if line["type"] == "pair"}
    assert {lines[draft.id]["reason"] for draft in scripts.values()} == {"timeout"}
    assert lines[held[16].id]["reason"] == "gone_after_retry"
    for draft in scripts.values():
        assert lines[draft.id]["seconds"] >= lines[draft.id]["attempts"] >= 2
        assert lines[draft.id]["attempts"] == len(sim.requests("discard", draft=draft.id))
    assert ended.counts == {"listed": 24, "discarded": 20, "skipped": 1, "failed": 3, "not_attempted": 0}
    assert ended.code == 75


def test_what_was_never_sent_is_not_taken_for_done(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Not found after refused connections is not found: none of them can have discarded anything."""
    held = drafts(1)
    sim.world.take_away(held[0].id)
    sim.down("refuse")
    waits = "--attempts", "100", "--retry-wait", "50ms", "--retry-max-wait", "50ms"
    process = job.start(job.list_of(held), *waits, stderr=subprocess.PIPE)
    assert process.stderr is not None
    seen = next(line for line in process.stderr if "draft.retrying" in line)
    sim.up()
    ended = job.wait(process)
    assert '"reason": "connection"' in seen
    skipped = ended.of("draft.skipped")
    assert [(entry["reason"], entry["status"]) for entry in skipped] == [("not_found", 404)]
    assert skipped[0]["attempts"] >= 2
    assert len(sim.requests("discard")) == 1
    assert ended.code == 0


def test_a_redirect_is_never_followed(runner: Runner) -> None:
    """Another host is not called, whatever the Location says, and never gets the key."""
    with RawApi().running() as other:
        places = {
            f"status-{status}": [answer(status, "", f"Location: {other.url}/agent/{AGENT}/drafts/x")]
            for status in (301, 302, 303, 307, 308)
        }
        with RawApi(places).running() as api:
            ended = runner(runner.list_of([(AGENT, name) for name in places]), "--base-url", api.url, "--rate", "off")
            assert len(api.requests) == 6
        assert other.connections == 0
    assert ended.summary["failed"] == {"unexpected_response": 5}
    assert ended.code == 3


def test_a_thousand_drafts_with_faults_leave_none(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A first attempt in twenty goes wrong; none is left, none is sent again, and no more are in flight than may be."""
    held = drafts(1000, agents=20)
    sim.faults.by_share(0.05, ("500", "429:retry_after=0", "lost_before", "500_after", "reset_after", "503", "garbage"))
    ended = job(job.list_of(held), "--concurrency", "6", "--ledger", "ledger.jsonl")
    assert ended.code == 0
    assert sim.left() == set()
    assert sim.max_in_flight <= 6
    check_counts(ended)
    attempts = {line["draft"]: line["attempts"] for line in ended.ledger() if line["type"] == "pair"}
    assert attempts == {draft.id: len(sim.requests("discard", draft=draft.id)) for draft in held}
    for draft in held:
        seen = sim.requests("discard", draft=draft.id)
        settled = [number for number, request in enumerate(seen, 1) if request.status in (200, 404)]
        assert settled == [len(seen)], "no request for a draft that was settled"
    assert ended.counts["discarded"] + ended.summary["skipped"].get("gone_after_retry", 0) == 1000
    assert ended.summary["requests"]["total"] == len(sim.requests())


def test_never_more_in_flight_than_may_be(job: Runner, drafts: Drafts, sim: Simulator) -> None:
    """With an API that takes its time, about as many are in flight as may be, and never one more."""
    sim.workspace.latency = (0.03, 0.03)
    ended = job(job.list_of(drafts(40)), "--concurrency", "10")
    assert ended.code == 0
    assert 5 <= sim.max_in_flight <= 10
