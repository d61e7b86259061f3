"""The plan: the fate of every pair, the shares, and the order with its spares."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.lists.pair_list import PairList, pack
from cleanup.lists.rows import Row
from cleanup.plan import Fate, Order, Plan, make_plan, shard_of
from cleanup.settings.values import ShardOf

AGENTS = [f"{number:024x}" for number in range(3)]
Rows = list[tuple[int, int]]
rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), max_size=60)


def listed(chosen: Rows) -> PairList:
    pairs = PairList("drafts.csv")
    for line, (agent, draft) in enumerate(chosen, 2):
        pairs.add(Row(line, AGENTS[agent], f"d{draft}"))
    return pairs


@given(rows, st.sets(st.integers(0, 2)), rows, st.none() | st.integers(0, 30), st.integers(1, 4))
def test_every_pair_has_one_fate(
    chosen: Rows, protect: set[int], settled: Rows, limit: int | None, shares: int
) -> None:
    """The rules in their order: another share's, a duplicate, protected, settled, beyond the limit, or sent."""
    done = {pack(AGENTS[agent], f"d{draft}") for agent, draft in settled}
    everywhere: Counter[int] = Counter()
    for number in range(shares):
        pairs = listed(chosen)
        plan = make_plan(
            pairs,
            protect=[AGENTS[agent] for agent in protect],
            settled=done,
            shard=ShardOf(number, shares),
            limit=limit,
        )
        seen: set[bytes] = set()
        sent = 0
        for index, key in enumerate(pairs.keys):
            fate = plan.fates[index]
            mine = shard_of(key, shares) == number
            if not mine:
                expected = Fate.ELSEWHERE
            elif key in seen:
                expected = Fate.DUPLICATE
            elif chosen[index][0] in protect:
                expected = Fate.PROTECTED
            elif key in done:
                expected = Fate.SETTLED
            else:
                expected = Fate.SEND if limit is None or sent < limit else Fate.LIMIT
                sent += expected is Fate.SEND
            assert fate == expected
            seen |= {key} if mine else set()
            everywhere[index] += mine
        assert plan.to_send == sent
        assert plan.listed == sum(fate != Fate.ELSEWHERE for fate in plan.fates)
    assert everywhere == Counter(range(len(chosen))), "the shares are disjoint, and together the list"


def test_shares_do_not_depend_on_machine_list_or_version() -> None:
    """Pods of one Job may be of different images; a share that moved would be sent twice or never."""
    keys = [pack(AGENTS[1], f"d{number}") for number in range(8)]
    assert [shard_of(key, 4) for key in keys] == [3, 1, 0, 3, 0, 1, 0, 3]


def planned(count: int) -> Plan:
    return make_plan(listed_many(count))


def listed_many(count: int) -> PairList:
    pairs = PairList("drafts.csv")
    for number in range(count):
        pairs.add(Row(number + 2, AGENTS[0], f"d{number}"))
    return pairs


@given(st.integers(0, 300), st.lists(st.booleans(), max_size=400))
def test_an_order_hands_out_each_pair_once(count: int, asks: list[bool]) -> None:
    """Whether a spare is asked for or the next in order, in any mixture: all of them, and none twice."""
    order = Order(planned(count))
    out = [order.spare() if spare else order.next() for spare in asks]
    while (index := order.next()) is not None:
        out.append(index)
    handed = [index for index in out if index is not None]
    assert sorted(handed) == list(range(count))
    assert order.next() is None
    assert order.spare() is None


@pytest.mark.parametrize("count", [4, 10, 100, 1000, 5000])
def test_the_lists_order_is_kept_but_for_the_spares(count: int) -> None:
    """Spares are few, come from all over the list, and are sent last when no outage needed them."""
    order = Order(planned(count))
    handed = [order.next() for _ in range(count)]
    spares = min(64, count // 8 + 1)
    first = handed[: count - spares]
    assert first == sorted(index for index in first if index is not None)
    kept = sorted(index for index in handed[count - spares :] if index is not None)
    assert len(kept) == spares
    widest = max(b - a for a, b in zip([0, *kept], [*kept, count], strict=True))
    assert widest <= count // spares + 1


@pytest.mark.parametrize("where", [0.0, 0.3, 0.9])
def test_few_spares_lie_in_one_block(where: float) -> None:
    """Of the first few spares asked for hardly any stands in the same tenth of the list."""
    order = Order(planned(1000))
    first = [order.spare() or 0 for _ in range(10)]
    assert sum(1000 * where <= index < 1000 * (where + 0.1) for index in first) <= 2


def test_under_a_limit_what_was_tried_in_vain_comes_last() -> None:
    """First what was never tried, in the list's order; then what was tried longest ago."""
    pairs = listed_many(6)
    tried = {pairs.keys[0]: 2, pairs.keys[1]: 1, pairs.keys[2]: 2, pairs.keys[4]: 2}
    taken = [list(make_plan(pairs, tried=tried, limit=limit).indexes(Fate.SEND)) for limit in range(7)]
    assert taken == [[], [3], [3, 5], [1, 3, 5], [0, 1, 3, 5], [0, 1, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
