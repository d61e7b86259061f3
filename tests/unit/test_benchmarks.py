"""The figures get into a page between their marks, and nowhere else."""

from tests.benchmarks.tables import placed, started


def test_figures_replace_what_stood_between_the_marks() -> None:
    """Again and again, with the rest of the page as it was."""
    once = placed("# A\n<!-- bench -->\nold\n<!-- /bench -->\nend\n", "new")
    assert once == "# A\n<!-- bench -->\nnew\n<!-- /bench -->\nend\n"
    assert placed(once, "newer") == once.replace("new", "newer")


def test_a_page_without_marks_is_left_alone() -> None:
    """Half a pair of marks is none."""
    assert placed("# A\n", "new") is None
    assert placed("# A\n<!-- bench -->\n", "new") is None


def test_a_table_is_markdown() -> None:
    """Ratios are to the first row."""
    assert started({"python": 0.1, "job": 0.25}).splitlines() == [
        "| start | time | of the first |",
        "| --- | --- | --- |",
        "| `python` | 0.10 s | 1.0 × |",
        "| `job` | 0.25 s | 2.5 × |",
    ]
