"""What the pages of the benchmarks share: how they are rendered, numbers, the names of landmarks.

Every page is one file that asks no server for anything, and looks like the others.
"""

import math
from collections.abc import Callable

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from hgld.scrape.wikimedia.titles import title_of_url


def page_template(package: str, name: str, **filters: Callable[..., object]) -> Template:
    """Returns the template of a page, in which every value is escaped.

    Args:
        package: whose folder `templates` has it; what pages share is in that of this module.
        name: of the template.
        filters: what it uses beside `percent` and `points`, by name.

    Returns:
        The template.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("hgld.benchmarks.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, points=points, **filters)
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


def category_name(url: str) -> str:
    """Returns a category as a reader sees it; what is no address of one stays as it is.

    Example:
        >>> category_name("http://commons.wikimedia.org/wiki/Category:Crespi_d'Adda")
        "Crespi d'Adda"
    """
    try:
        return title_of_url(url).removeprefix("Category:")
    except ValueError:
        return url
