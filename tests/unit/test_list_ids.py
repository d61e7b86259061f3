"""Which draft ids of a list look unlike the rest."""

import pytest

from cleanup.lists.ids import odd_drafts

USUAL = [f"{number:024x}" for number in range(0xAB0, 0xAB9)]
UPPER = "66A1B2C3D4E5F60718293A4B"


@pytest.mark.parametrize(
    ("drafts", "odd"),
    [
        ([], []),
        (USUAL, []),
        ([UPPER], []),
        ([*USUAL[:2], UPPER], []),
        ([*USUAL[:3], UPPER], [3]),
        ([UPPER[:-1].lower(), *USUAL[:6], UPPER], [0, 7]),
        ([*USUAL[:5], UPPER, "spring-campaign"], []),
        ([f"d{number}" for number in range(12)], []),
    ],
)
def test_an_id_is_odd_where_the_rest_is_clear(drafts: list[str], odd: list[int]) -> None:
    """Three usual ones for each odd one, and at least three; else nothing can be determined."""
    assert odd_drafts(drafts) == odd
