"""The engine in this process, its API a stand-in: for what depends on the order of things."""

from typing import Any

from cleanup.api.key import Key
from cleanup.api.owner import Renewal
from cleanup.api.pace import NoPace
from cleanup.api.reply import Reply
from cleanup.api.retry import Calling
from cleanup.api.session import Session
from cleanup.api.throttle import Throttle
from cleanup.settings.definitions import Limits, Retry, Settings
from cleanup.stop import Stop


def session_of(api: Any, *, concurrency: int = 8, attempts: int = 3) -> Session:
    """A session whose requests are calls of `api`'s methods; no waits, no limit. Needs a running loop."""
    settings = Settings(limits=Limits(concurrency=concurrency), retry=Retry(attempts=attempts, wait=0, max_wait=0))
    stop, key, pace = Stop(), Key(None, "sk_test"), NoPace()

    def log(_event: str, **_fields: Any) -> None:
        pass

    throttle = Throttle(concurrency, pace, stop, log, settings.limits.max_outage)
    calling = Calling(settings, lambda _slot: api, throttle, Renewal(key, None, stop), stop, log)
    return Session("http://localhost", concurrency, settings.limits.max_outage, key, calling, throttle, pace, stop, log)


def ok(data: object) -> Reply:
    """The API's 200."""
    return Reply(200, {"status": True, "data": data})


def refusal(status: int, text: str = "no") -> Reply:
    """An error as the API gives them."""
    return Reply(status, {"status": False, "errors": [text]})
