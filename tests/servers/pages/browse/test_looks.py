"""How the pages look: wide and narrow, light and dark and to a screen reader."""

from typing import Any

import pytest

from tests.servers.pages.browse.conftest import SETTLED, Shown
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, troubles

_WHOLE = "h1, h2, h3, .card-title, .card-counts, .facts span, .masthead a, .masthead button, .masthead input, .plain-table th, .plain-table td, .verdict p, .candidates li, .trail li, figcaption, .tags li, .reasons li, .chain dd"
_CONTROLS = ":is(.masthead a, .masthead button, .masthead input, .deed, .card, figure, .tags li)"


@pytest.mark.parametrize("shown", ["server", "large"], indirect=True)
@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_page_is_whole_and_read_by_everybody(
    shown: Shown, opener: Opener, size: dict[str, int], scheme: str
) -> None:
    view = opener("about:blank", viewport=size, color_scheme=scheme)
    problems: dict[str, Any] = {}
    for path in shown.pages:
        view.goto(f"{shown.url}/{path}")
        view.wait_for_function(SETTLED)
        problems[path] = troubles(view, whole=_WHOLE, apart=_CONTROLS)
    assert not any(problems.values()), problems
