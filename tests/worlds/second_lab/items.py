"""Items: merges, main topics, ranks, unknown values and labels.

The right classes are those that `wdt:` has in Wikidata's RDF.
"""

from collections.abc import Iterator

from tests.worlds.second_lab.files import PLAIN, WIKI, Trap

LABELS = {
    "Q20": {"en": "castle", "mul": "Burg", "de": "Burg"},
    "Q21": {"mul": "Kastell"},
    "Q22": {"de": "Nur auf Deutsch", "en-gb": "only in British English"},
    "Q23": {"en": 'odd <b>"label"</b> \\ | =1+1, \u202eabc\u202c \U0001f3f0 e\u0301'},
    "Q24": {"en": "castle"},
    "Q100000000123": {"en": "a late class"},
    "Q9": {"en": "an early class"},
    "Q31": {"en": "what two were merged into"},
    "Q4167836": {"en": "Wikimedia category"},
}
"""Class to language to label. Q25 has none, and Q30 and Q32 are redirects."""


def item_traps() -> Iterator[Trap]:
    for number, (name, (facts, qid, classes)) in enumerate(_ITEMS.items(), start=1):
        title = f"Category:Item {number}"
        yield Trap(
            name=f"item: {name}",
            url=WIKI + title.replace(" ", "_"),
            status="ok" if classes else "no_p31",
            title=title,
            qid=qid,
            classes=tuple(classes.split()),
            pages={title: PLAIN},
            items={title: next(iter(facts), qid)},
            facts=facts,
        )


_ITEMS: dict[str, tuple[dict[str, str], str, str]] = {
    # Merges
    "merged twice": (
        {"Q2000": "=Q2001", "Q2001": "=Q2002", "Q2002": "P31:Q20"},
        "Q2002",
        "Q20",
    ),
    "merged into a category item with a topic": (
        {"Q2010": "=Q2011", "Q2011": "P31:Q4167836 P301:Q2012", "Q2012": "P31:Q20"},
        "Q2012",
        "Q20",
    ),
    "merged into an item that is lost": ({"Q2015": "=Q2016"}, "Q2016", ""),
    "lost": ({}, "Q2017", ""),
    "a late number": ({"Q9999999999": "P31:Q20"}, "Q9999999999", "Q20"),
    # Main topics
    "topic merged": (
        {"Q2020": "P31:Q4167836 P301:Q2021", "Q2021": "=Q2022", "Q2022": "P31:Q20"},
        "Q2022",
        "Q20",
    ),
    "topic merged twice": (
        {
            "Q2025": "P31:Q4167836 P301:Q2026",
            "Q2026": "=Q2027",
            "Q2027": "=Q2028",
            "Q2028": "P31:Q20",
        },
        "Q2028",
        "Q20",
    ),
    "topic preferred beside normal": (
        {"Q2030": "P31:Q4167836 P301:Q2031 P301:Q2032+", "Q2031": "P31:Q9", "Q2032": "P31:Q20"},
        "Q2032",
        "Q20",
    ),
    "topic deprecated beside normal": (
        {"Q2035": "P31:Q4167836 P301:Q2036- P301:Q2037", "Q2036": "P31:Q9", "Q2037": "P31:Q20"},
        "Q2037",
        "Q20",
    ),
    "topic deprecated": (
        {"Q2040": "P31:Q4167836 P301:Q2041-", "Q2041": "P31:Q20"},
        "Q2040",
        "",
    ),
    "topic unknown": ({"Q2043": "P31:Q4167836 P301:some"}, "Q2043", ""),
    "topic: preferred unknown beside normal": (
        {"Q2045": "P31:Q4167836 P301:Q2046 P301:some+", "Q2046": "P31:Q20"},
        "Q2045",
        "",
    ),
    "topic: no value": ({"Q2048": "P31:Q4167836 P301:no"}, "Q2048", ""),
    "topic with no class": (
        {"Q2050": "P31:Q4167836 P301:Q2051", "Q2051": "P279:Q20"},
        "Q2051",
        "",
    ),
    "topic with an unknown class": (
        {"Q2053": "P31:Q4167836 P301:Q2054", "Q2054": "P31:some"},
        "Q2054",
        "",
    ),
    "topic lost": ({"Q2056": "P31:Q4167836 P301:Q2057"}, "Q2057", ""),
    "topic is itself": ({"Q2058": "P31:Q4167836 P301:Q2058"}, "Q2058", ""),
    "topic that has another page too": (
        {"Q2060": "P31:Q4167836 P301:Q2061", "Q2061": "P31:Q20 P301:Q2060"},
        "Q2061",
        "Q20",
    ),
    "category preferred beside another class": (
        {"Q2065": "P31:Q20 P31:Q4167836+ P301:Q2066", "Q2066": "P31:Q9"},
        "Q2066",
        "Q9",
    ),
    "category among other classes": (
        {"Q2068": "P31:Q20 P31:Q4167836 P301:Q2069", "Q2069": "P31:Q9"},
        "Q2069",
        "Q9",
    ),
    "category deprecated": (
        {"Q2070": "P31:Q4167836- P31:Q20 P301:Q2071", "Q2071": "P31:Q9"},
        "Q2070",
        "Q20",
    ),
    "a topic, and no category": (
        {"Q2073": "P31:Q20 P301:Q2074", "Q2074": "P31:Q9"},
        "Q2073",
        "Q20",
    ),
    # Ranks and values
    "preferred twice": ({"Q2100": "P31:Q20+ P31:Q23 P31:Q9+"}, "Q2100", "Q9 Q20"),
    "all deprecated": ({"Q2101": "P31:Q20- P31:Q9-"}, "Q2101", ""),
    "deprecated beside normal": ({"Q2102": "P31:Q20- P31:Q9"}, "Q2102", "Q9"),
    "deprecated and preferred": ({"Q2103": "P31:Q20- P31:Q9+"}, "Q2103", "Q9"),
    "preferred unknown beside normal": ({"Q2104": "P31:some+ P31:Q20"}, "Q2104", ""),
    "preferred unknown beside preferred": ({"Q2105": "P31:some+ P31:Q20+"}, "Q2105", "Q20"),
    "unknown beside normal": ({"Q2106": "P31:some P31:Q20"}, "Q2106", "Q20"),
    "unknown beside preferred": ({"Q2107": "P31:some P31:Q20+"}, "Q2107", "Q20"),
    "unknown deprecated": ({"Q2108": "P31:some- P31:Q20"}, "Q2108", "Q20"),
    "unknown twice": ({"Q2109": "P31:some P31:some"}, "Q2109", ""),
    "no value": ({"Q2110": "P31:no"}, "Q2110", ""),
    "preferred no value beside normal": ({"Q2111": "P31:no+ P31:Q20"}, "Q2111", ""),
    "no value beside normal": ({"Q2112": "P31:no P31:Q20"}, "Q2112", "Q20"),
    "no statement": ({"Q2113": "P279:Q20"}, "Q2113", ""),
    "one class twice": ({"Q2114": "P31:Q20 P31:Q20"}, "Q2114", "Q20"),
    "one class in two ranks": ({"Q2115": "P31:Q20 P31:Q20+"}, "Q2115", "Q20"),
    "one class deprecated and normal": ({"Q2116": "P31:Q20- P31:Q20"}, "Q2116", "Q20"),
    "classes out of order": (
        {"Q2117": "P31:Q100000000123 P31:Q20 P31:Q9"},
        "Q2117",
        "Q9 Q20 Q100000000123",
    ),
    "a class of itself": ({"Q2118": "P31:Q2118"}, "Q2118", "Q2118"),
    # Classes and labels
    "class merged": ({"Q2120": "P31:Q30", "Q30": "=Q31"}, "Q2120", "Q31"),
    "class merged twice": ({"Q2121": "P31:Q32", "Q32": "=Q30", "Q30": "=Q31"}, "Q2121", "Q31"),
    "classes merged into one": (
        {"Q2122": "P31:Q31 P31:Q30 P31:Q32", "Q32": "=Q30", "Q30": "=Q31"},
        "Q2122",
        "Q31",
    ),
    "class lost": ({"Q2123": "P31:Q25"}, "Q2123", "Q25"),
    "label in mul": ({"Q2124": "P31:Q21"}, "Q2124", "Q21"),
    "label in other languages": ({"Q2125": "P31:Q22"}, "Q2125", "Q22"),
    "label with odd characters": ({"Q2126": "P31:Q23"}, "Q2126", "Q23"),
    "two classes with one label": ({"Q2127": "P31:Q20 P31:Q24"}, "Q2127", "Q20 Q24"),
}
"""Name to (Q-id to facts, the page's item first; item of the landmark; its classes)."""
