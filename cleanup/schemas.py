"""Generates `docs/schemas`: JSON Schemas of the settings, of the files that a run writes, and of its log.

`python -m cleanup.schemas` (`make settings`) writes them, from the types that the code itself is held to.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

from cleanup.console.events import LogLine
from cleanup.model import Ending
from cleanup.records.line_types import LedgerLine
from cleanup.records.summary import Summary
from cleanup.records.totals import ReportSummary
from cleanup.settings.reference import ROOT, schema

FOLDER: Final = ROOT / "docs" / "schemas"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REASONS: Final = [*dict.fromkeys(ending.reason for ending in Ending)]


def documents() -> dict[str, str]:
    """Each schema as text, by the name of its file."""
    found = {
        "summary": _document("The summary of a run, or of ledgers", Summary | ReportSummary),
        "ledger": _document("A line of a ledger", LedgerLine),
        "log": _document("A line of the log, as JSON", LogLine),
    }
    found["ledger"]["$defs"]["PairLine"]["properties"]["reason"]["enum"] = _REASONS
    texts = {f"{name}.json": json.dumps(found[name], indent=2, ensure_ascii=False) + "\n" for name in found}
    return {"settings.json": schema(), **texts}


def _document(title: str, kinds: Any) -> dict[str, Any]:
    """The schema of a union of TypedDicts, each field with the text that stands below it in the code."""
    types = {kind.__name__: kind for kind in _typed_dicts(kinds)}
    for kind in types.values():
        kind.__pydantic_config__ = ConfigDict(use_attribute_docstrings=True)
    document = TypeAdapter(kinds).json_schema()
    for name, definition in document["$defs"].items():
        inherited = _inherited(types[name]) if name in types else {}
        for field, about in definition.get("properties", {}).items():
            about.pop("title", None)  # it only says the name again
            if field in inherited:
                about["description"] = inherited[field]
    return {"$schema": _DIALECT, "title": title, **document}


def _typed_dicts(kind: Any) -> Iterator[Any]:
    """Every TypedDict in a type, those that it inherits from included."""
    parts: Iterable[Any] = get_args(kind)
    if is_typeddict(kind):
        yield kind
        parts = (*get_type_hints(kind).values(), *kind.__orig_bases__)
    for part in parts:
        yield from _typed_dicts(part)


def _inherited(kind: Any) -> dict[str, str]:
    """The texts of the fields that a TypedDict has from others, which pydantic leaves behind."""
    bases = (TypeAdapter(base).json_schema()["properties"] for base in kind.__orig_bases__ if is_typeddict(base))
    return {field: about["description"] for base in bases for field, about in base.items() if "description" in about}


def write(folder: Path) -> None:
    """Write every schema into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER)
