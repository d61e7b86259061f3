"""A copy of each draft's configuration, durable before the draft goes."""

import json
import os
from pathlib import Path
from typing import Any

from cleanup.errors import OutputError
from cleanup.records.files import require_folder, sync_folder, whole_file, why


class Backup:
    """Saves configurations as `FOLDER/<agent>/<draft>.json`, readable by their owner alone."""

    def __init__(self, folder: str) -> None:
        """Create the folder if need be. Raises OutputError."""
        self._folder = Path(folder)
        self._make(self._folder)

    @staticmethod
    def check(folder: str) -> None:
        """Refuse a folder that could not be used, as far as can be determined without making it. Raises OutputError."""
        place = Path(folder)
        try:
            while not os.path.lexists(place) and place != place.parent:
                place = place.parent
            require_folder(place)
        except OSError as error:
            raise OutputError(f"{folder}: the folder for backups cannot be used: {error.strerror} ({place})") from None

    def save(self, agent: str, draft: str, configuration: dict[str, Any]) -> str:
        """Write one configuration; it is on disk when this returns. Returns its path. Raises OutputError."""
        folder = self._folder / agent
        self._make(folder)
        path = str(folder / f"{draft}.json")
        if folder.is_symlink():
            raise OutputError(f"{path}: could not be written: {folder} is a link, and may lead anywhere")
        try:
            # ASCII alone: a configuration may hold half characters, which no file can.
            text = json.dumps(configuration, indent=1)
        except RecursionError:
            raise OutputError(f"{path}: could not be written: the configuration is nested too deeply") from None
        with whole_file(path, mode=0o600, through_links=False) as stream:
            stream.write(text + "\n")
        return path

    def _make(self, folder: Path) -> None:
        """Make a folder, and those that it is in, durably."""
        try:
            if not folder.is_dir():
                if folder != folder.parent:
                    self._make(folder.parent)
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
        except OSError as error:
            raise OutputError(
                f"{folder}: the folder for backups could not be made: {why(error, str(folder))}"
            ) from None
