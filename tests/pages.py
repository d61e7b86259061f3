"""What a page says, without a browser: its headline, its text, its tables by caption."""

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """A page that was written. `tables`: the rows of each table, by the heading above it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.headline = self.text = self._heading = ""
        self.tables: dict[str, list[list[str]]] = {}
        self._inside: list[str] = []
        self.feed(self.source)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        if tag in ("meta", "br", "rect", "path"):
            return
        self._inside.append(tag)
        if tag not in ("span", "bdi", "time"):
            self.text += " "
        if tag in ("h2", "h3"):
            self._heading = ""
        elif tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Text, wherever it stands."""
        if "style" in self._inside:
            return
        self.text += data
        if "h1" in self._inside:
            self.headline += data
        if {"h2", "h3"} & set(self._inside):
            self._heading += data
        elif "tr" in self._inside and {"td", "th"} & set(self._inside):
            row = self.tables[self._heading][-1]
            row[-1] = f"{row[-1]} {data}".strip()

    def rows(self, heading: str) -> dict[str, list[str]]:
        """The rows of a table, without empty cells, by their first cells."""
        return {row[0]: [cell for cell in row[1:] if cell] for row in self.tables.get(heading, [])}
