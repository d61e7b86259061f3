"""What else people would write: `python -m tests.benchmarks.rivals NAME LIST BASE_URL CONCURRENCY`."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

KEY = os.environ.get("SMALLEST_API_KEY", "")
Discard = Callable[[str, str], Awaitable[object]]


async def all_of(pairs: list[list[str]], concurrency: int, discard: Discard) -> None:
    """Discard every pair, so many at once; what fails for good is let go."""
    rest = iter(pairs)

    async def worker() -> None:
        for agent, draft in rest:
            try:
                await discard(agent, draft)
            except Exception as error:  # noqa: BLE001
                print(f"{agent},{draft}: {type(error).__name__}", file=sys.stderr)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def with_httpx(pairs: list[list[str]], base_url: str, concurrency: int) -> None:
    """httpx, a semaphore and tenacity; a `Retry-After` is kept."""
    import httpx
    from tenacity import RetryCallState, retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    backoff = wait_random_exponential(multiplier=0.5, max=30)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.response.headers.get("retry-after") if isinstance(error, httpx.HTTPStatusError) else None
        return float(asked) if asked else backoff(state)

    semaphore = asyncio.Semaphore(concurrency)
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits, headers={"Authorization": f"Bearer {KEY}"}, timeout=10) as client:

        @retry(retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_attempt(5), wait=wait, reraise=True)
        async def discard(agent: str, draft: str) -> object:
            async with semaphore:
                answer = await client.delete(f"{base_url}/agent/{agent}/drafts/{draft}")
            answer.raise_for_status()
            return answer.json()

        await all_of(pairs, concurrency, discard)


async def with_sdk(pairs: list[list[str]], base_url: str, concurrency: int) -> None:
    """The vendor's SDK with its own retries."""
    from smallestai import AsyncSmallestAI
    from smallestai.environment import SmallestAIEnvironment

    nowhere = "http://127.0.0.1:9"
    environment = SmallestAIEnvironment(atoms=base_url, waves=nowhere, waves_ws=nowhere, payment=nowhere)
    drafts = AsyncSmallestAI(api_key=KEY, environment=environment, timeout=10).atoms.agent_versioning_drafts
    await all_of(pairs, concurrency, drafts.discard_draft)


async def with_aiohttp(pairs: list[list[str]], base_url: str, concurrency: int) -> None:
    """aiohttp and nothing else: no retries, no log, no record."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {KEY}"}) as session:

        async def discard(agent: str, draft: str) -> object:
            async with session.delete(f"{base_url}/agent/{agent}/drafts/{draft}") as answer:
                answer.raise_for_status()
                return await answer.json()

        await all_of(pairs, concurrency, discard)


def main(name: str, path: str, base_url: str, concurrency: str) -> None:
    """Discard a list with one of them."""
    pairs = [row.split(",") for row in Path(path).read_text().splitlines()[1:]]
    run = {"httpx": with_httpx, "sdk": with_sdk, "aiohttp": with_aiohttp}[name]
    asyncio.run(run(pairs, base_url, int(concurrency)))


if __name__ == "__main__":
    main(*sys.argv[1:])
