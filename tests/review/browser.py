"""A real Chromium without a window, operated as by a reviewer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1440,900",
)
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Browser:
    """An open page, and the folder where its downloads go."""

    driver: Chrome
    downloads: Path

    def open(self, page: Path) -> None:
        self.driver.get(page.as_uri())

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def load(self, selector: str, file: Path) -> None:
        """Choose a file in an input."""
        self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(str(file))

    def click(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def count(self, selector: str) -> int:
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def wait(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, PATIENCE_SECONDS).until(lambda _: condition())

    def download(self) -> Path:
        """Return the only download once it is complete."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            files = [path for path in self.downloads.glob("*.csv") if path.stat().st_size]
            if files and len(list(self.downloads.iterdir())) == 1:  # no temporary file beside it
                return files[0]
            time.sleep(0.05)
        raise AssertionError(f"no download in {self.downloads}: {list(self.downloads.iterdir())}")

    def complaints(self) -> list[str]:
        """Return what the page's scripts and policy have complained of."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def browser(program: str, driver: str, folder: Path, *more: str) -> Iterator[Browser]:
    """Open a browser with a new profile in `folder`, with more options; close it at the end."""
    downloads = folder / "downloads"
    downloads.mkdir(parents=True)
    options = ChromeOptions()
    options.binary_location = program
    for option in (*OPTIONS, f"--user-data-dir={folder / 'profile'}", *more):
        options.add_argument(option)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(driver))
    try:
        yield Browser(chrome, downloads)
    finally:
        chrome.quit()
