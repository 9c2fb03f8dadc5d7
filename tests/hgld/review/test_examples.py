from hgld.engine.workspace import Workspace
from hgld.review.exchange.examples import category_link, example_landmarks
from tests.worlds.builders import class_rows, write_proposals, write_scrape
from tests.worlds.review.sheets import IGNORE, apply_sheet, fill_in, rows_of

CHURCH, CHAPEL = ("Q16970", "church building"), ("Q10", "chapel")
WIKI = "http://commons.wikimedia.org/wiki/Category:"


def category(split: str, landmark: int, name: str, title: str | None = None) -> dict[str, object]:
    return {
        "split": split,
        "landmark_id": landmark,
        "category": f"{WIKI}{name}",
        "status": "ok",
        "page_title": title,
    }


CATEGORIES = [
    category("train", 1, "Old_name", "Category:St. Mary's, Bath"),
    category("train", 2, "K%C3%B6lner_Dom"),
    category("train", 3, "Chapel_of_%22X%22"),
    category("train", 4, "Twice"),
    category("train", 5, "Twice"),
    category("index", 1, "Abbey"),
    category("index", 2, "Minster"),
]
LANDMARKS = {
    ("train", 1): [CHURCH, CHAPEL],
    ("train", 2): [CHURCH],
    ("train", 3): [CHAPEL],
    ("train", 4): [CHURCH],
    ("train", 5): [CHURCH],
    ("index", 1): [CHURCH],
    ("index", 2): [CHURCH],
    ("index", 9): [CHURCH],  # of which no category is known
}


def test_the_clearest_landmarks_come_first_and_a_name_comes_once(workspace: Workspace) -> None:
    write_scrape(workspace, class_rows(LANDMARKS), CATEGORIES)
    assert example_landmarks(workspace) == {
        "Q16970": ("Kölner Dom", "Twice", "Abbey"),
        "Q10": ('Chapel of "X"', "St. Mary's, Bath"),
    }


def test_where_the_landmarks_were_not_scraped_there_are_none(workspace: Workspace) -> None:
    assert example_landmarks(workspace) == {}


def test_a_link_leads_to_the_category() -> None:
    assert category_link("St. Mary's, Bath?") == (
        "https://commons.wikimedia.org/wiki/Category:St._Mary%27s%2C_Bath%3F"
    )


def test_the_sheet_shows_them_with_links_and_what_is_written_there_is_not_read(
    workspace: Workspace,
) -> None:
    write_scrape(workspace, class_rows(LANDMARKS), CATEGORIES)
    classes = [CHURCH, CHAPEL, (f"Q{10**15}", "of a bare list")]
    write_proposals(workspace, [{"class_qid": qid, "class_label": name} for qid, name in classes])
    sheet = fill_in(workspace, {"Q10": IGNORE | {"example_landmarks": "mine", "wikidata": "x"}})
    rows = {row["class_qid"]: row for row in rows_of(sheet)}
    church = rows["Q16970"]
    assert church["example_landmarks"] == "Kölner Dom | Twice | Abbey"
    assert church["example_link"] == ("https://commons.wikimedia.org/wiki/Category:K%C3%B6lner_Dom")
    assert church["wikidata"] == "https://www.wikidata.org/wiki/Q16970"
    bare = rows[f"Q{10**15}"]
    assert bare["wikidata"] == bare["example_landmarks"] == bare["example_link"] == ""
    assert apply_sheet(workspace, sheet, "ann").appended == 1
