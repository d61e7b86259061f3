"""The plan: the decision of every pair, the shares, and what a limit leaves for later."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cleanup.lists.pair_list import PairList, pack
from cleanup.lists.rows import Row
from cleanup.plan import Decision, make_plan, shard_of
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
def test_every_pair_has_one_decision(
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
            decision = plan.decisions[index]
            mine = shard_of(key, shares) == number
            if not mine:
                expected = Decision.ELSEWHERE
            elif key in seen:
                expected = Decision.DUPLICATE
            elif chosen[index][0] in protect:
                expected = Decision.PROTECTED
            elif key in done:
                expected = Decision.SETTLED
            else:
                expected = Decision.SEND if limit is None or sent < limit else Decision.LIMIT
                sent += expected is Decision.SEND
            assert decision == expected
            seen |= {key} if mine else set()
            everywhere[index] += mine
        assert plan.to_send == sent
        assert plan.listed == sum(decision != Decision.ELSEWHERE for decision in plan.decisions)
    assert everywhere == Counter(range(len(chosen))), "the shares are disjoint, and together the list"


def test_shares_do_not_depend_on_machine_list_or_version() -> None:
    """Pods of one Job may be of different images; a share that moved would be sent twice or never."""
    keys = [pack(AGENTS[1], f"d{number}") for number in range(8)]
    assert [shard_of(key, 4) for key in keys] == [3, 1, 0, 3, 0, 1, 0, 3]


def listed_many(count: int) -> PairList:
    pairs = PairList("drafts.csv")
    for number in range(count):
        pairs.add(Row(number + 2, AGENTS[0], f"d{number}"))
    return pairs


def test_under_a_limit_what_was_tried_in_vain_comes_last() -> None:
    """First what was never tried, in the list's order; then what was tried longest ago."""
    pairs = listed_many(6)
    tried = {pairs.keys[0]: 2, pairs.keys[1]: 1, pairs.keys[2]: 2, pairs.keys[4]: 2}
    taken = [list(make_plan(pairs, tried=tried, limit=limit).indexes(Decision.SEND)) for limit in range(7)]
    assert taken == [[], [3], [3, 5], [1, 3, 5], [0, 1, 3, 5], [0, 1, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
