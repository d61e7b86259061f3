"""The listed pairs, in little memory: a list may have a million rows."""

import json
from array import array
from collections.abc import Iterator, Sequence

from cleanup.lists.rows import Columns, Row, parse_time
from cleanup.model import Pair

_AGENT_BYTES = 12


class PairList:
    """The pairs of a list, in order. Takes about 90 bytes a row; `Pair` objects are made on access."""

    def __init__(self, name: str, columns: Columns | None = None) -> None:
        self.name = name
        self.sha256 = ""
        self.columns = Columns() if columns is None else columns
        self._keys: list[bytes] = []
        self._lines = array("L")
        self._others: list[bytes] = []

    def add(self, row: Row) -> None:
        """Append a checked row."""
        self._keys.append(pack(row.agent, row.draft))
        self._lines.append(row.line)
        if row.others or self._others:
            self._others += [b"[]"] * (len(self._keys) - 1 - len(self._others))
            self._others.append(json.dumps(row.others, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Pair:
        agent, draft = unpack(self._keys[index])
        updated_at = None
        place = self.columns.updated_at
        if place is not None:
            cells = self.others(index)
            updated_at = parse_time(cells[place]) if cells[place] else None
        return Pair(index, agent, draft, self.source(index), updated_at)

    def source(self, index: int) -> str:
        """Where a pair is listed: `list.csv:18`."""
        return f"{self.name}:{self._lines[index]}"

    @property
    def keys(self) -> Sequence[bytes]:
        """Each pair as one value, which begins with the agent; equal for equal pairs."""
        return self._keys

    def others(self, index: int) -> list[str]:
        """The cells of the other columns, one for each of `columns.names`."""
        cells: list[str] = json.loads(self._others[index]) if index < len(self._others) else []
        return cells + [""] * (len(self.columns.names) - len(cells))


def pack(agent: str, draft: str) -> bytes:
    """A pair as one compact value."""
    return bytes.fromhex(agent) + draft.encode("ascii")


def unpack(key: bytes) -> tuple[str, str]:
    """The pair of a packed key."""
    return key[:_AGENT_BYTES].hex(), key[_AGENT_BYTES:].decode("ascii")
