"""What a search of the workspace found, and the list that the job reads. Pure."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cleanup.api.changes import Change
from cleanup.api.drafts import Draft
from cleanup.find.rule import edited_at
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Columns, Row, time_text
from cleanup.lists.writing import write_rows

COLUMNS: Final = ("agent", "draft", "branch", "name", "editor", "updated_at")


@dataclass(slots=True)
class Findings:
    """The drafts that match the rule, oldest first, and what else was seen.

    `changes`: what each draft changes, by its id, if that was requested. `publishing`: drafts that match but are being
    published. `kept`: how many `guard.keep` excludes. `ageless`: how many have no readable time of their last edit.
    `unknown`: named agents that do not exist. `unreadable`: a sentence for each part that could not be read.
    """

    found: list[Draft] = field(default_factory=list)
    publishing: list[Draft] = field(default_factory=list)
    changes: dict[tuple[str, str], tuple[Change, ...]] = field(default_factory=dict)
    agents: int = 0
    seen: int = 0
    kept: int = 0
    ageless: int = 0
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The list's columns; `edits` and `changes` are among them only if they are known."""
        edits = ("edits",) if any(draft.edits is not None for draft in self.found) else ()
        return COLUMNS + edits + (("changes",) if self.changes else ())

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The list's rows, one cell for each of `columns`."""
        columns = self.columns
        for draft in self.found:
            cells = self.cells(draft)
            yield tuple(cells[column] for column in columns)

    def cells(self, draft: Draft) -> dict[str, str]:
        """A draft's cells by column. An unreadable time is left out, as a list with one would be refused."""
        edited = edited_at(draft)
        return {
            "agent": draft.agent,
            "draft": draft.draft,
            "branch": draft.branch_name,
            "name": draft.name,
            "editor": draft.editor,
            "updated_at": time_text(edited) if edited else "",
            "edits": "" if draft.edits is None else str(draft.edits),
            "changes": self.sections(draft),
        }

    def sections(self, draft: Draft) -> str:
        """The sections that a draft changes, as one text; empty if unknown."""
        changes = self.changes.get((draft.agent, draft.draft))
        return "" if changes is None else ", ".join(dict.fromkeys(change.section for change in changes)) or "none"

    def text(self, format_name: str) -> str:
        """The list in a format that the job reads. Raises ValueError for any other."""
        if format_name in ("csv", "tsv"):
            text = io.StringIO(newline="")
            write_rows(text, self.columns, self.rows(), delimiter="\t" if format_name == "tsv" else ",")
            return text.getvalue()
        columns = self.columns
        records = [dict(zip(columns, row, strict=True)) for row in self.rows()]
        match format_name:
            case "jsonl":
                return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            case "json":
                return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
            case "yaml":
                from cleanup.documents import yaml_text

                return yaml_text(records)
        raise ValueError(f"unknown list format {format_name!r}")

    def pairs(self, name: str, text: str) -> PairList:
        """The list as the job would read it; its hash is that of `text`, the form in which it was written."""
        columns = Columns()
        for column in self.columns[2:]:
            columns.add(column)
        pairs = PairList(name, columns)
        for line, row in enumerate(self.rows(), 2):
            pairs.add(Row(line, row[0], row[1], row[2:]))
        pairs.sha256 = hashlib.sha256(text.encode()).hexdigest()
        return pairs


@dataclass(frozen=True, slots=True)
class Listing:
    """Where the list of found drafts is written, and its format. `file`: None for standard output.

    `page`: where the review page is written. `command`: the command that this page shows, without the list's name.
    """

    file: str | None
    format: str
    page: str | None = None
    command: str = ""
