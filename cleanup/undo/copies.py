"""Reads the copy of a draft that was saved before it was discarded."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cleanup.records.backup import FORMAT, Copy
from cleanup.undo.fields import WRITTEN_AS


class NoCopy(Exception):
    """There is no copy that a draft can be restored from; the text says why."""


def read_copy(paths: Iterable[str], agent: str, draft: str) -> tuple[Copy, str]:
    """Read the first of these files that exists, as a copy of this draft; and its path. Raises NoCopy."""
    tried = list(dict.fromkeys(paths))
    for path in tried:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NoCopy(f"{path}: the copy cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise NoCopy(f"{path}: the copy is damaged: it is not text") from None
        except ValueError as error:
            raise NoCopy(f"{path!r}: this cannot be the path of a copy: {error}") from None
        return parse_copy(text, path, agent, draft), path
    if not tried:
        raise NoCopy("no copy of it was kept (guard.backup), and no folder with copies is named (--backup)")
    raise NoCopy(f"there is no copy {' or '.join(tried)}; name the folder that has it (--backup)")


def parse_copy(text: str, path: str, agent: str, draft: str) -> Copy:
    """Parse a copy of this draft, also one that version 1.0 wrote. Raises NoCopy, which names `path`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise NoCopy(f"{path}: the copy is damaged or cut short: it is not JSON") from None
    if not isinstance(document, dict):
        raise NoCopy(f"{path}: this is not a copy of a draft")
    copy = _of_format_1(document, path) if "format" in document else _of_version_1_0(document, agent, draft)
    if not isinstance(copy.configuration.get("_resolvedConfig"), dict):
        raise NoCopy(f"{path}: the copy has no configuration (_resolvedConfig)")
    owner = copy.configuration.get("_id", agent)
    if (copy.agent, copy.draft) != (agent, draft) or owner != agent:
        whose = f"draft {copy.draft} of agent {copy.agent if owner == agent else owner}"
        raise NoCopy(f"{path}: this is a copy of {whose}, not of draft {draft} of agent {agent}")
    return copy


def _of_format_1(document: dict[str, Any], path: str) -> Copy:
    if document["format"] != FORMAT:
        raise NoCopy(f"{path}: the copy is of format {document['format']!r}, which this version does not know")
    branch, latest, configuration = document.get("branch"), document.get("latest"), document.get("configuration")
    if not (isinstance(latest, dict) and isinstance(configuration, dict) and isinstance(branch, dict | None)):
        raise NoCopy(f"{path}: the copy is damaged: latest, configuration or branch is missing")
    model, agent, draft = (str(document.get(key)) for key in ("model", "agent", "draft"))
    return Copy(model, agent, draft, branch, latest, configuration)


def _of_version_1_0(document: dict[str, Any], agent: str, draft: str) -> Copy:
    """A copy of 1.0 is the configuration alone, and does not say of which draft."""
    is_bare = "_resolvedConfig" not in document and any(name in WRITTEN_AS for name in document)
    configuration = {"_resolvedConfig": document} if is_bare else document
    return Copy("drafts", agent, draft, branch=None, latest={}, configuration=configuration)
