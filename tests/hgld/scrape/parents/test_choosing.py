"""Which categories are asked about."""

import pyarrow as pa

from hgld.scrape.parents.choosing import asked_categories


def _tables(titles: dict[int, str | None], with_class: set[int]) -> tuple[pa.Table, pa.Table]:
    categories = [
        {"split": "train", "landmark_id": number, "page_title": title}
        for number, title in titles.items()
    ]
    classes = [
        {"split": "train", "landmark_id": number} for number in sorted(with_class) for _ in range(2)
    ]
    schema = pa.schema([("split", pa.string()), ("landmark_id", pa.int64())])
    named = schema.append(pa.field("page_title", pa.string()))
    return pa.Table.from_pylist(categories, named), pa.Table.from_pylist(classes, schema)


def _many(count: int, first: int = 0) -> tuple[pa.Table, pa.Table]:
    titles: dict[int, str | None] = {n: f"Category:{n}" for n in range(first, first + count)}
    return _tables(titles, set(titles))


def test_every_page_of_a_landmark_without_a_class_is_asked_about_once() -> None:
    titles = {1: "Category:B", 2: "Category:A", 3: "Category:B", 4: None, 5: "Category:C"}
    asked = asked_categories(*_tables(titles, {5}), share=0.0, at_least=0)
    assert asked.without_class == asked.all() == ["Category:A", "Category:B"]
    assert asked.sample == []


def test_a_landmark_is_told_by_its_split_too() -> None:
    categories, classes = _tables({1: "Category:A"}, {1})
    other = pa.table(
        {"split": ["index"], "landmark_id": [1], "page_title": ["Category:B"]},
        schema=categories.schema,
    )
    asked = asked_categories(pa.concat_tables([categories, other]), classes, 1.0, 0)
    assert asked.without_class == ["Category:B"]
    assert asked.sample == ["Category:A"]
    assert asked.all() == ["Category:A", "Category:B"]


def test_all_are_asked_about_where_there_are_fewer_than_the_least() -> None:
    assert len(asked_categories(*_many(99), share=0.05, at_least=100).sample) == 99
    assert len(asked_categories(*_many(101), share=0.05, at_least=100).sample) == 100


def test_a_share_of_many_is_about_that_share_and_stays_when_others_come_and_go() -> None:
    before = set(asked_categories(*_many(10_000), share=0.05, at_least=100).sample)
    assert 440 < len(before) < 560
    after = set(asked_categories(*_many(9_000, first=2_000), share=0.05, at_least=100).sample)
    both = {f"Category:{n}" for n in range(2_000, 10_000)}
    assert before & both == after & both
    assert before < set(asked_categories(*_many(10_000), share=0.1, at_least=100).sample)


def test_no_landmarks_ask_about_nothing() -> None:
    assert asked_categories(*_tables({}, set()), share=0.05, at_least=100).all() == []
