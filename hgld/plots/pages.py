"""The Jinja environment of all pages, and how numbers read in them."""

import base64
import functools
import hashlib
import math
from collections.abc import Callable

import jinja2


@functools.cache  # a run writes its page again and again: to compile it takes 0.03 s
def page_template(package: str, name: str, **filters: Callable[..., object]) -> jinja2.Template:
    """Returns the template of a page (HTML, SVG), in which every value is escaped, or of a text.

    It extends `page.html.j2`, fills the blocks `title` and `content` and, if it has any, `style`
    (CSS) and `script`. A browser runs that script and nothing else.

    Args:
        package: the one with the folder `templates` that has it; those of this room are found too.
        name: of the template.
        filters: what it uses besides `percent`, `points`, `number` and `sha256`, by name.

    Raises:
        TemplateNotFound: there is no such file.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(one) for one in (package, "hgld.plots")]),
        autoescape=jinja2.select_autoescape(["html.j2", "svg.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, points=points, number=number, sha256=_sha256, **filters
    )
    return environment.get_template(name)


def percent(value: float) -> str:
    """Writes a fraction as a percentage with one decimal; NaN as `n/a`.

    Example:
        >>> percent(0.876), percent(float("nan"))
        ('87.6', 'n/a')
    """
    return "n/a" if math.isnan(value) else f"{100 * value:.1f}"


def points(difference: float) -> str:
    """Writes a difference of fractions in percentage points, with its sign; NaN as `n/a`.

    Example:
        >>> points(0.125), points(-0.125), points(0.0)
        ('+12.5', '-12.5', '0.0')
    """
    if math.isnan(difference):
        return "n/a"
    text = f"{100 * difference:+.1f}"
    return text[1:] if text[1:] == "0.0" else text


def number(value: float) -> str:
    """Writes a number of any size with up to four digits that say something; no number as `n/a`.

    Example:
        >>> number(0.41234), number(1e-5), number(12345.6), number(1234567), number(float("nan"))
        ('0.4123', '1e-05', '12,346', '1.23e+06', 'n/a')
    """
    if not math.isfinite(value):
        return "n/a"
    if value and not 1e-3 <= abs(value) < 1e5:  # noqa: PLR2004 - what is read at a glance
        return f"{value:.3g}"
    return f"{value:,.4g}" if abs(value) < 1e3 else f"{value:,.0f}"  # noqa: PLR2004


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
