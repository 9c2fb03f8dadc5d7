import pytest

from hgld.labels.fills.lexicon import Lexicon, name_of_category


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("http://commons.wikimedia.org/wiki/Category:Pont_du_Gard", "Pont du Gard"),
        ("https://commons.wikimedia.org/wiki/Category:%C3%8Ele_(Brest)", "Île (Brest)"),
        ("Category:Category:Odd", "Category:Odd"),
        ("Mini-Europe", "Mini-Europe"),
        ("  ", ""),
        ("%E4bad", "\N{REPLACEMENT CHARACTER}bad"),
    ],
)
def test_a_category_is_named_as_commons_shows_it(category: str, name: str) -> None:
    assert name_of_category(category) == name


@pytest.mark.parametrize(
    ("title", "label", "words"),
    [
        ("Churches in Barnim", "church", "church"),
        ("Kirche St. Martin (Bernau)", "church", "kirche"),
        ("Ponts sur la Seine", "bridge", "pont"),
        ("Puentes de Sevilla", "bridge", "puente"),
        ("浅草寺", "buddhist temple", "寺"),
        ("Pommern (ship, 1903) (2)", "boat", "ship"),
    ],
)
def test_any_language_is_read(lexicon: Lexicon, title: str, label: str, words: str) -> None:
    meaning = lexicon.meaning(title)
    assert meaning.said.get(label) == words
    assert any(token.endswith(f":{label}") for token in meaning.tokens)
