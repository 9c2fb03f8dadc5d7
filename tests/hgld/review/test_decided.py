import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.review.decided import run_decided
from hgld.review.exchange.applying import apply_sheet
from hgld.review.log.decisions import DECISIONS_COPY, DECISIONS_FILE
from hgld.tables import DECIDED
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, LAKE, fill_in


def test_where_there_is_no_log_nothing_is_decided(workspace: Workspace) -> None:
    assert run_decided(workspace).manifest.rows == 0
    assert workspace.read(DECIDED).to_pylist() == []
    assert run_decided(workspace).skipped


def test_the_last_decision_on_a_class_is_in_force_also_where_the_class_is_gone(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE, "Q9": CHURCH}), "ann")
    run_decided(clustered)
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "bob")
    write_proposals(clustered, CLASSES[:3])
    assert not run_decided(clustered).skipped
    assert clustered.read(DECIDED).to_pylist() == [
        {
            "class_qid": "Q9",
            "class_label": "=HYPERLINK(1)",
            "action": "ignore",
            "hierarchical_label": None,
            "natural_or_human_made": None,
        },
        {"class_qid": "Q23397", "class_label": "lake", "action": "assign", **LAKE},
    ]


def test_a_log_that_is_not_whole_decides_nothing(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE, "Q9": CHURCH}), "ann")
    done = run_decided(clustered).manifest
    log = clustered.path(DECISIONS_FILE)
    log.write_bytes(log.read_bytes().replace(b"ocean area", b"ocean aera"))
    clustered.path(DECISIONS_COPY).unlink()
    with pytest.raises(DamagedError, match=r"decisions\.jsonl"):
        run_decided(clustered)
    assert clustered.manifest("decided") == done
