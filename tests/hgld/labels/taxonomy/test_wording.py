import pytest

from hgld.labels.taxonomy.phrase import fold, singular
from hgld.labels.taxonomy.rows import TaxonomyTables
from hgld.labels.taxonomy.wording import Candidate, LabelReader

# What a person finds clear, though no alias is the whole label.
_CLEAR = """
archeological site: Iron Age hillfort; Archaeological sites
ask: Art Nouveau building; supreme court; temple; tourism office
boat: Gato-class submarine; Iowa-class battleship; Type VII submarine; Dutch museum ship
bridge: bridge over the Danube; double-deck bridge; road bridge-tunnel
church: Anglican or episcopal cathedral; chapel of ease; former Roman Catholic church building;
  part of a church; CHURCH BUILDINGS; church-building; Church building (1172-1954);
  church building (unclosed; the church building, Utrecht; 19 church buildings; Dorfkirche;
  iglesia parroquial; Kościół parafialny
ignore: aspect of history; church bell; cultural heritage monument in Germany; opera company;
  complex of buildings; parish of the Catholic Church; site in Malta; tennis tournament;
  World Heritage Site; Wikimedia list of churches
museum: museum of fine arts; railway museum
ocean area : bay of the Mediterranean
parks: IUCN category II National Park; Provincial Park in British Columbia; UNESCO Global Geopark;
  natural monument in the Czech Republic; site of community importance in Malta;
  Parc naturel régional
rail transportation: elevated railway; steam locomotive class; museum railway
school: madrasa complex; public university in the United States; Volksschule; school building
shinto shrine: Shinto shrine complex; 稲荷神社
theatre: abandoned opera house
tower: free-standing bell tower; Пожарная башня
"""

CLEAR = {
    label: what
    for line in _CLEAR.strip().replace("\n  ", " ").splitlines()
    for what, _, labels in [line.partition(": ")]
    for label in labels.split("; ")
}


@pytest.fixture(scope="module")
def reader(shipped_tables: TaxonomyTables) -> LabelReader:
    return LabelReader(shipped_tables)


def outcomes(reading: list[Candidate]) -> list[str]:
    return [each.hierarchical_label or each.action for each in reading]


def test_clear_labels_are_read_as_a_person_reads_them(reader: LabelReader) -> None:
    first = {label: (outcomes(reader.read(label)) or ["nothing"])[0] for label in CLEAR}
    assert {label: what for label, what in first.items() if what != CLEAR[label]} == {}


def test_the_head_decides_and_the_modifier_is_shown(reader: LabelReader) -> None:
    best, other = reader.read("castle tunnel")
    assert (best.hierarchical_label, best.evidence) == ("underground infrastructure", "head")
    assert (other.hierarchical_label, other.evidence) == ("castle / fort", "modifier")
    assert "tunnel" in best.reason
    assert "castle" in other.reason


def test_what_a_preposition_adds_is_the_weakest_evidence_or_none(reader: LabelReader) -> None:
    reading = reader.read("ruins of a mosque")
    assert outcomes(reading) == ["ruins", "mosque"]
    assert [each.evidence for each in reading] == ["head", "tail"]
    for label, alone in (
        ("lighthouse in a harbor", "lighthouse"),
        ("Wikimedia list of churches", "ignore"),  # a status is ignored whatever the head
    ):
        assert outcomes(reader.read(label)) == [alone]


def test_each_of_two_equal_readings_is_told_once(reader: LabelReader) -> None:
    for label in ("church and museum", "church / museum", "church;museum"):
        assert outcomes(reader.read(label)) == ["church", "museum"]
    assert len(reader.read("church and cathedral")) == 1
    assert len(reader.read("bed and breakfast")) == 1


def test_weak_evidence_is_told_as_such_and_no_known_word_is_none(reader: LabelReader) -> None:
    assert reader.read("castle xyzzy")[0].evidence == "modifier"
    for label in ("", "Q124830411", "xyzzy", "(1172-1954)"):
        assert reader.read(label) == []


def test_spelling_and_accents_do_not_matter(reader: LabelReader) -> None:
    assert reader.read("Théâtre") == reader.read("theater") == reader.read("theatre")
    assert outcomes(reader.read("pilgrims' way")) == outcomes(reader.read("pilgrims\u2019 way"))


def test_folding_twice_is_folding_once() -> None:
    for text in ("Châteaux forts", "Pilgrims' ways", "İzmir Kalesi", "ガス", "Łódź / Gdańsk, Æ"):
        assert fold(" ".join(fold(text))) == fold(text)
    for word in ("glass", "campus", "axis", "gas", "inn", "церкви", "christmas"):
        assert singular(word) == word
