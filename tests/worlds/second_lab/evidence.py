"""What classes are called elsewhere: ranks, unknown values, odd text and odd URLs.

The right values are those that `wdt:` has in Wikidata's RDF.
"""

from collections.abc import Iterator
from urllib.parse import quote

from tests.worlds.second_lab.files import PLAIN, WIKI, Trap

_ODD = 'Tag:a="b c" \\ | =1+1, <i>\u202eabc\u202c \U0001f3f0 e\u0301'
_TAG, _OTHER = "Tag:historic=castle", "Key:fort"
_URL = "http://dbpedia.org/ontology/Castle"


def evidence_traps() -> Iterator[Trap]:
    """One landmark each, of a class of its own, which is the last that the facts tell of."""
    for number, (name, (facts, _)) in enumerate(_CLASSES.items(), start=1):
        title, qid = f"Category:Evidence {number}", f"Q{7000 + number}"
        yield Trap(
            name=f"evidence: {name}",
            url=WIKI + title.replace(" ", "_"),
            title=title,
            qid=qid,
            classes=(list(facts)[-1],),
            pages={title: PLAIN},
            items={title: qid},
            facts={qid: f"P31:{next(iter(facts))}", **facts},
        )


def evidence_key() -> set[tuple[str, str, str]]:
    """Returns the class, property and value of every row."""
    return {(list(facts)[-1], *pair) for facts, pairs in _CLASSES.values() for pair in pairs}


_CLASSES: dict[str, tuple[dict[str, str], tuple[tuple[str, str], ...]]] = {
    "none": ({"Q600": ""}, ()),
    "several": (
        {
            "Q601": f"P1282:{_TAG} P1282:{_OTHER} P8814:00001740-n P1709:{_URL} "
            "P1709:https://schema.org/LandmarksOrHistoricalBuildings"
        },
        (
            ("P1282", _OTHER),
            ("P1282", _TAG),
            ("P1709", _URL),
            ("P1709", "https://schema.org/LandmarksOrHistoricalBuildings"),
            ("P8814", "00001740-n"),
        ),
    ),
    "preferred beside normal": (
        {"Q602": f"P1282:{_TAG}+ P1282:{_OTHER} P1709:{_URL}"},
        (("P1282", _TAG), ("P1709", _URL)),
    ),
    "deprecated beside normal": ({"Q603": f"P1282:{_TAG}- P1282:{_OTHER}"}, (("P1282", _OTHER),)),
    "all deprecated": ({"Q604": f"P1282:{_TAG}- P1709:{_URL}- P8814:00001740-n-"}, ()),
    "unknown": ({"Q605": "P1282:some P1709:some P8814:some"}, ()),
    "preferred unknown beside normal": ({"Q606": f"P1709:{_URL} P1709:some+"}, ()),
    "unknown beside normal": ({"Q607": f"P1709:{_URL} P1709:some"}, (("P1709", _URL),)),
    "no value": ({"Q608": "P1282:no P1709:no"}, ()),
    "preferred no value beside normal": ({"Q609": f"P1282:{_TAG} P1282:no+"}, ()),
    "one value twice": ({"Q610": f"P1282:{_TAG} P1282:{_TAG}"}, (("P1282", _TAG),)),
    "one value in two ranks": ({"Q611": f"P1282:{_TAG} P1282:{_TAG}+"}, (("P1282", _TAG),)),
    "odd text": ({"Q612": f"P1282:{quote(_ODD)}"}, (("P1282", _ODD),)),
    "text that looks like a Q-id": ({"Q613": f"P8814:Q{1 << 70}"}, (("P8814", f"Q{1 << 70}"),)),
    "text of a URL": ({"Q614": f"P1282:{quote(_URL)}"}, (("P1282", _URL),)),
    "no http URL": (
        {"Q615": "P1709:urn:x-odd:castle P1709:mailto:a@example.org P1709:ftp://example.org/a"},
        (
            ("P1709", "ftp://example.org/a"),
            ("P1709", "mailto:a@example.org"),
            ("P1709", "urn:x-odd:castle"),
        ),
    ),
    "odd URL": (
        {"Q616": "P1709:http://example.org/%C3%A9/\u00e9?a=b&c='d'#e,f(g)"},
        (("P1709", "http://example.org/%C3%A9/\u00e9?a=b&c='d'#e,f(g)"),),
    ),
    "URL of an entity": (
        {"Q617": "P1709:http://www.wikidata.org/entity/Q20"},
        (("P1709", "http://www.wikidata.org/entity/Q20"),),
    ),
    "unknown as a URI": (
        {"Q618": "P1709:http://www.wikidata.org/.well-known/genid/0a P1282:some"},
        (),
    ),
    "class merged": ({"Q619": "=Q620", "Q620": f"P1282:{_TAG}"}, (("P1282", _TAG),)),
    "a class of classes": ({"Q621": f"P279:Q20 P1282:{_TAG}"}, (("P1282", _TAG),)),
}
"""Name to (class to facts, the landmark's first; the property and value of each row)."""
