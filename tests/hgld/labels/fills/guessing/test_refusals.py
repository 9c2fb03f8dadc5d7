"""What a refusal teaches: that a landmark is not this, and nothing else."""

import numpy as np
import pytest

from hgld.labels.fills.guessing.combining import Guesses, guess
from hgld.labels.fills.guessing.lexicon import Lexicon
from hgld.labels.fills.guessing.subjects import KnownLandmarks, Subjects
from tests.hgld.labels.fills.guessing.test_combining import LABELS, PLACES, known_names

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def guessed(known: KnownLandmarks, names: list[str], lexicon: Lexicon) -> Guesses:
    subjects = Subjects(names=names)
    return guess(known, subjects, {}, lexicon=lexicon, precision=0.9, say=lambda _: None)


def taught(known: KnownLandmarks, names: list[str], *, refused: str | None) -> KnownLandmarks:
    """Adds names that were refused as a label, or are known to have none."""
    count = len(known.truth)
    places = range(count, count + len(names)) if refused else ()
    return KnownLandmarks(
        subjects=Subjects(names=[*known.subjects.names, *names]),
        truth=[*known.truth, *([""] * len(names))],
        labels=known.labels,
        refused={place: frozenset({refused or ""}) for place in places},
    )


def test_names_like_a_refused_one_are_less_sure_of_that_label_and_of_no_other(
    lexicon: Lexicon,
) -> None:
    known, asked = known_names(240, unclear=60), ["Xanadu plim inn", "Xanadu quon inn"]
    before = guessed(known, asked, lexicon)
    names = [f"{place} plim inn" for place in PLACES[300:360]]
    after = guessed(taught(known, names, refused="lake"), asked, lexicon)
    blank = guessed(taught(known, names, refused=None), asked, lexicon)
    lighthouse = LABELS.index("lighthouse")
    assert [LABELS[place] for place in before.front] == ["lake", "lighthouse"]
    lake = [each.confidence[0] if each.front[0] == 1 else 0.0 for each in (before, after)]
    assert lake[1] < lake[0] - 0.1
    assert after.front[1] == lighthouse
    assert after.confidence[1] > before.confidence[1] - 0.02
    # Known to have no label, the same names take from every label.
    assert after.confidence[1] > blank.confidence[1]


def test_a_refused_guess_that_is_made_again_counts_as_wrong_and_any_other_as_unknown(
    lexicon: Lexicon,
) -> None:
    known = known_names(240)
    names = [f"{place} plim" for place in PLACES[300:330]]
    names += [f"{place} zork" for place in PLACES[330:360]]
    checks = guessed(taught(known, names, refused="lake"), ["x"], lexicon).checks
    refused = [check for check in checks if check.row >= 240]
    assert {check.guess for check in refused} <= {"lake"}
    assert {check.row for check in refused} <= set(range(240, 270))
    assert len(refused) > 10
    assert len(checks) == 240 + len(refused)


def test_a_refusal_where_only_one_label_is_known_tells_the_two_apart(lexicon: Lexicon) -> None:
    truth = ["lake"] * 90
    names = [f"{place} plim" for place in PLACES[:90]]
    known = KnownLandmarks(subjects=Subjects(names=names), truth=truth, labels=["lake"])
    others = [f"{place} frob" for place in PLACES[300:360]]
    found = guessed(taught(known, others, refused="lake"), ["Ys plim", "Ys frob"], lexicon)
    assert found.confidence[0] > 0.9
    assert found.confidence[1] < 0.5


def test_of_labels_that_nothing_is_known_of_a_refusal_teaches_nothing(lexicon: Lexicon) -> None:
    known = known_names(120)
    wider = KnownLandmarks(subjects=known.subjects, truth=known.truth, labels=[*LABELS, "zzz"])
    one = guessed(taught(wider, ["Ys"], refused="zzz"), ["Ys plim"], lexicon)
    assert np.isfinite(one.confidence).all()
    assert LABELS[one.front[0]] == "lake"
