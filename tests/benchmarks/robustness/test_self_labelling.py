"""Self-labelling: no target label trains or chooses, and each choice has its own settings."""

import dataclasses

import numpy as np
import pytest

from hgld.benchmarks.robustness import self_labelling
from hgld.benchmarks.robustness.networks import is_right
from hgld.benchmarks.robustness.rows import RowTable, UnfitRowsError, table_of_columns
from tests.benchmarks.robustness.conftest import made_columns

pytestmark = pytest.mark.usefixtures("quick")


def test_the_source_is_split_and_the_target_is_whole(table: RowTable) -> None:
    domains = self_labelling.split_source(table, 0)
    assert len(domains.fitted) == pytest.approx(192 / 2, abs=6)
    assert len(domains.fitted) + len(domains.kept_out) + len(domains.validation) == 192
    assert (len(domains.target), len(domains.measured)) == (48, 36)


def test_rows_of_one_round_are_kept_by_share_and_none_is_labelled_by_its_truth(
    table: RowTable,
) -> None:
    domains = self_labelling.split_source(table, 0)
    blind = dataclasses.replace(domains.target, labels=np.zeros(48, np.int64))
    for choice in (self_labelling.PROBABILITY, self_labelling.CONDA):
        first, second = (
            next(self_labelling.adaptation_rounds(one, choice, 0.5, 0.1, 0))
            for one in (domains, domains._replace(target=blind))
        )
        assert len(first.kept) == 24
        assert (first.kept == second.kept).all()
        assert (first.labels == second.labels).all()
    assert (
        len(next(self_labelling.adaptation_rounds(domains, self_labelling.ALL, 1.0, 0.0, 0)).kept)
        == 48
    )


def test_each_choice_has_settings_that_leave_most_of_the_source_right(
    table: RowTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_labelling, "SHARES", (0.25, 0.75))
    domains = self_labelling.split_source(table, 0)
    step, words = self_labelling.choose_rounds(domains, self_labelling.CONDA, 0)
    assert words.split(", ")[0] in {"share 0.25", "share 0.75"}
    assert "weight" in words
    best = is_right(step.model, domains.validation).mean()
    for share in (0.25, 0.75):
        for weight in self_labelling.WEIGHTS:
            other = next(
                self_labelling.adaptation_rounds(domains, self_labelling.CONDA, share, weight, 0)
            )
            assert best >= is_right(other.model, domains.validation).mean()


def test_sources_without_labels_in_common_are_refused() -> None:
    columns = made_columns()
    others = columns["split"] == "index"
    columns["label"][others] = [f"other {label}" for label in columns["label"][others]]
    columns["group"][others] = [f"other {group}" for group in columns["group"][others]]
    with pytest.raises(UnfitRowsError, match="labels"):
        self_labelling.split_source(table_of_columns(columns, "made", "a test"), 0)
