import pytest

from hgld.benchmarks.speed.labels.lists import made_up_classes, made_up_labels


def test_made_up_labels_are_distinct_and_the_same_each_time() -> None:
    labels = made_up_labels(2_000, 3)
    assert len(set(labels)) == 2_000
    assert labels == made_up_labels(2_000, 3)
    assert labels != made_up_labels(2_000, 4)
    with pytest.raises(ValueError, match="labels"):
        made_up_labels(1_000_000, 3)


def test_made_up_labels_have_the_super_categories_of_their_nouns() -> None:
    classes = made_up_classes(10_000, 3)
    assert list(classes) == made_up_labels(10_000, 3)
    assert len(set(classes.values())) == 78
    nouns = ("former ", "wooden ")
    former, wooden = ({x.removeprefix(one) for x in classes if x.startswith(one)} for one in nouns)
    assert len(former & wooden) > 100
    assert all(classes[f"former {x}"] == classes[f"wooden {x}"] for x in former & wooden)
