"""The page in a real browser: of the default study, and of a study with hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sources import ROOT
from tests.sweep.browser import Visit, address_of, chromium, pages_of_pdf, visit
from tests.sweep.test_verdict_page import page, workspace  # noqa: F401  (fixtures)

DEFAULT = ROOT / "docs" / "report.html"
"""The committed page of `studies/interventions.toml`."""
PHONE, SCREEN = 390, 1280
MAX_PRINTED = 6
CARDS_FIT = "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"
"""On a phone rows are cards, and no table has to be scrolled to the side."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(params=["default", "hostile"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "default":
        return DEFAULT
    made = tmp_path / "report.html"
    made.write_text(request.getfixturevalue("page"))
    return made


def violations(opened: Visit) -> list[str]:
    """What axe-core finds, as rule and place."""
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core is not installed")
    found = axe.Axe().run(opened.page)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


@pytest.mark.parametrize(("width", "scheme"), [(SCREEN, "light"), (PHONE, "dark")])
def test_it_opens_without_errors_fits_its_window_and_is_accessible(
    browser: Any,  # noqa: ANN401
    file: Path,
    width: int,
    scheme: str,
) -> None:
    with visit(browser, address_of(file), width, scheme) as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert width == SCREEN or opened.page.evaluate(CARDS_FIT)
        assert violations(opened) == []
        assert opened.messages == []
        loaded = [each for each in opened.requests if not each.startswith("data:")]
        assert loaded == [address_of(file)]


def test_the_default_study_prints_on_six_pages(browser: Any) -> None:  # noqa: ANN401
    assert DEFAULT.stat().st_size < 500_000
    with visit(browser, address_of(DEFAULT), SCREEN) as opened:
        assert 1 < pages_of_pdf(opened.page.pdf(format="A4")) <= MAX_PRINTED


def test_a_click_on_a_header_sorts_and_pointing_at_a_mark_says_what_it_is(browser: Any) -> None:  # noqa: ANN401
    with visit(browser, address_of(DEFAULT), SCREEN) as opened:
        table = opened.page.locator("table").first
        names, effect = table.locator("tbody th"), table.locator("thead button").nth(3)
        assert effect.inner_text() == "effect"
        effect.click()
        assert names.first.inner_text() == "lr-schedule"
        effect.click()
        assert names.first.inner_text() == "weight-decay-0.337"
        opened.page.locator("figure .wide svg circle").nth(12).hover(force=True)
        assert "seed" in opened.page.locator("#tip").inner_text()


def test_it_is_readable_without_scripts(browser: Any) -> None:  # noqa: ANN401
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(address_of(DEFAULT))
    assert "better" in opened.locator("table").first.inner_text()
    assert opened.locator("figure .wide svg").first.is_visible()
    context.close()
