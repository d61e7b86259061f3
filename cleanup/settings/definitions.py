"""Every setting, once: key, type, default, flag and help text. All else about settings is derived from these."""

from typing import Annotated, Literal

from pydantic import Field

from cleanup.settings.flag import FILE, Flag, Section
from cleanup.settings.values import (
    Agents,
    AgeOrOff,
    BaseUrl,
    CountOrOff,
    FolderOrOff,
    GatewayUrlOrOff,
    Globs,
    KeyFileOrOff,
    NoteOrOff,
    PairsPathOrList,
    PathOrOff,
    PositiveSeconds,
    PositiveSecondsOrOff,
    Rate,
    Seconds,
    SecretUrlOrOff,
    Sha256OrOff,
    Shard,
    ShareOrOff,
    Switch,
    TextOrOff,
    VerifyShare,
)


class Api(Section):
    """The API and its key."""

    base_url: Annotated[
        BaseUrl,
        Field(description="Where the API is; http only to a loopback address"),
        Flag("--base-url", "URL"),
    ] = "https://api.smallest.ai/atoms/v1"
    key_file: Annotated[
        KeyFileOrOff,
        Field(description="File that holds the key, read again when it changes; off: the variable SMALLEST_API_KEY"),
        Flag("--key-file", **FILE),
    ] = None
    model: Annotated[
        Literal["auto", "drafts", "branches"],
        Field(description="How the workspace keeps drafts; auto detects one that has moved to branches"),
        Flag("--model", "MODEL"),
    ] = "auto"
    organization: Annotated[
        TextOrOff,
        Field(description="Refuse to run unless the key belongs to this organization"),
        Flag("--organization", "ID"),
    ] = None
    timeout: Annotated[
        PositiveSeconds,
        Field(description="Time limit of one attempt, from connecting to the last byte"),
        Flag("--timeout", "TIME"),
    ] = 10.0


class Limits(Section):
    """How much, how fast, how long."""

    concurrency: Annotated[
        int,
        Field(ge=1, le=256, description="Requests in flight at once, 1 to 256; limits.rate sets the pace"),
        Flag("--concurrency", "N"),
    ] = 8
    rate: Annotated[
        Rate,
        Field(description="Requests per second of all kinds: a number, off, or auto to find the workspace's limit"),
        Flag("--rate", "N"),
    ] = 5.0
    max_discards: Annotated[
        int,
        Field(ge=0, description="Send nothing if there are more pairs to send than this: catches a wrong list"),
        Flag("--max-discards", "N"),
    ] = 1000
    per_run: Annotated[
        CountOrOff,
        Field(description="Send at most this many pairs, in the list's order; a later run takes the rest"),
        Flag("--limit", "N"),
    ] = None
    deadline: Annotated[
        PositiveSecondsOrOff,
        Field(description="After this long, send nothing more, not even a retry"),
        Flag("--deadline", "TIME"),
    ] = None
    max_outage: Annotated[
        Seconds,
        Field(description="How long to wait for an API that is down or asks for a pause"),
        Flag("--max-outage", "TIME"),
    ] = 300.0


class Retry(Section):
    """Retries."""

    attempts: Annotated[
        int,
        Field(ge=1, le=100, description="Attempts per API operation, including the first"),
        Flag("--attempts", "N"),
    ] = 5
    wait: Annotated[
        Seconds,
        Field(description="Longest wait before the second attempt; doubles with each further one, with full jitter"),
        Flag("--retry-wait", "TIME"),
    ] = 0.5
    max_wait: Annotated[
        Seconds,
        Field(description="Longest wait before any attempt"),
        Flag("--retry-max-wait", "TIME"),
    ] = 30.0


class Guard(Section):
    """What to leave alone, and what to back up."""

    protect: Annotated[
        Agents,
        Field(description="Agents whose drafts are never touched; flags, variables and file add up"),
        Flag("--protect", "AGENT", several=True),
    ] = ()
    keep: Annotated[
        Globs,
        Field(description="Globs: drafts (or branches) of such names are never touched, nor found; all sources add up"),
        Flag("--keep", "GLOB", several=True),
    ] = ()
    min_idle: Annotated[
        AgeOrOff,
        Field(description="Leave drafts alone that were edited more recently than this"),
        Flag("--min-idle", "TIME"),
    ] = None
    verify: Annotated[
        VerifyShare,
        Field(description="Read back whether discarded drafts are gone: the first three and this share, all, or off"),
        Flag("--verify", "SHARE"),
    ] = 0.01
    backup: Annotated[
        FolderOrOff,
        Field(description="Folder where each draft's configuration is saved before it is discarded"),
        Flag("--backup", "FOLDER", is_path=True),
    ] = None


class Find(Section):
    """What find and sweep look for."""

    older_than: Annotated[
        AgeOrOff,
        Field(description="Drafts whose last edit is older than this"),
        Flag("--older-than", "TIME"),
    ] = None
    name: Annotated[
        Globs, Field(description="Drafts whose name matches a glob"), Flag("--name", "GLOB", several=True)
    ] = ()
    editor: Annotated[
        Globs,
        Field(description="Drafts whose last editor's name matches a glob"),
        Flag("--editor", "GLOB", several=True),
    ] = ()
    agents: Annotated[
        Agents, Field(description="Only drafts of these agents"), Flag("--agent", "AGENT", several=True)
    ] = ()
    exclude_agents: Annotated[
        Agents, Field(description="Drafts of all agents except these"), Flag("--exclude-agent", "AGENT", several=True)
    ] = ()
    keep_newest: Annotated[
        CountOrOff,
        Field(description="Leave out each agent's N most recently edited drafts, of all its drafts"),
        Flag("--keep-newest", "N"),
    ] = None
    unchanged: Annotated[
        Switch,
        Field(description="Only drafts that differ in nothing from what they were made from; one request each"),
        Flag("--unchanged"),
    ] = False
    max_share: Annotated[
        ShareOrOff,
        Field(description="A sweep discards nothing if it found more than this share of the drafts it saw"),
        Flag("--max-share", "SHARE"),
    ] = 0.25


class Run(Section):
    """Options of one run."""

    dry_run: Annotated[
        Switch, Field(description="Only read, and report what a run would do with each pair"), Flag("--dry-run")
    ] = False
    resume: Annotated[Switch, Field(description="Skip pairs that the ledger already settles"), Flag("--resume")] = False
    shard: Annotated[
        Shard,
        Field(description="Take only share K of N of the list, K from 0: for several processes"),
        Flag("--shard", "K/N"),
    ] = None
    yes: Annotated[Switch, Field(description="Do not ask before drafts are discarded, or restored"), Flag("--yes")] = (
        False
    )
    list_sha256: Annotated[
        Sha256OrOff,
        Field(description="Refuse the list unless its bytes have this hash: what was approved is what runs"),
        Flag("--sha256", "HASH"),
    ] = None
    note: Annotated[
        NoteOrOff, Field(description="A note for the record, such as a change number"), Flag("--note", "TEXT")
    ] = None


class Output(Section):
    """Which files are written, and what is logged."""

    ledger: Annotated[
        PathOrOff,
        Field(description="JSON Lines, one for each pair; appended, never overwritten; run.resume reads it"),
        Flag("--ledger", **FILE),
    ] = None
    leftover: Annotated[
        PathOrOff,
        Field(description="CSV of the pairs that failed or were not attempted, as a list for the next run"),
        Flag("--leftover", **FILE),
    ] = None
    summary: Annotated[
        PathOrOff, Field(description="The summary as JSON, even if the run is refused"), Flag("--summary", **FILE)
    ] = None
    list: Annotated[
        PathOrOff,
        Field(description="What a sweep found, written before its first discard"),
        Flag("--list", **FILE),
    ] = None
    metrics: Annotated[
        PathOrOff, Field(description="Prometheus text file for node_exporter"), Flag("--metrics", **FILE)
    ] = None
    push_url: Annotated[
        GatewayUrlOrOff,
        Field(description="Base URL of a Prometheus Pushgateway, which gets the metrics at the end"),
        Flag(None),
    ] = None
    page: Annotated[
        PathOrOff,
        Field(description="The run as one HTML file to look at, even if it is refused"),
        Flag("--page", **FILE),
    ] = None
    heartbeat_url: Annotated[
        SecretUrlOrOff,
        Field(description="URL pinged at the start (/start) and at the end (/EXITCODE), with the summary"),
        Flag(None),
    ] = None
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Field(description="auto is console on a terminal, else json"),
        Flag("--log-format", "FORMAT"),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="Lowest level that is logged"),
        Flag("--log-level", "LEVEL"),
    ] = "info"
    quiet: Annotated[
        Switch, Field(description="No output if the exit code is 0, so that cron sends no mail"), Flag("--quiet")
    ] = False


class Settings(Section):
    """Everything that can be set. Each key is `section.name`, except `pairs`."""

    pairs: Annotated[PairsPathOrList, Field(description="The list: a path, or the list itself")] = None
    api: Api = Api()
    limits: Limits = Limits()
    retry: Retry = Retry()
    guard: Guard = Guard()
    find: Find = Find()
    run: Run = Run()
    output: Output = Output()
