import pytest

from hgld.annotations.images import license_name
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.tables import CREDITS
from tests.hgld.annotations.world import write_inputs

CC = "creativecommons.org"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"https://{CC}/licenses/by/2.0", "CC-BY-2.0"),
        (f"http://www.{CC}/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        (f"{CC}/licenses/by-sa/3.0/de/deed.en", "CC-BY-SA-3.0-DE"),
        (f"https://{CC}/licenses/by-nc-nd/4.0/legalcode", "CC-BY-NC-ND-4.0"),
        (f"https://{CC}/licenses/by/", "CC-BY"),  # its version is not stated
        (f"https://{CC}/publicdomain/zero/1.0/deed.en", "CC0-1.0"),
        (f"https://{CC}/publicdomain/mark/1.0/", "PDM-1.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("cc-by-2.5-it", "CC-BY-2.5-IT"),
        ("http://www.gnu.org/copyleft/fdl.html", None),
        (f"https://evil.example/{CC}/licenses/by/2.0", None),
        ("", None),
    ],
)
def test_a_license_has_its_short_name_with_its_version(text: str, name: str | None) -> None:
    assert license_name(text) == name


def test_each_train_image_of_the_data_has_its_credit_in_the_order_of_the_data(
    reviewed: Workspace,
) -> None:
    report = run_annotate(reviewed, AnnotateConfig(train="all"))
    by, by_sa = f"https://{CC}/licenses/by/2.0", f"https://{CC}/licenses/by-sa/3.0/de/deed.de"
    nave = ("File:Nave.jpg", "Ann", "https://c.example/1")
    tower = ('File:Tower, "old".jpg', "Zoë & Co", None)
    assert [tuple(row.values()) for row in reviewed.read(CREDITS).to_pylist()] == [
        ("a0", "ok", *tower, "CC-BY-SA-3.0-DE", by_sa),
        ("a1", "ok", *nave, "CC-BY-2.0", by),
    ]
    assert report.manifest.problems == 0


def test_an_image_that_nobody_is_credited_for_is_kept_and_counted(workspace: Workspace) -> None:
    attributions = [{"image_id": "a0", "author": "first"}, {"image_id": "a0", "author": "second"}]
    write_inputs(workspace, attributions=attributions)
    report = run_annotate(workspace, AnnotateConfig(train="all", images_per_shard=1))
    rows = workspace.read(CREDITS).select(["image_id", "status", "author"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("a0", "ok", "first"), ("a1", "missing", None)]
    assert report.manifest.problems == 1
