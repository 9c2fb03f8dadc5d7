"""Names and addresses of what stands on Commons and Wikidata."""

from urllib.parse import quote, unquote

_COMMONS = "https://commons.wikimedia.org/wiki/Category:"
_NO_QID = 10**15  # numbers from here on stand for labels without a Q-id (a bare list)


def landmark_name(category: str) -> str:
    """Returns the name of a landmark by its Commons category.

    Example:
        >>> landmark_name("http://commons.wikimedia.org/wiki/Category:Ch%C3%A2teau_de_Foix")
        'Château de Foix'
    """
    name = category.rpartition("Category:")[2]
    return unquote(name).replace("_", " ").strip()


def category_url(category: str) -> str:
    """Returns the address of a Commons category, or of an item; nowhere else, whatever it says.

    Example:
        >>> category_url("http://commons.wikimedia.org/wiki/Category:Lac_d'Annecy")
        "https://commons.wikimedia.org/wiki/Category:Lac_d'Annecy"
        >>> category_url("javascript:alert(1)")
        'https://commons.wikimedia.org/wiki/Category:javascript%3Aalert(1)'
        >>> category_url("Q12418")
        'https://www.wikidata.org/wiki/Q12418'
    """
    name = landmark_name(category).replace(" ", "_")
    return wikidata_url(category) or _COMMONS + quote(name, safe="'(),!*/")


def wikidata_url(qid: str) -> str:
    """Returns where an item or class stands; empty for what has no Q-id.

    Example:
        >>> wikidata_url("Q23397"), wikidata_url("Q1000000000000007")
        ('https://www.wikidata.org/wiki/Q23397', '')
    """
    number = qid[1:]
    is_known = qid[:1] == "Q" and number.isascii() and number.isdigit() and int(number) < _NO_QID
    return f"https://www.wikidata.org/wiki/{qid}" if is_known else ""
