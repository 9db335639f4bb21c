"""The page in a real browser: pictures are drawn, tables sort and filter, nothing complains. Needs Chromium.

On Debian: `apt-get install chromium chromium-driver`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from consolidate.report.html import page
from tests.pages import EVIL, PICTURED, evil, huge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((place for name in _NAMES if (place := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None, reason="no Chromium: apt-get install chromium chromium-driver"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def shown(browser: webdriver.Chrome, file: Path, text: str, *, width: int = 1280, scheme: str = "light") -> None:
    file.write_text(text, encoding="utf-8")
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(file.as_uri())


def asked(browser: webdriver.Chrome, script: str) -> Any:  # noqa: ANN401 - whatever the page answers
    return browser.execute_script(f"return {script}")


def complaints(browser: webdriver.Chrome) -> list[Any]:
    """What is in the console."""
    found: list[Any] = browser.execute("getLog", {"type": "browser"})["value"]
    return found


def column(browser: webdriver.Chrome, table: str, place: int) -> list[str]:
    """The cells of a column whose rows can be seen, from top to bottom."""
    found: list[str] = asked(
        browser,
        f"Array.from(document.querySelectorAll('#{table} tbody tr')).filter(row => row.offsetParent !== null)"
        f".map(row => row.cells[{place}].textContent)",
    )
    return found


def test_pictures_are_drawn_in_the_colours_of_the_page(browser: webdriver.Chrome, tmp_path: Path) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        shown(browser, tmp_path / "page.html", page(PICTURED), scheme=scheme)
        assert asked(browser, "document.querySelectorAll('figure > svg').length") == 7
        boxes = asked(
            browser,
            "Array.from(document.querySelectorAll('figure > svg'), one =>"
            " [one.getBBox().width, one.getBoundingClientRect().height])",
        )
        assert all(width > 300 and height > 80 for width, height in boxes)
        line = "document.querySelector('figure > svg path[stroke=\"var(--after)\"]')"
        assert asked(browser, f"{line}.getTotalLength()") > 100
        colours.add(asked(browser, f"getComputedStyle({line}).stroke"))
        assert complaints(browser) == []
    assert len(colours) == 2


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_no_wider_than_its_window(browser: webdriver.Chrome, tmp_path: Path, width: int) -> None:
    shown(browser, tmp_path / "page.html", page(PICTURED), width=width)
    assert asked(browser, "document.documentElement.scrollWidth") <= width


def test_a_table_sorts_by_number_up_and_down(browser: webdriver.Chrome, tmp_path: Path) -> None:
    shown(browser, tmp_path / "page.html", page(PICTURED))
    heading = browser.find_element(By.CSS_SELECTOR, "#sources th:nth-child(3)")
    button = heading.find_element(By.TAG_NAME, "button")
    before = column(browser, "sources", 2)
    button.send_keys(Keys.ENTER)
    ascending = column(browser, "sources", 2)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert ascending == ["2", "9", "75", "107", "1,200", "40,000", "1,234,567"] != before
    button.click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(browser, "sources", 2) == ascending[::-1]


def test_what_is_not_recorded_comes_last_both_ways(browser: webdriver.Chrome, tmp_path: Path) -> None:
    shown(browser, tmp_path / "page.html", page(PICTURED))
    button = browser.find_element(By.CSS_SELECTOR, "#symbols th:nth-child(5) button")
    for first in ("-31.50", "80.50"):
        button.click()
        found = column(browser, "symbols", 4)
        assert (found[0], found[-2:]) == (first, ["–", "–"])  # noqa: RUF001 - the dash is what is shown


def test_a_table_filters_by_words_and_says_how_many_are_left(browser: webdriver.Chrome, tmp_path: Path) -> None:
    shown(browser, tmp_path / "page.html", page(PICTURED))
    field = browser.find_element(By.ID, "symbols-filter")
    field.send_keys("eth MOMENTUM")
    assert column(browser, "symbols", 1) == ["ETHUSDT"]
    assert browser.find_element(By.CSS_SELECTOR, "output[for=symbols-filter]").text == "1 of 8 rows"
    field.clear()
    field.send_keys("x", Keys.BACKSPACE)
    assert len(column(browser, "symbols", 1)) == 8


def test_the_link_of_a_changed_row_opens_its_lineage(browser: webdriver.Chrome, tmp_path: Path) -> None:
    shown(browser, tmp_path / "page.html", page(PICTURED))
    browser.find_element(By.CSS_SELECTOR, "#changed a").click()
    lineage = browser.find_element(By.ID, "lineage-1")
    assert lineage.is_displayed()
    assert "from momentum.trades, key 12" in lineage.text
    assert asked(browser, "document.activeElement.id") == "lineage-1"


@pytest.mark.parametrize("text", EVIL)
def test_nothing_in_a_store_runs(browser: webdriver.Chrome, tmp_path: Path, text: str) -> None:
    shown(browser, tmp_path / "page.html", page(evil(text)))
    assert browser.title.startswith("consolidate run")
    assert asked(browser, "document.querySelectorAll('script, img, iframe').length") == 1
    assert complaints(browser) == []


def test_the_policy_stops_a_script_that_is_not_ours(browser: webdriver.Chrome, tmp_path: Path) -> None:
    broken = page(PICTURED).replace("<main ", "<script>document.title = 'broken'</script><main ")
    shown(browser, tmp_path / "page.html", broken)
    assert browser.title.startswith("consolidate run")
    assert complaints(browser)


def test_the_largest_page_opens(browser: webdriver.Chrome, tmp_path: Path) -> None:
    shown(browser, tmp_path / "page.html", page(huge(2_000)))
    assert asked(browser, "document.querySelectorAll('figure > svg').length") == 27
    assert complaints(browser) == []
