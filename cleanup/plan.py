"""Decides which pairs are sent, by protection, what is settled, and this run's share and limit. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b

from cleanup.lists.pair_list import PairList, pack
from cleanup.model import Ending, Outcome
from cleanup.settings.values import ShardOf


class Decision(IntEnum):
    """What a plan decides for a listed pair."""

    SEND = 0
    ELSEWHERE = 1
    DUPLICATE = 2
    PROTECTED = 3
    SETTLED = 4
    LIMIT = 5
    RESTORED = 6


ENDINGS = {
    Decision.DUPLICATE: Ending.DUPLICATE,
    Decision.PROTECTED: Ending.PROTECTED,
    Decision.SETTLED: Ending.SETTLED,
    Decision.LIMIT: Ending.LEFT_LIMIT,
    Decision.RESTORED: Ending.RESTORED_BEFORE,
}
SKIPPED = tuple(decision for decision, ending in ENDINGS.items() if ending.outcome is Outcome.SKIPPED)


@dataclass(frozen=True, slots=True)
class Undone:
    """What a ledger says about earlier undos: which pairs were restored, and where the others were tried last."""

    restored: Collection[bytes]
    tried: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision of each pair of a list, by index."""

    pairs: PairList
    decisions: bytearray

    def count(self, decision: Decision) -> int:
        """How many pairs have this decision."""
        return self.decisions.count(decision)

    @property
    def to_send(self) -> int:
        """How many pairs will be sent."""
        return self.count(Decision.SEND)

    @property
    def listed(self) -> int:
        """How many pairs this run is responsible for: all but those of other shares."""
        return len(self.decisions) - self.count(Decision.ELSEWHERE)

    def indexes(self, decision: Decision) -> Iterator[int]:
        """The pairs with this decision, in the list's order."""
        return (index for index, found in enumerate(self.decisions) if found == decision)

    def agents(self) -> int:
        """How many agents the pairs to send belong to."""
        keys = self.pairs.keys
        return len({keys[index][:12] for index in self.indexes(Decision.SEND)})


def make_plan(
    pairs: PairList,
    *,
    protect: Collection[str] = (),
    settled: Collection[bytes] = (),
    restored: Collection[bytes] = (),
    tried: Mapping[bytes, int] | None = None,
    shard: ShardOf | None = None,
    limit: int | None = None,
) -> Plan:
    """Decide for every pair: other shard, duplicate, protected, settled, restored, beyond the limit, or sent.

    `tried`: for each pair that was tried without success, the number of the last run that did. With a limit, these
    pairs come last, and those of the earliest runs first, so that pairs that always fail do not block the others.
    """
    protected = {pack(agent, "") for agent in protect}
    seen: set[bytes] = set()
    decisions = bytearray(len(pairs))
    again: list[tuple[int, int]] = []
    left = len(pairs) if limit is None else limit
    for index, key in enumerate(pairs.keys):
        if shard is not None and shard_of(key, shard.of) != shard.number:
            decisions[index] = Decision.ELSEWHERE
        elif key in seen:
            decisions[index] = Decision.DUPLICATE
        else:
            seen.add(key)
            if protected and key[:12] in protected:
                decisions[index] = Decision.PROTECTED
            elif key in settled:
                decisions[index] = Decision.SETTLED
            elif key in restored:
                decisions[index] = Decision.RESTORED
            elif limit is not None and tried and key in tried:
                decisions[index] = Decision.LIMIT
                again.append((tried[key], index))
            elif left <= 0:
                decisions[index] = Decision.LIMIT
            else:
                left -= 1
    for _, index in sorted(again)[:left]:
        decisions[index] = Decision.SEND
    return Plan(pairs, decisions)


def shard_of(key: bytes, shards: int) -> int:
    """The share that a pair belongs to: the same for every list, machine and version."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") % shards
