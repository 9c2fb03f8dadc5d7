"""What a Prefect run is to leave on its page, made without a server."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

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
    from hgld.flows.steps import load_step
    from tests.benchmarks.labels.agreement.worlds import write_labels

    official, ours = (
        write_labels(tmp_path / f"{name}_train.csv", labels)
        for name, labels in (("official", {1: "lake", 2: HOSTILE}), ("ours", {1: "lake", 2: None}))
    )
    workspace = Workspace(tmp_path / "build")
    pages: list[str] = []
    monkeypatch.setattr(artifacts, "_create", lambda _key, _about, text: pages.append(text))
    artifacts.show_step(workspace, "agree", load_step("benchmark", {}))
    assert pages == []  # nothing was compared yet
    run_agree(workspace, AgreeConfig(official=(official,), ours=ours, draws=0))
    artifacts.show_step(workspace, "agree", load_step("benchmark", {}))
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


def test_a_build_without_a_benchmark_leaves_nothing(tmp_path: Path) -> None:
    from hgld.flows.compared import benchmark_artifacts

    assert list(benchmark_artifacts(Workspace(tmp_path))) == []


def test_a_benchmark_leaves_a_table_a_link_and_a_drawing(tmp_path: Path) -> None:
    from hgld.benchmarks.retrieval.results import REPORT_FILE, RESULTS_FILE, to_json
    from hgld.engine.files import write_text
    from hgld.flows.compared import benchmark_artifacts
    from tests.benchmarks.retrieval.report.made_up import HOSTILE as NAMED
    from tests.benchmarks.retrieval.report.made_up import results_of

    workspace = Workspace(tmp_path)
    write_text(workspace.path(RESULTS_FILE), to_json(results_of(NAMED)))
    table, link, image = benchmark_artifacts(workspace)
    assert [one.kind for one in (table, link, image)] == ["table", "markdown", "image"]
    rows = json.loads(table.data)
    assert [row["method"] for row in rows] == [f"after {NAMED}", f"before {NAMED}"]  # best first
    assert rows[0]["H-AP, all levels"] == "47.5 ± 0.5 [45.0, 50.0]"
    assert rows[1]["R@1, super-category"] == "30.0 [27.5, 32.5]"
    assert len(rows[0]) == 1 + 13
    assert link.data == f"[report.html](<{workspace.path(REPORT_FILE).resolve().as_uri()}>)"
    drawing = base64.b64decode(image.data.removeprefix("data:image/svg+xml;base64,"))
    svg = ElementTree.fromstring(drawing)  # noqa: S314 - made just now
    tag = "{http://www.w3.org/2000/svg}"
    places = [
        (float(one.attrib["cx"]), float(one.attrib["cy"])) for one in svg.iter(f"{tag}circle")
    ]
    assert len(places) == 2
    assert places[0][0] > places[1][0]  # the better one, on top
    assert places[0][1] < places[1][1]
    words = [one.text or "" for one in svg.iter(f"{tag}text")]
    assert any(word.startswith("after </script>") for word in words)
    assert not list(svg.iter(f"{tag}script"))
