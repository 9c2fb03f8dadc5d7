from pathlib import Path

from hgld.pages.review.actions import ACTIONS

DOCS = Path(__file__).parents[4] / "docs/review.md"
ACTS_ON = {
    "sure": "the sure classes of the group",
    "rows": "the ticked classes, or the one in focus",
    "group": "the group",
    "name": "the super-category of the group",
    "log": "what you did last",
    "page": "",
}
ASKS = {
    "never": "",
    "out of sight": "if some are out of sight",
    "large": "if it is large and not just told",
    "always": "always",
}


def test_the_docs_have_the_table_of_keys() -> None:
    rows = [
        f"| `{one.key}` | {one.title} | {ACTS_ON[one.acts_on]} | {ASKS[one.asks]} |"
        for one in ACTIONS
        if one.key
    ]
    table = "\n".join(["| key | does | to | asks first |", "|---|---|---|---|", *rows])
    assert table in DOCS.read_text(encoding="utf-8"), f"put it there:\n{table}"


def test_no_two_actions_have_one_key_or_name_and_digits_are_names() -> None:
    keys = [one.key for one in ACTIONS if one.key]
    assert len({*keys}) == len(keys)
    assert len({one.name for one in ACTIONS}) == len(ACTIONS)
    assert not [key for key in keys if key.isdigit()]


def test_five_actions_stand_on_the_page() -> None:
    assert [one.name for one in ACTIONS if one.on_bar] == [
        *("accept", "name", "ignore", "undo", "more")
    ]
