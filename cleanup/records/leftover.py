"""The pairs that failed or were not attempted, as a list for the next run."""

from collections.abc import Iterator

from cleanup.lists.rows import plain_name
from cleanup.lists.writing import write_rows
from cleanup.records.account import Account
from cleanup.records.files import whole_file


def write_leftover(path: str, account: Account) -> None:
    """Write the pairs that failed or were not attempted, with the list's other columns. Raises OutputError."""
    names = account.plan.pairs.columns.names
    kept = [place for place, name in enumerate(names) if plain_name(name) not in ("outcome", "reason")]
    header = ["agent", "draft", *(names[place] for place in kept), "outcome", "reason"]
    with whole_file(path) as stream:
        write_rows(stream, header, _rows(account, kept))


def _rows(account: Account, kept: list[int]) -> Iterator[list[str]]:
    pairs = account.plan.pairs
    for index, ending in account.still_standing():
        pair = pairs[index]
        others = pairs.others(index) if kept else []
        yield [pair.agent, pair.draft, *(others[place] for place in kept), ending.outcome, ending.reason or ""]
