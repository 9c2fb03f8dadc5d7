import dataclasses
import math

from hgld.benchmarks.retrieval.metrics import Metric, best_first, cells_of, level_of, metrics_of
from hgld.benchmarks.retrieval.results import Results, Row
from hgld.engine.dataset import Level
from tests.benchmarks.retrieval.made_up import LEVELS, changed, results_of, with_mean

SHARE = Metric(key="h_ap", title="H-AP", level="all levels")
SEVERITY = Metric(
    key="mistake_severity_at_1", title="Mistake severity", level="all levels", is_share=False
)


def with_values(before: float, after: float, p_value: float = 0.01) -> Results:
    results = results_of(means=(before, after))
    return changed(results, lambda row: dataclasses.replace(row, holm_p_value=p_value))


def test_the_metrics_are_those_of_all_levels_and_then_of_each() -> None:
    metrics = metrics_of(results_of())
    assert [one.title for one in metrics[:4]] == ["H-AP", "NDCG", "ASI", "Mistake severity"]
    assert [one.key for one in metrics[4:7]] == [f"map_at_100_{one.name}" for one in LEVELS]
    assert [one.title for one in metrics[4::3]] == ["mAP@100", "R@1", "R@10"]


def test_only_the_better_method_is_marked() -> None:
    results = with_values(0.3, 0.475)
    for metric in metrics_of(results):
        before, after = cells_of(results, metric).values()
        assert (before.is_best, after.is_best) == (not metric.is_share, metric.is_share)
        assert not before.is_tied
        assert not after.is_tied
    before, after = cells_of(results, SHARE).values()
    assert (before.mean, before.error, before.interval) == ("30.0", "1.2", "[27.5, 32.5]")
    assert after.value == 0.475


def test_a_loss_is_marked_at_the_baseline() -> None:
    assert [cell.is_best for cell in cells_of(with_values(0.3, 0.1), SHARE).values()] == [
        True,
        False,
    ]


def test_equal_methods_are_not_told_apart() -> None:
    cells = cells_of(with_values(0.3, 0.3), SHARE).values()
    assert not any(cell.is_best or cell.is_tied for cell in cells)


def test_what_no_test_tells_from_the_best_is_marked_as_tied() -> None:
    results = with_values(0.47, 0.475, p_value=0.05)
    assert [cell.is_tied for cell in cells_of(results, SHARE).values()] == [True, False]
    results = with_values(0.47, 0.475, p_value=0.049)
    assert [cell.is_tied for cell in cells_of(results, SHARE).values()] == [False, False]
    results = with_values(0.47, 0.475, p_value=math.nan)  # nothing was tested
    assert [cell.is_tied for cell in cells_of(results, SHARE).values()] == [False, False]


def test_without_a_value_nothing_is_best() -> None:
    cells = cells_of(with_values(math.nan, 0.3), SHARE).values()
    assert [cell.mean for cell in cells] == ["n/a", "30.0"]
    assert not any(cell.is_best for cell in cells)


def test_numbers_are_written_in_percent_or_in_levels() -> None:
    assert (SHARE.text(0.1234), SEVERITY.text(1.234)) == ("12.3", "1.23")
    assert (SHARE.text(math.nan), SEVERITY.text(math.nan)) == ("n/a", "n/a")
    assert (SHARE.change_text(-0.02), SEVERITY.change_text(-0.02)) == ("-2.0", "-0.02")
    assert (SEVERITY.change_text(0.5), SEVERITY.change_text(-0.001)) == ("+0.50", "0.00")
    assert SEVERITY.change_text(math.nan) == "n/a"
    assert SEVERITY.goodness(0.2) > SEVERITY.goodness(0.3)


def test_an_interval_is_written_where_there_is_one() -> None:
    row = with_mean(Row(method="a", metric="h_ap"), 0.5)
    assert SHARE.interval_text(row) == "[47.5, 52.5]"
    assert SHARE.interval_text(dataclasses.replace(row, against="b")) == "[+47.5, +52.5]"
    assert SHARE.interval_text(Row(method="a", metric="h_ap", mean=0.5)) == ""


def test_a_method_without_a_value_comes_last() -> None:
    names = [one.name for one in best_first(with_values(0.3, math.nan), SHARE)]
    assert names == ["before", "after"]


def test_the_end_of_a_key_says_of_which_level_a_metric_is() -> None:
    keys = ("h_ap", "r_at_5_hierarchical_label", "mistake_severity_at_10")
    assert [level_of(key, LEVELS) for key in keys] == ["all levels", "super-category", "all levels"]
    assert level_of("ap_easy", ()) == "easy"


def shown(levels: tuple[Level, ...], recall_at: tuple[int, ...], *, on: str) -> list[str]:
    results = dataclasses.replace(results_of(), levels=levels, recall_at=recall_at, data_set=on)
    return [one.name for one in metrics_of(results)]


def test_a_data_set_has_what_papers_state_of_it() -> None:
    finest, coarse = LEVELS[0].title, LEVELS[1].title
    assert shown(LEVELS[:2], (1, 100), on="sop") == [
        *("H-AP", "NDCG", "ASI", "Mistake severity"),
        *(f"{one}, {finest}" for one in ("mAP", "mAP@R", "mAP@100", "R@1", "R@100")),
        *(f"{one}, {coarse}" for one in ("mAP", "mAP@100", "R@1")),
    ]


def test_of_one_level_mean_average_precision_leads() -> None:
    names = shown(LEVELS[:1], (1, 2, 4, 8), on="cub200")
    titles = ("mAP", "mAP@R", "mAP@100", "R@1", "R@2", "R@4", "R@8")
    assert names == [f"{one}, {LEVELS[0].title}" for one in titles]


def test_revisited_has_its_own_protocol() -> None:
    assert shown((), (1, 10), on="roxford5k") == [
        f"{title}, {difficulty}"
        for difficulty in ("medium", "hard")
        for title in ("mAP", "mP@1", "mP@5", "mP@10")
    ]
