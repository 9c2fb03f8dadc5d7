from hgld.benchmarks.speed.labels.embed import label_texts


def test_the_phrases_of_the_taxonomy_are_drawn_under_the_default_prompt() -> None:
    texts = label_texts(None, 50, seed=1)
    assert len(set(texts)) == 50
    assert all(text.startswith("A picture of a ") for text in texts)
    assert texts != label_texts(None, 50, seed=2)
