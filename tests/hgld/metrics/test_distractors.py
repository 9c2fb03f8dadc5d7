"""Rankings that another one changes at the head, and items behind the index that share nothing."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics import EvaluationSettings, GroundTruth, distractors, evaluate, evaluate_revisited
from tests.hgld.metrics.test_revisited import KINDS, plain_scores
from tests.worlds.plain import metrics as plain
from tests.worlds.plain.metric_cases import SETTINGS, Case, assert_same, cases, expected_of


@given(cases(), st.data(), st.sampled_from([torch.float32, torch.float64]))
@settings(deadline=None, max_examples=40)
def test_the_list_is_what_comes_first_and_then_all_else_by_similarity(
    case: Case, data: st.DataObject, dtype: torch.dtype
) -> None:
    vector = st.lists(st.integers(-2, 2), min_size=len(case.index[0]), max_size=len(case.index[0]))
    far = data.draw(st.lists(vector, max_size=6))
    everything = [*case.index, *far]
    places = st.lists(st.integers(0, len(everything) - 1), unique=True, max_size=4)
    first = [data.draw(places) for _ in case.queries]
    block = data.draw(st.integers(1, 3))
    evaluation = evaluate(
        torch.tensor(case.queries, dtype=dtype),
        torch.tensor(case.query_labels),
        torch.tensor(case.index, dtype=dtype),
        torch.tensor(case.index_labels),
        query_ids=[place if place >= 0 else 1000 + q for q, place in enumerate(case.own)],
        index_ids=range(len(case.index)),
        settings=SETTINGS,
        first=torch.tensor([[*some, -1, -1, -1, -1][:4] for some in first]),
        distractors=torch.split(
            torch.tensor(far, dtype=dtype).reshape(-1, len(case.index[0])), block
        ),
    )
    for query, some in enumerate(first):
        own = case.own[query]
        rest = plain.plain_order(case.queries[query], everything, own)
        order = [place for place in some if place != own]
        order += [place for place in rest if place not in some]
        levels = [
            plain.plain_shared(case.query_labels[query], case.index_labels[place])
            if place < len(case.index)
            else 0
            for place in order
        ]
        expected = expected_of(levels, len(case.index_labels[0]))
        actual = {key: float(values[query]) for key, values in evaluation.per_query.items()}
        assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


def drawn(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randint(-3, 4, shape, generator=generator).float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("memory", [20_000, 1 << 26])
@pytest.mark.parametrize("is_reranked", [False, True])
def test_many_in_windows_and_groups_are_as_if_they_were_index_items_of_other_labels(
    dtype: torch.dtype, memory: int, *, is_reranked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distractors, "_COLUMNS", 100)
    monkeypatch.setattr(distractors, "_LEAST_WINDOW", 400)
    generator = torch.Generator().manual_seed(0)
    queries, index, far = (drawn(generator, n, 3).to(dtype) for n in (9, 60, 1500))
    queries, index = queries / 8, index / 8  # nearer than any of these some distractors are
    labels, of_index = (drawn(generator, n, 3).long() % 2 for n in (9, 60))
    heads = torch.stack([torch.randperm(1560, generator=generator)[:50] for _ in queries])
    first = heads if is_reranked else None
    passes = []

    class Streamed:
        def __iter__(self) -> Iterator[Tensor]:
            passes.append(1)
            return iter(torch.split(far, 230))

    chosen = EvaluationSettings(recall_at=(1, 100), memory_bytes=memory)
    arguments = (queries, labels, index, of_index)
    streamed = evaluate(*arguments, settings=chosen, first=first, distractors=Streamed())
    held = torch.cat([of_index, 100 + torch.arange(1500)[:, None].expand(-1, 3)])
    arguments = (queries, labels, torch.cat([index, far]), held)
    whole = evaluate(*arguments, settings=EvaluationSettings(recall_at=(1, 100)), first=first)
    assert_same(streamed, whole)
    assert (len(passes) > 1) == (memory == 20_000)


@pytest.mark.parametrize("seed", range(2))
def test_revisited_is_the_same_with_distractors_in_the_index_and_behind_it(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    queries, index, far = (drawn(generator, n, 2) for n in (3, 12, 40))
    kind_of = {0: "easy", 5: "easy", 3: "hard", 7: "hard", 1: "junk", 11: "junk"}
    truths = [GroundTruth(easy=(0, 5), hard=(3, 7), junk=(1, 11)) for _ in queries]
    first = torch.stack([torch.randperm(52, generator=generator)[:6] for _ in queries])
    changed = first if seed % 2 else None
    blocks = torch.split(far, 7)
    streamed = evaluate_revisited(queries, index, truths, first=changed, distractors=blocks)
    whole = evaluate_revisited(queries, torch.cat([index, far]), truths, first=changed)
    assert_same(streamed, whole)
    for query in range(3):
        order = plain.plain_order(queries[query].tolist(), torch.cat([index, far]).tolist(), -1)
        head = first[query].tolist() if seed % 2 else []
        order = [*head, *(place for place in order if place not in head)]
        kinds = [kind_of.get(place, "negative") for place in order]
        expected, _ = plain_scores(kinds, *KINDS["easy"], k=1)
        assert float(streamed.per_query["ap_easy"][query]) == pytest.approx(expected, abs=1e-12)


ONE = torch.ones(1, 1)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"first": torch.tensor([[0, 0]])}, "once"),
        ({"first": torch.tensor([[-2]])}, "once"),
        ({"first": torch.tensor([0])}, "shape"),
        ({"distractors": [torch.ones(2, 2)]}, "same D"),
        ({"distractors": [torch.tensor([[torch.nan]])]}, "finite"),
        ({"distractors": [], "settings": EvaluationSettings(convention="published")}, "convention"),
    ],
)
def test_what_cannot_be_ranked_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        evaluate(ONE, ONE.long(), ONE, ONE.long(), **changes)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="int64"):
        evaluate(ONE, ONE.long(), ONE, ONE.long(), first=ONE)


def test_as_many_as_have_no_positions_left_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distractors, "_MOST_ITEMS", 4)
    evaluate(ONE, ONE.long(), ONE, ONE.long(), distractors=[ONE, ONE])
    with pytest.raises(ValueError, match="fewer than 4"):
        evaluate(ONE, ONE.long(), ONE, ONE.long(), distractors=[ONE, ONE, ONE])


def test_positions_beyond_single_precision_stay_in_their_order() -> None:
    # A hundred thousand listed items each have a place of their own in front of the others.
    count = 1 << 17
    index = torch.arange(count, dtype=torch.float32)[:, None] / count
    first = torch.arange(count - 2)[None]
    labels = torch.ones(count, 1).long()
    labels[[0, count - 3, count - 2, count - 1]] = 0
    found = evaluate(ONE, 0 * ONE.long(), index, labels, first=first)
    ranks = [1, count - 2, count - 1, count]  # of the last two the nearer one is last of the index
    expected = sum((n + 1) / rank for n, rank in enumerate(ranks)) / 4
    assert found.means()["ap_level0"] == pytest.approx(expected, abs=1e-12)
