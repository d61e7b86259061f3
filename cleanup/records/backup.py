"""Saves a copy of each draft, durably, before it is discarded: all that is needed to recreate it."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cleanup.errors import OutputError
from cleanup.records.files import require_folder, sync_folder, whole_file, why
from cleanup.records.summary import utc

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Copy:
    """A draft as the API returned it. `branch`: the branch on which it is open, if any. `latest`: its last revision."""

    model: str
    agent: str
    draft: str
    branch: dict[str, Any] | None
    latest: dict[str, Any]
    configuration: dict[str, Any]

    def document(self, saved_at: datetime) -> dict[str, Any]:
        """The copy as it is written."""
        return {"format": FORMAT, "saved_at": utc(saved_at)} | asdict(self)


class Backup:
    """Saves copies as `FOLDER/<agent>/<draft>.json`, readable only by their owner."""

    def __init__(self, folder: str) -> None:
        """Create the folder if necessary. Raises OutputError."""
        self._folder = Path(folder)
        self._make(self._folder)

    @staticmethod
    def check(folder: str) -> None:
        """Refuse a folder that is clearly unusable, without creating anything. Raises OutputError."""
        place = Path(folder)
        try:
            while not os.path.lexists(place) and place != place.parent:
                place = place.parent
            require_folder(place)
        except OSError as error:
            raise OutputError(f"{folder}: the folder for backups cannot be used: {error.strerror} ({place})") from None

    def save(self, copy: Copy) -> str:
        """Write one copy, and return its absolute path once it is on disk. Raises OutputError."""
        folder = self._folder / copy.agent
        self._make(folder)
        path = str(folder / f"{copy.draft}.json")
        if folder.is_symlink():
            raise OutputError(f"{path}: could not be written: {folder} is a link, and may lead anywhere")
        try:
            # ASCII only: a configuration may contain lone surrogates, which UTF-8 cannot encode.
            text = json.dumps(copy.document(datetime.now(UTC)), indent=1)
        except RecursionError:
            raise OutputError(f"{path}: could not be written: the draft is nested too deeply") from None
        with whole_file(path, mode=0o600, through_links=False) as stream:
            stream.write(text + "\n")
        return str(Path(path).absolute())  # an undo may be started from another folder

    def _make(self, folder: Path) -> None:
        """Create a folder and its parents, durably."""
        try:
            if not folder.is_dir():
                if folder != folder.parent:
                    self._make(folder.parent)
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
        except OSError as error:
            raise OutputError(
                f"{folder}: the folder for backups could not be created: {why(error, str(folder))}"
            ) from None
