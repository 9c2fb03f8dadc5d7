"""A guess for each landmark, how sure it is, and what a refusal teaches: this is not it."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from hgld.labels.fills import guessing
from hgld.labels.fills.explaining import why_unsure
from hgld.labels.fills.guessing import Document, Guesses, KnownLandmarks, PictureVote, trusted_from
from hgld.labels.fills.lexicon import Lexicon, name_of_category

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

LABELS = ["church", "lake", "lighthouse"]
# Words that no taxonomy has: what is known of them is learned.
WORDS = {"church": "zork", "lake": "plim", "lighthouse": "quon"}
PLACES = ["".join(each) for each in itertools.product("bdfglmnr", "aeiou", "bdfglmnr", "aeiou")]


def known_names(count: int, unclear: int = 0) -> KnownLandmarks:
    """Returns landmarks with a made-up word for their label, and some without."""
    truth = [LABELS[place % 3] for place in range(count)]
    names = [f"{PLACES[place]} {WORDS[label]}" for place, label in enumerate(truth)]
    names[count - unclear :] = PLACES[count - unclear : count]
    return KnownLandmarks(documents=named(*names), truth=truth, labels=LABELS)


def named(*names: str) -> list[Document]:
    return [Document((name,)) for name in names]


def guessed(known: KnownLandmarks, asked: list[Document], lexicon: Lexicon) -> Guesses:
    return guessing.guess(known, asked, {}, lexicon=lexicon, precision=0.9)


def labels_of(guesses: Guesses) -> list[str]:
    return [LABELS[place] for place in guesses.front]


def test_what_words_mean_is_learned_from_known_names(lexicon: Lexicon) -> None:
    asked = named("Xanadu plim", "Quon of Ys", "Zork")
    guesses = guessed(known_names(240, unclear=60), asked, lexicon)
    assert labels_of(guesses) == ["lake", "lighthouse", "church"]
    assert {method.name for method in guesses.methods} == {"words"}
    assert (guesses.confidence > 0.9).all()
    assert guessed(known_names(240, unclear=120), named("Xanadu"), lexicon).confidence[0] < 0.6


def test_without_known_names_the_taxonomy_is_all_and_nothing_is_sure(lexicon: Lexicon) -> None:
    known = KnownLandmarks(documents=[], truth=[], labels=LABELS)
    asked = named("Kirche St. Martin", "Leuchtturm Arkona", "Lago di Como")
    guesses = guessed(known, asked, lexicon)
    assert labels_of(guesses) == ["church", "lighthouse", "lake"]
    assert guesses.confidence.max() <= 0.5
    assert guesses.checks == []
    assert math.isinf(guesses.methods[0].threshold)
    assert why_unsure(0.5, guesses.methods[0], 0.9)


def test_a_label_of_no_taxonomy_and_no_known_name_is_never_guessed(lexicon: Lexicon) -> None:
    known = known_names(120, unclear=30)
    wider = replace(known, labels=[*LABELS, "zzz"])
    # Nor does a refusal teach anything of it.
    for each in (wider, taught(wider, ["Ys"], refused="zzz")):
        guesses = guessed(each, named(*PLACES[:50]), lexicon)
        assert np.isfinite(guesses.confidence).all()
        assert 3 not in guesses.front


def test_evidence_that_was_never_measured_counts_no_more_than_words(lexicon: Lexicon) -> None:
    asked = [Document(("Xanadu", "Churches in Ys")), *named("Xanadu")]
    asked.append(Document(("Xanadu plim",), PictureVote("church", 1.0, 1.0, "sure")))
    guesses = guessed(known_names(240, unclear=100), asked, lexicon)
    assert (labels_of(guesses)[0], labels_of(guesses)[2]) == ("church", "lake")
    parents, words, pictures = guesses.methods
    assert (parents.name, words.name, pictures.name) == ("words+parents", "words", "words")
    assert parents.threshold == words.threshold


def test_pictures_count_as_much_as_they_are_right(lexicon: Lexicon) -> None:
    known, confidences = known_names(240, unclear=240), list[float]()
    asked = [Document(("Xanadu",), PictureVote("lake", 0.9, 1.0, ""))]
    for right in (240, 120):
        said = [*known.truth[:right], *(LABELS[::-1] * 80)[right:240]]
        documents = [
            Document((name,), PictureVote(label, 0.9, 1.0, ""))
            for name, label in zip(PLACES, said, strict=False)
        ]
        guesses = guessed(replace(known, documents=documents), asked, lexicon)
        assert guesses.methods[0].name == "words+pictures"
        confidences.append(guesses.confidence[0])
    assert confidences[0] > confidences[1]


def test_names_of_one_text_are_held_out_together(lexicon: Lexicon) -> None:
    names = [name for name in PLACES[:100] for _ in range(2)]
    truth = [LABELS[place % 3] for place in range(100) for _ in range(2)]
    known = KnownLandmarks(documents=named(*names), truth=truth, labels=LABELS)
    checks = guessed(known, named("x"), lexicon).checks
    right = np.mean([check.guess == truth[check.row] for check in checks])
    assert right < 0.6  # a name that was seen would be right


def taught(known: KnownLandmarks, names: list[str], *, refused: str | None) -> KnownLandmarks:
    """Adds names that were refused as a label, or are known to have none."""
    count = len(known.truth)
    places = range(count, count + len(names)) if refused else ()
    return KnownLandmarks(
        documents=[*known.documents, *named(*names)],
        truth=[*known.truth, *([""] * len(names))],
        labels=known.labels,
        refused={place: frozenset({refused or ""}) for place in places},
    )


def test_a_refusal_makes_such_names_less_sure_of_that_label_only(lexicon: Lexicon) -> None:
    known, asked = known_names(240, unclear=60), named("Xanadu plim inn", "Xanadu quon inn")
    before = guessed(known, asked, lexicon)
    names = [f"{place} plim inn" for place in PLACES[300:360]]
    after = guessed(taught(known, names, refused="lake"), asked, lexicon)
    blank = guessed(taught(known, names, refused=None), asked, lexicon)
    assert labels_of(before) == ["lake", "lighthouse"]
    assert labels_of(after)[0] != "lake" or after.confidence[0] < before.confidence[0] - 0.1
    assert labels_of(after)[1] == "lighthouse"
    assert after.confidence[1] > before.confidence[1] - 0.02
    # Known to have no label, the same names take from every label.
    assert after.confidence[1] > blank.confidence[1]


def test_a_refused_guess_that_is_made_again_counts_as_wrong(lexicon: Lexicon) -> None:
    known = known_names(240)
    names = [f"{place} {word}" for word in ("plim", "zork") for place in PLACES[300:330]]
    checks = guessed(taught(known, names, refused="lake"), named("x"), lexicon).checks
    refused = [check for check in checks if check.row >= 240]
    assert {check.guess for check in refused} <= {"lake"}
    assert {check.row for check in refused} <= set(range(240, 270))
    assert len(refused) > 10


@pytest.mark.parametrize("precision", [0.5, 0.7, 0.95])
def test_the_threshold_is_the_lowest_above_which_enough_are_right(precision: float) -> None:
    random = np.random.default_rng(0)
    for count in (0, 29, *random.integers(30, 90, 200)):
        confidence = random.choice(np.linspace(0, 1, 12), count)  # many are equal
        is_right = random.random(count) < confidence**0.5
        fitting = [
            one
            for one in confidence
            if (above := is_right[confidence >= one]).mean() >= precision and len(above) >= 30
        ]
        assert trusted_from(confidence, is_right, precision) == min(fitting, default=math.inf)


def test_a_category_is_named_as_commons_shows_it() -> None:
    for category, name in (
        ("http://commons.wikimedia.org/wiki/Category:Pont_du_Gard", "Pont du Gard"),
        ("https://commons.wikimedia.org/wiki/Category:%C3%8Ele_(Brest)", "Île (Brest)"),
        ("Category:Category:Odd", "Category:Odd"),
        ("%E4bad", "\N{REPLACEMENT CHARACTER}bad"),
    ):
        assert name_of_category(category) == name


def test_any_language_is_read(lexicon: Lexicon) -> None:
    for title, label, words in (
        ("Churches in Barnim", "church", "church"),
        ("Kirche St. Martin (Bernau)", "church", "kirche"),
        ("Puentes de Sevilla", "bridge", "puente"),
        ("浅草寺", "buddhist temple", "寺"),
        ("Pommern (ship, 1903) (2)", "boat", "ship"),
    ):
        meaning = lexicon.meaning(title)
        assert meaning.said.get(label) == words
        assert any(token.endswith(f":{label}") for token in meaning.tokens)
