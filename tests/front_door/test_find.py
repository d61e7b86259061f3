"""`find`: the workspace is searched and printed as a list that the job reads, and nothing touched."""

import csv
import io
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cleanup.simulator import DEMO_KEY, Draft, Simulator, World, endpoints, shapes
from cleanup.simulator.scenery import populate
from tests.accounts import only_reads
from tests.conftest import MODES, Drafts, aged, wait_until
from tests.runner import Ended, Runner


def rows(text: str) -> list[dict[str, str]]:
    """A list's rows."""
    return list(csv.DictReader(io.StringIO(text)))


def listed(ended: Ended) -> list[str]:
    """The drafts of a list on standard output, in its order."""
    return [row["draft"] for row in rows(ended.stdout)]


def sdk(sim: Simulator, http: httpx.Client) -> Any:
    """The vendor's SDK against the simulator."""
    from smallestai import SmallestAI
    from smallestai.environment import SmallestAIEnvironment

    nowhere = "http://127.0.0.1:9"
    environment = SmallestAIEnvironment(atoms=sim.url, waves=nowhere, waves_ws=nowhere, payment=nowhere)
    return SmallestAI(api_key=DEMO_KEY, environment=environment, httpx_client=http, max_retries=0).atoms


@MODES
def test_a_large_workspace_is_found_emptied_and_gone_for_the_vendors_sdk(
    mode: Any, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 agents, 2,000 drafts: exactly the stale ones, within the rate; the list empties them."""
    world = populate(agents=300, drafts=2000, seed=4, mode=mode, age=(0, 33 * 86400)).world
    stale = {draft.id for draft in world.drafts.values() if draft.updated_at < aged(30)}
    assert 100 < len(stale) < 260
    rate = 250 if mode == "drafts" else 800
    with Simulator(world) as sim:
        words = ["--base-url", sim.url, "--model", "auto"]
        found = runner("find", *words, "--older-than", "30d", "-o", "stale.csv", "--rate", str(rate))
        assert found.code == 0
        assert found.stdout == ""
        assert only_reads(sim)
        assert sim.max_per_second() <= 1.1 * rate, "but for what a busy machine delays"
        assert len(sim.requests()) <= 1 + 7 + 300 + (2000 + 20 if mode == "branches" else 0)
        text = (runner.folder / "stale.csv").read_text()
        assert {row["draft"] for row in rows(text)} == stale
        assert rows(text) == sorted(rows(text), key=lambda row: row["updated_at"])
        assert runner("stale.csv", *words, "--rate", "off").code == 0
        assert set(world.discarded) == stale
        monkeypatch.setenv("SMALLESTAI_TELEMETRY", "0")
        connect = socket.socket.connect

        def loopback_only(self: socket.socket, address: Any) -> None:
            assert address[0] == "127.0.0.1", f"a connection to {address}"
            connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", loopback_only)
        agents = sorted({row["agent"] for row in rows(text)})[:20]
        with httpx.Client(timeout=5, trust_env=False) as http:
            atoms = sdk(sim, http)
            for agent in agents:
                if mode == "drafts":
                    left = {draft.draft_id for draft in atoms.agent_versioning_drafts.list_active_drafts(agent).data}
                else:
                    branches = atoms.agent_versioning_branches.list(agent).data.branches
                    left = {found.branch.open_draft_id for found in branches} - {None}
                assert left == {draft.id for draft in world.drafts_of(agent)}
                assert not left & stale


@pytest.fixture
def mixed(world: World) -> dict[str, Draft]:
    """A small workspace with drafts of every kind, by name."""
    one, two, three = (world.add_agent(name) for name in ("one", "two", "three"))
    made = {}
    for agent, name, editor, days in (
        (one, "wip: hello, world", "Zoë", 90),
        (one, "=HYPERLINK(1)", 'O\'Neill, "Bo"', 60),
        (two, "two\nlines; and\ttab", "猫", 45),
        (two, "young", "Zoë", 1),
        (three, "wip: old", "Anna", 400),
    ):
        made[name] = world.open_draft(agent.id, name=name, editor=editor, updated_at=aged(days))
    made["archived"] = world.open_draft(world.add_agent("kept").id, name="archived", updated_at=aged(500))
    world.agents[made["archived"].agent].archived = True
    return made


def chosen(mixed: dict[str, Draft], *names: str) -> list[str]:
    """Their ids, oldest first."""
    return [draft.id for draft in sorted((mixed[name] for name in names), key=lambda draft: draft.updated_at)]


def test_each_filter_and_the_order(job: Runner, sim: Simulator, world: World, mixed: dict[str, Draft]) -> None:
    """Age, name, editor, agents named and left out: what fits all of them, oldest first."""
    world.mode = "branches"
    one, two = mixed["=HYPERLINK(1)"].agent, mixed["young"].agent
    cases: list[tuple[list[str], tuple[str, ...]]] = [
        (["--older-than", "50d", "--name", "wip*", "--name", "=*"], ("wip: hello, world", "=HYPERLINK(1)", "wip: old")),
        (
            ["--editor", "Zo*", "--editor", "?", "--agent", one, "--agent", two, "--exclude-agent", two],
            ("wip: hello, world",),
        ),
        (["--agent", mixed["archived"].agent], ("archived",)),
    ]
    for words, names in cases:
        ended = job("find", *words)
        assert ended.code == 0
        assert listed(ended) == chosen(mixed, *names)
    assert only_reads(sim)
    assert len(sim.left()) == 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("out.tsv", []), ("out.jsonl", []), ("out.txt", ["--format", "yaml"])),
        ("", ["--format", "json"]),
    ],
)
def test_every_format_goes_straight_back_in(
    name: str, words: list[str], job: Runner, sim: Simulator, world: World, mixed: dict[str, Draft]
) -> None:
    """Written to a file or piped, whatever the names contain; also where the locale is no UTF-8.

    Whoever may name drafts could have a spreadsheet run what he likes: no cell of a table is a formula. In JSON a name
    is a name.
    """
    mixed["wip: old"].editor = "+1"
    env = {"PYTHONIOENCODING": "latin-1:strict", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    found = job("find", "--older-than", "30d", *words, *(["-o", name] if name else []), env=env)
    assert found.code == 0
    assert (found.stdout == "") is bool(name)
    ended = job(name, *words) if name else job("-", *words, "--yes", stdin=found.stdout)
    assert ended.code == 0
    assert set(world.discarded) == {mixed[n].id for n in mixed if n not in ("young", "archived")}
    text = (job.folder / name).read_text(encoding="utf-8") if name else found.stdout
    for part in ("猫", "Zoë", "HYPERLINK"):
        assert part in text
    if name == "out.tsv" or words == ["--format", "json"]:
        table = name == "out.tsv"
        read = list(csv.DictReader(io.StringIO(text), delimiter="\t")) if table else json.loads(text)
        assert {row["name"] for row in read if "HYPER" in row["name"]} == {
            "'=HYPERLINK(1)" if table else "=HYPERLINK(1)"
        }
        assert [row["editor"] for row in read if row["name"] == "wip: old"] == ["'+1" if table else "+1"]


@MODES
def test_what_is_edited_or_opened_after_the_list_was_written_stays(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The list is a plan: what changed since is left alone, what is new was never in it."""
    world.mode = mode
    held = drafts(6, updated_at=aged(40))
    assert job("find", "--older-than", "30d", "-o", "stale.csv").code == 0
    world.edit(held[0].id)
    replaced = world.replace(held[1].id)
    opened = world.open_draft(held[2].agent, updated_at=aged(100))
    ended = job("stale.csv", "--ledger", "ledger.jsonl")
    assert ended.code == 0
    assert sim.left() == {held[0].id, replaced.id, opened.id}
    reasons = {line["draft"]: line["reason"] for line in ended.ledger() if line["type"] == "pair" and line["reason"]}
    assert reasons == {held[0].id: "changed", held[1].id: "not_found"}


@pytest.mark.parametrize(
    ("mode", "faults"), [("drafts", ["500*", "html*"]), ("branches", ["403*", "status_false*", "400*"])]
)
def test_a_part_that_cannot_be_read_is_reported(
    faults: list[str], mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The rest of the list is printed; the exit code and a sentence say that it is not the whole."""
    world.mode = mode
    held = drafts(12, agents=6, updated_at=aged(40))
    bad = {draft.agent for draft in held[: len(faults)]}
    for draft, fault in zip(held, faults, strict=False):
        sim.faults.script(draft.agent, [fault], on="drafts" if mode == "drafts" else "branches")
    ended = job("find", "--older-than", "30d", "--attempts", "2", "--timeout", "2s")
    assert ended.code == 75
    assert any(f"in organization {world.organization}" in entry["message"] for entry in ended.of("run.info"))
    assert set(listed(ended)) == {draft.id for draft in held if draft.agent not in bad}
    assert any("not complete" in entry.get("message", "") for entry in ended.events)
    for agent in bad:
        assert any(agent in entry["message"] for entry in ended.of("run.warning"))
        assert any(agent in warning for warning in ended.summary["warnings"])
    assert only_reads(sim)


def test_a_page_that_fails_leaves_the_others(
    job: Runner, sim: Simulator, world: World, answer: Callable[..., None]
) -> None:
    """120 agents on three pages of which the second fails: the first page's drafts, and exit 75."""
    agents = [world.add_agent() for _ in range(120)]
    held = [world.open_draft(agent.id, updated_at=aged(40)) for agent in agents]

    def pages(world: World, key: Any, call: Any) -> Any:
        return endpoints.list_agents(world, key, call) if call.query["page"] == "1" else endpoints.error(500)

    answer("/agent", pages)
    ended = job("find", "--older-than", "30d", "--attempts", "2")
    assert ended.code == 75
    assert set(listed(ended)) == {draft.id for draft in held[:50]}


@pytest.mark.parametrize("words", [[], ["--model", "branches"]])
def test_a_workspace_that_moves_in_the_middle_is_found_whole(
    words: list[str], job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The agents that were asked the old way and those asked the new way together are all of them."""
    held = drafts(60, agents=30, updated_at=aged(40))
    if words:
        world.mode = "branches"
    else:
        sim.after(lambda w: setattr(w, "mode", "branches"), endpoint="drafts", nth=12)
    ended = job("find", *words)
    assert ended.code == 0
    assert sorted(listed(ended)) == sorted(draft.id for draft in held)
    assert only_reads(sim)


def test_removed_endpoints_are_no_empty_workspace(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """The API's own 404 for a missing route ends the search, unless the branches can be read instead."""
    held = drafts(6, agents=3)
    world.removed = True
    ended = job("find")
    assert ended.code == 78
    assert "there are no branches" in ended.of("run.stopping")[0]["message"]
    world.mode = "branches"
    ended = job("find")
    assert ended.code == 0
    assert sorted(listed(ended)) == sorted(draft.id for draft in held)
    assert job("find", "--model", "drafts").code == 78


def test_model_drafts_on_a_migrated_workspace(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """The same setting is as wrong as it is for the job."""
    drafts(6, agents=3)
    world.mode = "branches"
    ended = job("find", "--model", "drafts")
    assert ended.code == 78
    assert ended.stdout == ""


def test_a_named_agent_that_is_not_there_is_reported(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """A slip of the pen is no empty agent; the others are found all the same."""
    (held,) = drafts(1, agents=1)
    unknown = "0" * 24
    ended = job("find", "--agent", held.agent, "--agent", unknown)
    assert ended.code == 0
    assert listed(ended) == [held.id]
    assert any(unknown in warning for warning in ended.summary["warnings"])


@pytest.mark.parametrize("mode", ["branches"])
def test_an_age_that_cannot_be_read_is_no_old_age(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a draft is never stale; without a rule of age it is listed, in a list that can be read."""
    world.mode = mode
    held = drafts(3, updated_at=aged(40))
    monkeypatch.setattr(shapes, "timestamp", lambda _moment: "yesterday")
    ended = job("find", "--older-than", "30d")
    assert (ended.code, listed(ended)) == (0, [])
    assert any("3 drafts have no readable time of their last edit" in warning for warning in ended.summary["warnings"])
    assert job("find", "-o", "all.csv").code == 0
    assert job("all.csv").counts["discarded"] == 3
    assert sim.left() == {draft.id for draft in held} - set(world.discarded)


@pytest.mark.unverified
def test_it_leaves_the_jobs_own_records_alone(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """With the settings of the nightly job: no ledger, metrics or ping that could pass for a run's; also during one."""
    held = drafts(4)
    job.write(
        "settings.yaml",
        "output: {ledger: ledger.jsonl, metrics: metrics.prom, leftover: leftover.csv, list: found.csv,\n"
        "  heartbeat_url: 'http://127.0.0.1:9/ping', push_url: 'http://127.0.0.1:9'}\nrun: {resume: true}\n",
    )
    sim.faults.script(held[0].id, ["slow:0.5s"])
    running = job.start(job.list_of(held[:1]), "--ledger", "ledger.jsonl", "--summary", "job.json")
    wait_until(lambda: sim.requests("discard"))
    ended = job("find", "-c", "settings.yaml", "--quiet")
    job.wait(running)
    assert ended.code == 0
    assert {draft.id for draft in held[1:]} <= set(listed(ended))
    assert (ended.stderr, ended.summary["warnings"]) == ("", [])
    names = {path.name for path in job.folder.iterdir()}
    assert names == {"settings.yaml", "drafts.csv", "summary.json", "job.json", "ledger.jsonl"}
    assert len(ended.ledger()) == 3
    assert ended.summary["mode"] == "find"
