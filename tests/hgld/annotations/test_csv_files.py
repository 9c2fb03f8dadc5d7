"""The CSV files, as Google publishes them and as the authors of H-GLDv2 read them."""

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.world import MUSEUM, SCRAPED, change_taxonomy, write_inputs


def test_the_published_format_has_each_landmark_in_its_order_and_blanks(
    annotated: Workspace,
) -> None:
    header = "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
    train = annotated.path("annotations/train_label_to_hierarchical.csv").read_bytes().decode()
    assert train == header + (
        "3,c/3,World Heritage Site,,\n"
        "1,c/1,parish church,church,human-made\n"
        "2,c/2,church building,church,human-made\n"
        "4,c/4,,,\n"
        "5,c/5,,,\n"
    )
    # The training code of the authors of H-GLDv2 reads the same by other names.
    name = "annotations/train_label_to_subcategory_with_clusters.csv"
    theirs = "landmark_id,category,supercategory,cluster,overall_cluster\n"
    assert annotated.path(name).read_bytes().decode() == train.replace(header, theirs)
    index = annotated.path("annotations/index_label_to_hierarchical.csv").read_bytes().decode()
    assert index == header + (
        '1,"c/Lake_""x"",_y","lake, or pond",ocean area ,natural\n2,c/é,museum,museum,human-made\n'
    )


def test_no_spreadsheet_runs_a_cell_of_a_published_file(workspace: Workspace) -> None:
    write_inputs(workspace, scraped=SCRAPED | {("index", 2): [(MUSEUM, "@SUM(A1)")]})
    change_taxonomy(workspace, {MUSEUM: {"hierarchical_label": "-2+3|cmd"}})
    run_annotate(workspace, AnnotateConfig())
    for name in ("hierarchical", "subcategory_with_clusters"):
        text = workspace.path(f"annotations/index_label_to_{name}.csv").read_text("utf-8")
        assert text.splitlines()[2] == "2,c/é,'@SUM(A1),'-2+3|cmd,human-made"
