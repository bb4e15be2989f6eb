"""A Chromium for all tests of this folder."""

from __future__ import annotations

import pytest

from browser_tests.browser import Browser, NoBrowser


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Browser:
    """Without Chromium the tests fail: whoever asks for them wants to know."""
    try:
        return Browser.find(tmp_path_factory.mktemp("chromium"))
    except NoBrowser as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)
