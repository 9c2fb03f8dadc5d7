import pytest

from hgld.labels.taxonomy.phrase import fold, singular
from hgld.labels.taxonomy.rows import TaxonomyTables
from hgld.labels.taxonomy.wording import Candidate, LabelReader

# What a person finds clear, though no alias is the whole label.
_CLEAR = """
aqueduct: ancient Roman aqueduct
archeological site: Iron Age hillfort
artwork: painting by Rembrandt; public artwork
ask: Art Nouveau building; drainage basin; supreme court; tourism office
boat: Gato-class submarine; Iowa-class battleship; Liberty ship; Type VII submarine
bridge: bridge over the Danube; double-deck bridge; road bridge-tunnel; Warren truss bridge
castle / fort: medieval castle; Renaissance castle
church: Anglican or episcopal cathedral; Byzantine church; chapel of ease; former Roman Catholic
  church building; Trappist abbey
city: city with powiat rights; neighborhood of Barcelona; quarter of Berlin; special ward of
  Japan; suburb of Melbourne
gate: lock gate
house: Gründerzeit villa
ignore: aspect of history; astronomical clock; church bell; cultural heritage monument in Germany;
  district of Austria; listed building in the United Kingdom; municipality of Germany; opera
  company; parish of the Catholic Church; recurring event; rural municipality of Estonia; state of
  Germany; tennis tournament; theatre company; township of China; urban municipality of Slovenia;
  Wikimedia list article
lake: volcanic crater lake
memorial: Soviet war memorial
monastery: former priory; Greek Orthodox monastery
mountain: mountain range in Asia
museum: museum of fine arts
ocean area : bay of the Mediterranean
parks: Category II National Park; country park in Hong Kong; IUCN category II National Park;
  natural monument in the Czech Republic; nature reserve in Germany; Provincial Park in British
  Columbia; regional nature park of France; UNESCO Global Geopark; wilderness study area
rail transportation: elevated railway; steam locomotive class; tram depot
restaurant: restaurant chain
road: Formula One circuit; Interstate Highway System
school: madrasa complex; monastic school; public university in the United States; Realschule;
  Volksschule
sculpture: statue of the Virgin Mary
settlement: human settlement in Germany
shinto shrine: Shinto shrine complex
stone: chambered cairn
tower: free-standing bell tower
village: barangay of the Philippines; commune déléguée; commune nouvelle; hamlet in Czechia;
  village of Japan
"""

CLEAR = {
    what: labels.split("; ")
    for what, _, labels in (
        line.partition(": ") for line in _CLEAR.strip().replace("\n  ", " ").splitlines()
    )
}


@pytest.fixture(scope="module")
def reader(shipped_tables: TaxonomyTables) -> LabelReader:
    return LabelReader(shipped_tables)


def outcomes(reading: list[Candidate]) -> list[str]:
    return [each.hierarchical_label or each.action for each in reading]


def test_clear_labels_are_read_as_a_person_reads_them(reader: LabelReader) -> None:
    wrong = {
        label: outcomes(reader.read(label))[:1]
        for what, labels in CLEAR.items()
        for label in labels
        if outcomes(reader.read(label))[:1] != [what]
    }
    assert wrong == {}


def test_the_head_decides_and_the_modifier_is_shown(reader: LabelReader) -> None:
    best, other = reader.read("castle tunnel")
    assert (best.hierarchical_label, best.evidence) == ("underground infrastructure", "head")
    assert (other.hierarchical_label, other.evidence) == ("castle / fort", "modifier")
    assert "tunnel" in best.reason
    assert "castle" in other.reason


def test_the_longest_known_ending_wins(reader: LabelReader) -> None:
    assert outcomes(reader.read("railway museum"))[0] == "museum"
    assert outcomes(reader.read("museum railway"))[0] == "rail transportation"
    assert outcomes(reader.read("Dutch museum ship"))[0] == "boat"
    assert outcomes(reader.read("abandoned opera house"))[0] == "theatre"


def test_what_a_preposition_adds_is_the_weakest_evidence(reader: LabelReader) -> None:
    reading = reader.read("ruins of a mosque")
    assert outcomes(reading) == ["ruins", "mosque"]
    assert [each.evidence for each in reading] == ["head", "tail"]
    assert outcomes(reader.read("lighthouse in a harbor")) == ["lighthouse"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("school building", "school"),
        ("hotel building", "hotel"),
        ("monastery complex site", "monastery"),
        ("group of lakes", "lake"),
        ("part of a church", "church"),
        ("complex of buildings", "ignore"),
    ],
)
def test_a_head_of_no_kind_hands_over(reader: LabelReader, label: str, expected: str) -> None:
    assert outcomes(reader.read(label))[0] == expected


def test_a_phrase_that_holds_a_preposition_is_not_cut(reader: LabelReader) -> None:
    assert outcomes(reader.read("site of community importance in Malta")) == ["parks"]
    assert outcomes(reader.read("site in Malta")) == ["ignore"]


def test_each_of_two_equal_readings_is_told_once(reader: LabelReader) -> None:
    for label in ("church and museum", "church / museum", "church;museum"):
        assert outcomes(reader.read(label)) == ["church", "museum"]
    assert len(reader.read("church and cathedral")) == 1
    assert len(reader.read("bed and breakfast")) == 1


def test_weak_evidence_is_told_as_such_and_no_known_word_is_none(reader: LabelReader) -> None:
    assert reader.read("castle xyzzy")[0].evidence == "modifier"
    assert reader.read("temple")[0].action == "ask"
    for label in ("", "Q124830411", "xyzzy", "(1172-1954)"):
        assert reader.read(label) == []


@pytest.mark.parametrize(
    "label",
    [
        "CHURCH BUILDINGS",
        "church-building",
        "Church building (1172-1954)",
        "church building (unclosed",
        "the church building, Utrecht",
        "19 church buildings",
    ],
)
def test_case_number_and_marks_do_not_matter(reader: LabelReader, label: str) -> None:
    assert outcomes(reader.read(label)) == ["church"]


def test_folding_twice_is_folding_once() -> None:
    for text in (
        "Châteaux forts",
        "Pilgrims' ways",
        "İzmir Kalesi",
        "ガス",
        "Łódź / Gdańsk, Æ",
        "",
    ):
        words = fold(text)
        assert fold(" ".join(words)) == words
    for word in ("glass", "campus", "axis", "gas", "inn", "церкви", "christmas"):
        assert singular(word) == word


def test_spelling_and_accents_do_not_matter(reader: LabelReader) -> None:
    assert reader.read("Théâtre") == reader.read("theater") == reader.read("theatre")
    assert outcomes(reader.read("Archaeological sites")) == ["archeological site"]
    assert outcomes(reader.read("pilgrims' way")) == outcomes(reader.read("pilgrims\u2019 way"))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Dorfkirche", "church"),
        ("iglesia parroquial", "church"),
        ("Kościół parafialny", "church"),
        ("Пожарная башня", "tower"),
        ("稲荷神社", "shinto shrine"),
        ("Parc naturel régional", "parks"),
    ],
)
def test_other_languages_have_aliases(reader: LabelReader, label: str, expected: str) -> None:
    assert outcomes(reader.read(label)) == [expected]


def test_a_status_is_ignored_whatever_the_head(reader: LabelReader) -> None:
    assert outcomes(reader.read("World Heritage Site")) == ["ignore"]
    assert outcomes(reader.read("Wikimedia list of churches")) == ["ignore"]
