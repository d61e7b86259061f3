"""Whose key it is: asked before anything else, and again of a key that is read in the middle of a run."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from cleanup.api.atoms import Atoms, owner_in
from cleanup.api.key import Key
from cleanup.api.reply import Reply
from cleanup.errors import SettingsError, UnknownOwner, WrongOwner
from cleanup.model import Owner, StopCause
from cleanup.stop import Stop, Stopped

if TYPE_CHECKING:
    from cleanup.api.session import Session


async def whose_key(session: "Session", required: str | None) -> Owner:
    """Ask whose key it is: once, or as long as any operation if an organization is required.

    A 404 is asked about again if it may be a gateway's. Raises Stopped (401, TLS, a signal), WrongOwner, UnknownOwner,
    and SettingsError where there is no such API at this address.
    """
    caller = session.caller()
    reply = await caller.operate(lambda api: api.user(), once=required is None)
    if required is None and reply.status == 404 and reply.foreign:
        reply = await caller.operate(lambda api: api.user())
    if session.stop.cause:
        raise Stopped
    if reply.status == 404:
        said = f" ({reply.message})" if reply.message else ""
        raise SettingsError(
            f"there is no Atoms API at {session.base_url}: GET /user answers 404{said}: is api.base_url right?"
        )
    organization, user = (session.key.hide(text) if text else None for text in owner_in(reply))
    if organization is None:
        why = reply.message or ("the answer does not say" if reply.status == 200 else f"status {reply.status}")
        sentence = "could not determine which organization the key belongs to"
        if required is not None:
            raise UnknownOwner(f"{sentence} ({why}), and api.organization requires it")
        return Owner(user=user, trouble=f"{sentence}: {why}")
    if required is not None and organization != required:
        raise _wrong(organization, required)
    return Owner(organization, user)


def _wrong(organization: str, required: str) -> WrongOwner:
    return WrongOwner(f"the key belongs to organization {organization}, not to {required} (api.organization)")


class Renewal:
    """Goes on with another key when the one in use is refused and its file holds another by now, or soon."""

    def __init__(
        self, key: Key, required: str | None, stop: Stop, attempts: int, jitter: Callable[[int], float]
    ) -> None:
        """`required`: the organization that every key has to belong to. `attempts`: how often the file is read."""
        self._key = key
        self._required = required
        self._stop = stop
        self._attempts = attempts
        self._jitter = jitter
        self._one_at_a_time = asyncio.Lock()

    async def renew(self, api: Atoms, refused: Reply) -> bool:
        """Whether there is another key than the refused one. A required organization is asked for before it is used."""
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
            error = _wrong(organization, self._required)
            self._stop.request(StopCause.UNAUTHORIZED, str(error), error)
            return False
        return True
