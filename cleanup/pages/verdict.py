"""How a run, or all that ledgers tell of, ended: in one sentence. Pure."""

from collections.abc import Mapping
from typing import Any, Final

_NAMES: Final = {"dry-run": "dry run", "sweep": "sweep", "undo": "undo"}
_LEFT_FOR_LATER: Final = {"limit"}


def verdict(summary: Mapping[str, Any]) -> str:
    """The sentence. That of a dry run says of nothing that it was discarded."""
    what = _NAMES.get(summary["mode"], "run")
    if summary["status"] == "refused":
        return f"The {what} was refused: no draft was touched."
    sentence = _sentence(summary)
    if summary["status"] == "stopped":
        why = f" ({summary['stopped_by'].replace('_', ' ')})" if summary["stopped_by"] else ""
        return f"The {what} stopped early{why}: {sentence}"
    if summary["status"] == "incomplete":
        return f"Incomplete: {sentence}"
    return sentence[0].upper() + sentence[1:]


def _sentence(summary: Mapping[str, Any]) -> str:
    counts = dict(summary["counts"])
    listed = counts.pop("listed", 0)
    done = next(iter(counts))
    said = [(name, count) for name, count in counts.items() if count]
    reads = done.startswith("would_")
    end = ". Nothing was changed: this was a dry run." if reads else "."
    if not said:
        return f"there was no draft to work on{end}"
    if listed == 1:
        return f"the only draft {_ended(said[0][0], 1, summary)}{end}"
    if said[0] == (said[0][0], listed):
        return f"all {listed:,} drafts {_ended(said[0][0], listed, summary)}{end}"
    first = f"{counts[done] or 'none':{',' if counts[done] else ''}} of {listed:,} drafts"
    parts = [
        f"{first} {_ended(done, counts[done] or listed, summary)}",
        *(f"{count:,} {_ended(name, count, summary)}" for name, count in said if name != done),
    ]
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" + end


def _ended(name: str, count: int, summary: Mapping[str, Any]) -> str:
    """What became of so many drafts, as the end of a sentence."""
    was = "was" if count == 1 else "were"
    reads = any(each.startswith("would_") for each in summary["counts"])
    match name:
        case "would_discard" | "would_restore":
            return f"would be {'discarded' if name == 'would_discard' else 'restored'}"
        case "skipped" if reads:
            return "would be skipped"
        case "failed":
            return "could not be checked" if reads else "failed"
        case "not_attempted" if set(summary["not_attempted"]) == _LEFT_FOR_LATER:
            return f"{was} left for a later run"
        case "not_attempted":
            return f"{was} not {'checked' if reads else 'attempted'}"
        case _:
            return f"{was} {name.replace('_', ' ')}"
