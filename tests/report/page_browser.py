"""A headless Chromium for tests of pages; it is refused everything but files."""

import shutil
from contextlib import contextmanager

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)


@contextmanager
def started_browser():
    """The browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)} on the path")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_QUIET))
        yield browser
        browser.close()


class Opened:
    """A page that was opened from disk, and what it did wrong.

    Attributes
    ----------
    asked
        Addresses that it asked for, its own file left out.
    errors
        What it wrote to the console, and what its script ended in.
    """

    def __init__(self, browser, path, width=1200, scheme="light"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.asked, self.errors = [], []
        self.page.on("request", self._note)
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.file = path.as_uri()
        self.page.goto(self.file)

    def _note(self, request):
        if request.url != self.file:
            self.asked.append(request.url)

    def close(self):
        self.context.close()
        assert self.asked == []
        assert self.errors == []
