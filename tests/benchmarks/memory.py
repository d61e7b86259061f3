"""Peak memory and time to check long lists. The parent stays small: a child's peak begins with its parent's."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import Spent, discarding, job, measure, stand_in, write_list

SENT = 500


@dataclass(frozen=True, slots=True)
class Size:
    """A list of so many rows: what checking it takes, and a run that sends the first few and writes the rest down."""

    rows: int
    form: str
    checked: Spent
    run: Spent | None


def sizes(*, quick: bool) -> list[Size]:
    """CSV of several lengths, and YAML."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for rows in (1000, 10_000) if quick else (1000, 10_000, 1_000_000):
            write_list(home / "drafts.csv", rows)
            checked = measure(job("check", "drafts.csv", "--max-discards", "10000000"), home)
            with stand_in(home, most=SENT) as served:
                command = [*discarding("job", home, served.url, 16), "--limit", str(SENT), "--leftover", "leftover.csv"]
                found.append(Size(rows, "CSV", checked, measure(command, home)))
        rows = 2000 if quick else 100_000
        with (home / "drafts.yaml").open("w") as stream:
            stream.writelines(f"- {{agent: '{number // 50:024x}', draft: '{number:024x}'}}\n" for number in range(rows))
        checked = measure(job("check", "drafts.yaml", "--max-discards", "10000000"), home)
        found.append(Size(rows, "YAML", checked, None))
    return found
