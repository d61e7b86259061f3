"""Rows → CSV or TSV that the readers of this package read back."""

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO


def write_rows(stream: TextIO, rows: Iterable[Sequence[str]], *, delimiter: str = ",") -> None:
    """Write rows, each ended by a line feed."""
    plain = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    careful = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        # The writer quotes only the line breaks that it writes itself; the reader minds them all.
        (careful if any("\r" in cell for cell in row) else plain).writerow(row)
