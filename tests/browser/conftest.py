"""Chromium, where it is installed, driven by Playwright: one for a module, as its loop must not be in others' way.

Each test has a page of its own, which should ask the network for nothing.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright

QUIET = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)


def where() -> str | None:
    """The browser's path."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a sandbox only where root runs it, as it would not start."""
    path = where()
    if path is None:
        pytest.skip("chromium is not installed: the pages are not looked at in a browser")
    expect.set_options(timeout=60_000)  # ms: how long a busy machine may take is not what the tests are about
    with sync_playwright() as playwright:
        arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        launched.close()


class Looked:
    """A page in a browser, and what it did that it should not have done."""

    def __init__(self, context: BrowserContext, file: Path) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._refuse)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = file.as_uri()
        self.page.goto(self.url)

    def _refuse(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def check_quiet(self) -> None:
        """It has asked the network for nothing, and neither complained nor run anything that is not its own."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(("blob:", self.url))] == []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A context of its own: desk's width, light."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield made
    made.close()
