"""Finds out which organization the key belongs to, before anything else is sent."""

from dataclasses import replace

from cleanup.api.atoms import organization_name_in, owner_in
from cleanup.api.renewal import wrong_owner
from cleanup.api.session import Session
from cleanup.errors import SettingsError, UnknownOwner
from cleanup.model import Owner
from cleanup.stop import Stopped


async def whose_key(session: Session, required: str | None) -> Owner:
    """Ask which organization the key belongs to. The request is retried only if an organization is required.

    A 404 that may come from a gateway is retried too. Raises Stopped (401, TLS, a signal), WrongOwner, UnknownOwner,
    and SettingsError if there is no Atoms API at this address.
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
            raise UnknownOwner(f"{why}: the run {sentence}, and api.organization requires it")
        return Owner(user=user, trouble=f"{sentence}: {why}")
    if required is not None and organization != required:
        raise wrong_owner(organization, required)
    return Owner(organization, user)


async def with_name(session: Session, owner: Owner) -> Owner:
    """Add the organization's name to the owner, for display, if it can be read. Raises Stopped."""
    if owner.organization is None:
        return owner
    reply = await session.caller().operate(lambda api: api.account(), once=True)
    session.stop.check()
    name = organization_name_in(reply, owner.organization)
    return owner if name is None else replace(owner, name=session.key.hide(name))
