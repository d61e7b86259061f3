"""Switches to a new key during a run, when the key in use is refused and the key file has another one."""

import asyncio
from collections.abc import Callable

from cleanup.api.atoms import Atoms, owner_in
from cleanup.api.key import Key
from cleanup.api.reply import Reply
from cleanup.errors import WrongOwner
from cleanup.model import StopCause
from cleanup.stop import Stop


def wrong_owner(organization: str, required: str) -> WrongOwner:
    """The error for a key that belongs to another organization than the required one."""
    return WrongOwner(f"the key belongs to organization {organization}, not to {required} (api.organization)")


class Renewal:
    """Replaces a refused key with the one in the key file, and waits a while if the file is just being rewritten."""

    def __init__(
        self, key: Key, required: str | None, stop: Stop, attempts: int, jitter: Callable[[int], float]
    ) -> None:
        """`required`: the organization that every key must belong to. `attempts`: how many times the file is read."""
        self._key = key
        self._required = required
        self._stop = stop
        self._attempts = attempts
        self._jitter = jitter
        self._one_at_a_time = asyncio.Lock()

    async def renew(self, api: Atoms, refused: Reply) -> bool:
        """Return whether a new key replaced the refused one. It must belong to the required organization, if any."""
        async with self._one_at_a_time:
            if refused.key_number < self._key.number:
                return True
            for attempt in range(1, self._attempts + 1):
                candidate = self._key.read_again()
                if candidate is not None and await self._may_be_used(api, candidate):
                    self._key.adopt(candidate)
                    return True
                if not self._key.unsettled:
                    return False
                await self._stop.sleep(self._jitter(attempt))
                if self._stop.cause:
                    return False
            return False

    async def _may_be_used(self, api: Atoms, candidate: str) -> bool:
        if self._required is None:
            return True
        reply = await api.user(candidate)
        organization, _ = owner_in(reply)
        if organization is None and not reply.unauthorized:
            self._key.put_off()
            return False
        if organization is not None and organization != self._required:
            error = wrong_owner(organization, self._required)
            self._stop.request(StopCause.UNAUTHORIZED, str(error), error)
            return False
        return True
