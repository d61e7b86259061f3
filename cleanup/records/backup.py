"""A copy of each draft's configuration, durable before the draft goes."""

import json
from pathlib import Path
from typing import Any

from cleanup.errors import OutputError
from cleanup.records.files import sync_folder, whole_file


class Backup:
    """Saves configurations as `FOLDER/<agent>/<draft>.json`, readable by their owner alone."""

    def __init__(self, folder: str) -> None:
        """Create the folder if need be. Raises OutputError."""
        self._folder = Path(folder)
        self._make(self._folder)

    def save(self, agent: str, draft: str, configuration: dict[str, Any]) -> None:
        """Write one configuration; it is on disk when this returns. Raises OutputError."""
        folder = self._folder / agent
        self._make(folder)
        with whole_file(str(folder / f"{draft}.json"), mode=0o600) as stream:
            json.dump(configuration, stream, ensure_ascii=False, indent=1)

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(folder.parent)
        except OSError as error:
            raise OutputError(f"{folder}: the folder for backups could not be made: {error.strerror}") from None
