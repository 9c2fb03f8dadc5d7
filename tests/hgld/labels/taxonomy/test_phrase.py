from hgld.labels.taxonomy.phrase import alternatives, fold, head_and_tail, singular


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


def test_a_singular_stays() -> None:
    for word in ("glass", "campus", "axis", "gas", "inn", "церкви", "christmas"):
        assert singular(word) == word


def test_a_first_word_is_never_cut_off() -> None:
    assert head_and_tail(("near", "of", "x")) == (("near",), ("x",))
    assert head_and_tail(()) == ((), ())


def test_only_of_leaves_a_tail() -> None:
    assert head_and_tail(("mine", "for", "gold")) == (("mine",), ())
    assert head_and_tail(("mine", ",", "gold")) == (("mine",), ())


def test_empty_alternatives_are_dropped() -> None:
    assert alternatives(("and", "church", "or", "/", "museum", "and")) == [("church",), ("museum",)]
    assert alternatives(()) == []
