"""What a category is called, and the words of that as they are compared."""

import re
import unicodedata
from urllib.parse import unquote

_PREFIX = re.compile(r"^.*?(?:/wiki/|^)Category:", re.IGNORECASE)
# Words after which a title says where or whose, in the languages that most categories are in.
_CUT = re.compile(
    r",|\b(?:in|of|at|on|near|over|by|from|for|to|de|del|della|delle|dei|di|du|des|da|do|dos|das"
    r"|la|le|van|von|vom|zu|zum|bei|am|an|auf|im|uber|ob|na|nad|pri|w|we|v|en|i|och|el|af|til)\b"
)


def name_of_category(category: str) -> str:
    """Returns the name of a category, as Commons shows it.

    Args:
        category: its URL, percent-encoded or not, or its title with or without `Category:`.

    Example:
        >>> name_of_category("http://commons.wikimedia.org/wiki/Category:Kirche_St._Martin_(Bernau)")
        'Kirche St. Martin (Bernau)'
        >>> name_of_category("Category:%C3%8Ele de la Jatte")
        'Île de la Jatte'
        >>> name_of_category("https://commons.m.wikimedia.org/wiki/Category:Quo_vadis%3F?uselang=de")
        'Quo vadis?'
    """
    name = category.strip()
    if "/wiki/" in name:  # of an address what follows the title; in a title both may stand
        name = re.split(r"[?#]", name, maxsplit=1)[0]
    name = unquote(_PREFIX.sub("", name, count=1)).replace("_", " ")
    return unicodedata.normalize("NFC", " ".join(name.split()))


def folded(text: str) -> str:
    """Returns a text in one case and without accents; scripts stay what they are.

    Example:
        >>> folded("Église Saint-Étienne")
        'eglise saint-etienne'
    """
    text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def folded_words(text: str) -> tuple[str, ...]:
    """Returns the words of a folded text, without numbers and marks."""
    return tuple(re.findall(r"[^\W\d_]+", text))


def parts_of(name: str) -> tuple[str, list[str]]:
    """Splits a name into what stands outside parentheses, and what stands in each pair.

    Example:
        >>> parts_of("Pommern (ship, 1903)")
        ('Pommern', ['ship, 1903'])
    """
    main = re.sub(r"\([^)]*\)?", " ", name)
    return " ".join(main.split()), re.findall(r"\(([^)]*)\)", name)


def head_of(main: str) -> tuple[str, ...]:
    """Returns the words of a folded name up to where it begins to say where, or whose.

    Example:
        >>> head_of("bridges over the elbe"), head_of("chiese di roma"), head_of("in")
        (('bridges',), ('chiese',), ('in',))
    """
    words = folded_words(_CUT.split(main, maxsplit=1)[0])
    return words or folded_words(main)
