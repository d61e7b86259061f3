"""A file's bytes → numbered lines of text, for formats that are read line by line."""

import codecs
import io
import re
from collections.abc import Iterator
from typing import IO, Final

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Lines:
    """The lines of a file, decoded one by one so that an error has its line number.

    Skips comments, but only where a record begins. The reader sets `at_record` when the next line begins a record;
    `record` is the line at which the current one began. `undecodable` is the first line of the record that cannot be
    decoded; the lines after it are read nevertheless. `ended`: whether the latest line has its line break.
    """

    def __init__(self, stream: IO[bytes], head: bytes) -> None:
        self.number = 0
        self.record = 1
        self.at_record = True
        self.ended = True
        self.undecodable: int | None = None
        self.encoding = "UTF-16" if head.startswith(_UTF16) else "UTF-8"
        self._lines = self._utf16(stream) if self.encoding == "UTF-16" else self._utf8(stream)

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            self.ended = line.endswith("\n")
            if self.at_record:
                if line.startswith("#"):
                    continue
                self.record = self.number
                self.at_record = False
                self.undecodable = None
            if not line.isascii() and self.undecodable is None and _SURROGATE.search(line):
                self.undecodable = self.number
            yield line

    @property
    def why_undecodable(self) -> str:
        """The message for a record that has an `undecodable` line."""
        return f"cannot be decoded as {self.encoding}: save the list as UTF-8"

    # What cannot be decoded becomes a lone surrogate, which valid text never contains: only its own line is refused.

    def _utf8(self, stream: IO[bytes]) -> Iterator[str]:
        for number, line in enumerate(stream, 1):
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")

    def _utf16(self, stream: IO[bytes]) -> Iterator[str]:
        try:
            yield from io.TextIOWrapper(stream, encoding="utf-16", errors="surrogatepass", newline="\n")
        except UnicodeError:  # a lone surrogate or an odd byte at the very end
            yield "\ud800"
