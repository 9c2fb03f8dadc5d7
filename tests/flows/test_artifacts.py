"""What a Prefect run is to leave on its page, made without a server."""

import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.benchmark_builds import HOSTILE

ArtifactsOf = Callable[[UUID | None], dict[str, str]]


def rows_of(markdown: str) -> list[list[str]]:
    """Returns the cells of the tables, without the headers' rules."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if set(row) != {"---"}]


def test_text_of_others_is_shown_as_it_is() -> None:
    from hgld.flows.artifacts import escape

    assert escape("a|b\nc") == r"a\|b c"
    assert escape("[x](http://y) ![z](y) <b> *a* _b_ `c` \\") == (
        r"\[x\](http\://y) \!\[z\](y) \<b\> \*a\* \_b\_ \`c\` " + "\\\\"
    )
    assert escape("WWW.a.org me@b.org &lt; # 1.5 %") == r"WWW\.a.org me\@b.org \&lt; \# 1.5 %"
    assert "\u202e" not in escape(HOSTILE)
    assert "<" not in escape(HOSTILE).replace(r"\<", "")


def test_an_agreement_leaves_its_measures_and_the_place_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hgld.benchmarks.labels.agreement.config import AgreeConfig
    from hgld.benchmarks.labels.agreement.report import MEASURES
    from hgld.benchmarks.labels.agreement.stage import run_agree
    from hgld.flows import artifacts
    from hgld.flows.build import (
        load_step,
    )
    from tests.benchmarks.labels.agreement.worlds import write_labels

    official, ours = (
        write_labels(tmp_path / f"{name}_train.csv", labels)
        for name, labels in (("official", {1: "lake", 2: HOSTILE}), ("ours", {1: "lake", 2: None}))
    )
    workspace = Workspace(tmp_path / "build")
    pages: list[str] = []
    monkeypatch.setattr(artifacts, "_create", lambda _key, _about, text: pages.append(text))
    artifacts.show_step(workspace, load_step("agree", {}))
    assert pages == []  # nothing was compared yet
    run_agree(workspace, AgreeConfig(official=(official,), ours=ours, draws=0))
    artifacts.show_step(workspace, load_step("agree", {}))
    (page,) = pages
    rows = rows_of(page)
    assert rows[:2] == [
        ["measure", r"hierarchical\_label", r"natural\_or\_human\_made"],
        ["Accuracy", "50.0", "100.0"],
    ]
    assert len(rows) == 1 + len(MEASURES)
    report = workspace.path("benchmarks/agreement/report.html").resolve()
    assert f"(<{report.as_uri()}>)" in page


def test_a_build_without_clusters_leaves_how_to_open_the_review(tmp_path: Path) -> None:
    from hgld.errors import AwaitingReviewError
    from hgld.flows import artifacts

    pages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "_create", lambda _key, _about, text: pages.append(text))
        artifacts.show_review(Workspace(tmp_path), AwaitingReviewError("wait; a|b"))
    (page,) = pages
    assert page.startswith("wait; a\\|b\n")
    assert "What settles most" not in page
