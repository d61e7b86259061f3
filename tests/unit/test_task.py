"""What monitors call a task."""

import pytest

from cleanup.records.task import task_of


@pytest.mark.parametrize(
    ("name", "metrics", "shard", "task"),
    [
        ("sweep", None, None, "sweep"),
        ("/srv/a.b/spring.csv", None, None, "spring"),
        ("spring.csv", None, "0/3", "spring-0-of-3"),
        ("spring.csv", "/var/lib/node/draft_cleanup_list.prom", "0/3", "draft_cleanup_list"),
        ("-", None, None, "stdin"),
        (None, None, None, "no-list"),
        ("\udcff.csv", None, None, "?"),
    ],
)
def test_a_task_is_told_by(name: str | None, metrics: str | None, shard: str | None, task: str) -> None:
    """The metrics file if there is one, else the list, with its share; no folder, no ending, always text."""
    assert task_of(name, metrics, shard) == task
