"""Rows → CSV or TSV that this package reads back, and in which a spreadsheet runs no formula."""

import csv
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, TextIO

from cleanup.lists.rows import AGENT_NAMES, DRAFT_NAMES, UPDATED_AT, plain_name

_AS_THEY_ARE: Final = AGENT_NAMES | DRAFT_NAMES | {UPDATED_AT}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_rows(stream: TextIO, header: Sequence[str], rows: Iterable[Sequence[str]], *, delimiter: str = ",") -> None:
    """Write a list, each row ended by a line feed. Ids and times are written as they are, other cells as text."""
    plain = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    careful = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    texts = [plain_name(name) not in _AS_THEY_ARE for name in header]
    for row in chain([header], rows):
        cells = [_as_text(cell) if text else cell for cell, text in zip(row, texts, strict=True)]
        # The writer quotes a cell only for the line break it writes itself, but a reader stumbles over any.
        (careful if any("\r" in cell for cell in cells) else plain).writerow(cells)


def _as_text(cell: str) -> str:
    """A cell with a `'` in front if a spreadsheet would run it as a formula: anyone can name a draft."""
    return "'" + cell if cell.startswith(_FORMULA) else cell
