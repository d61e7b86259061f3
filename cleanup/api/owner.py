"""Whose key it is, asked before anything else."""

from dataclasses import dataclass

from cleanup import verdict
from cleanup.api.atoms import owner_in
from cleanup.api.gate import Subject
from cleanup.api.session import Session
from cleanup.errors import UnknownOwner, WrongOwner
from cleanup.stop import Stopped


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose key it is, as far as the API told; `trouble` says why it did not."""

    organization: str | None = None
    user: str | None = None
    trouble: str | None = None


async def whose_key(session: Session, required: str | None) -> Owner:
    """Ask whose key it is: once, or as long as any operation if an organization is required.

    Raises Stopped (401, TLS, a signal), WrongOwner, UnknownOwner.
    """
    history = await session.caller.operate(Subject(None), lambda _turn: session.atoms.user(), once=required is None)
    reply = history.reply
    if session.stop.cause or reply is None:
        raise Stopped
    organization, user = (session.key.hide(text) if text else None for text in owner_in(reply))
    if organization is None:
        why = reply.message or (
            str(verdict.of_failure(reply).reason) if reply.status != 200 else "the answer does not say"
        )
        if required is not None:
            raise UnknownOwner(f"whose key it is could not be told ({why}), and api.organization requires it")
        return Owner(user=user, trouble=f"whose key it is could not be told: {why}")
    if required is not None and organization != required:
        raise WrongOwner(f"the key belongs to organization {organization}, not to {required} (api.organization)")
    return Owner(organization, user)
