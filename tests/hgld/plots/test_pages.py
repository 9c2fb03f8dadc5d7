"""A page is whole in one file, escapes every text, and runs no script but its own."""

import base64
import hashlib
import re

from markupsafe import Markup

from hgld.plots.chart import Chart, draw
from hgld.plots.marks import Dot, dots_plot, heat_table
from hgld.plots.pages import page_template, percent
from tests.worlds.pages.reading import PageReader

EVIL = "<script>alert('x')</script> & Co"


def page(script: str = "") -> str:
    lines = {EVIL: ([1, 2, 3], [0.1, 0.2, 0.3])}
    dots = [Dot(name=EVIL, value=0.5, low=0.4, high=0.6, text="50", interval="[40, 60]", note=EVIL)]
    return page_template("tests.hgld.plots", "toy.html.j2").render(
        name=EVIL,
        dots=dots_plot(dots, percent),
        gains=dots_plot(dots, percent, is_change=True),
        curves=draw(Chart(title=EVIL, about=EVIL, lines=lines, x_title=EVIL)),
        heat=heat_table([[3, 1, 0], [0, 2, 0]], [EVIL, "lake"]),
        script=Markup(script),  # noqa: S704 - what the test wrote
    )


def test_all_plots_are_drawn_and_every_text_is_escaped() -> None:
    read = PageReader(page())
    seen = [tag for tag, _ in read.tags]
    assert "script" not in seen
    assert read.text.count(EVIL) > 8
    assert seen.count("figure") == 1
    assert seen.count("circle") == 3  # the values of a short curve
    assert seen.count("rect") == 1


def test_it_may_load_nothing_and_run_only_its_own_script() -> None:
    html = page("const a = '{{ <b>';\n")
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
    assert f"{policy}'sha256-{digest}'" in html
    assert "script-src" not in page()
    assert not re.search(r"(?:src|href|url\()\W*https?:", html)
