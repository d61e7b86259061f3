"""How each listed pair ended. All counts are computed from these entries."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, cast

from typing_extensions import TypedDict

from cleanup.model import Counts, Done, Ending, Outcome, Result
from cleanup.plan import ENDINGS, Decision, Plan

MOST_FAILURES: Final = 100
_ALL: Final = list(Ending)
_CODE: Final = {ending: code for code, ending in enumerate(_ALL, 1)}
_OPEN: Final = 0


class Account:
    """The ending of every pair of a plan, by index, in one byte each."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._codes = bytearray(len(plan.decisions))
        self.failures: list[Result] = []
        for decision, ending in ENDINGS.items():
            for index in plan.indexes(decision):
                self._codes[index] = _CODE[ending]

    def enter(self, result: Result) -> None:
        """Enter how a pair ended. A pair can end only once."""
        index = result.pair.index
        assert self._codes[index] == _OPEN, "a pair ends once"
        self._codes[index] = _CODE[result.ending]
        if result.ending.outcome is Outcome.FAILED and len(self.failures) < MOST_FAILURES:
            self.failures.append(result)

    def overturn(self, result: Result) -> None:
        """Replace the ending of a pair: the API said that it was discarded, but it is not gone."""
        self._codes[result.pair.index] = _OPEN
        self.enter(result)

    def close(self, left: Ending) -> None:
        """Enter `left` for every planned pair that has no ending yet."""
        for index in self.plan.indexes(Decision.SEND):
            if self._codes[index] == _OPEN:
                self._codes[index] = _CODE[left]

    def endings(self) -> dict[Ending, int]:
        """How many pairs ended in each way."""
        return {_ALL[code - 1]: count for code, count in sorted(Counter(self._codes).items()) if code != _OPEN}

    def by_agent(self) -> dict[str, dict[Ending, int]]:
        """How many pairs of each agent ended in each way."""
        keys = self.plan.pairs.keys
        counted = Counter((keys[index][:12], code) for index, code in enumerate(self._codes) if code != _OPEN)
        agents: dict[str, dict[Ending, int]] = {}
        for (agent, code), count in counted.items():
            agents.setdefault(agent.hex(), {})[_ALL[code - 1]] = count
        return agents

    def still_standing(self) -> Iterator[tuple[int, Ending]]:
        """The pairs that failed or were not attempted, in the list's order."""
        for index, code in enumerate(self._codes):
            if code != _OPEN and _ALL[code - 1].outcome in (Outcome.FAILED, Outcome.NOT_ATTEMPTED):
                yield index, _ALL[code - 1]


class Folded(TypedDict):
    """The summary's counts, and the reasons within each of these outcomes."""

    counts: Counts
    skipped: dict[str, int]
    failed: dict[str, int]
    not_attempted: dict[str, int]


def fold(endings: dict[Ending, int], first: Outcome) -> Folded:
    """Compute the `counts` and the reasons of a summary from the number of pairs in each ending.

    `first`: the outcome that the run is for.
    """
    by_outcome: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
    reasons: dict[Outcome, dict[str, int]] = {outcome: {} for outcome in Outcome}
    for ending, count in endings.items():
        by_outcome[ending.outcome] += count
        if ending.reason:
            of_outcome = reasons[ending.outcome]
            of_outcome[ending.reason] = of_outcome.get(ending.reason, 0) + count
    done = cast("Done", {first: by_outcome[first]})
    return {
        "counts": {
            "listed": sum(endings.values()),
            **done,
            "skipped": by_outcome[Outcome.SKIPPED],
            "failed": by_outcome[Outcome.FAILED],
            "not_attempted": by_outcome[Outcome.NOT_ATTEMPTED],
        },
        "skipped": reasons[Outcome.SKIPPED],
        "failed": reasons[Outcome.FAILED],
        "not_attempted": reasons[Outcome.NOT_ATTEMPTED],
    }
