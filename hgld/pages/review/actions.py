"""What the page can do: each action with its key, what it acts on, and when it asks first.

The page, its help and its palette are made from this list; a test makes the table in
`docs/review.md` from it.
"""

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple

ActsOn = Literal["sure", "rows", "group", "name", "log", "page"]
"""sure: the open classes of the group whose proposal is sure. rows: the ticked classes, or the one
in focus where none is ticked. group: the open group. name: the super-category of the group. log:
what was done so far. page: nothing but what is shown."""

Asks = Literal["never", "out of sight", "large", "always"]
"""out of sight: where it acts on classes that are not in sight. large: where it takes back more
classes than are in sight, and the page has not just said what that is."""

Opens = Literal[
    "", "name", "rename", "merge", "comment", "doubt", "go", "filter", "palette", "help"
]
"""What takes the typing that follows; empty: the action is done at once."""


class Action(NamedTuple):
    """Something that a key, a button or the palette does."""

    name: str
    """`data-action` of its button; of an edit its name in a request."""
    key: str
    """As browsers call it; empty: the palette alone has it."""
    title: str
    words: str
    """More words by which the palette finds it."""
    acts_on: ActsOn = "page"
    opens: Opens = ""
    address: str = ""
    """The view that it goes to."""
    on_bar: bool = False
    """Whether it has a button below the classes."""

    @property
    def asks(self) -> Asks:
        """When it asks before it is done."""
        return _ASKS_OF[self.acts_on]

    @property
    def writes(self) -> bool:
        """Whether it adds to the log, so that a page that is shown read-only has it not."""
        return self.acts_on != "page"


_ASKS_OF: Mapping[ActsOn, Asks] = {
    "sure": "never",
    "rows": "out of sight",
    "group": "always",
    "name": "always",
    "log": "large",
    "page": "never",
}

ACTIONS = (
    Action(
        "accept", "Enter", "Accept sure", "agree yes all but the unsure next", "sure", on_bar=True
    ),
    Action("accept_row", "a", "Accept these", "agree yes proposal unsure", "rows"),
    Action(
        "name", "r", "Name", "assign super-category label new", "rows", opens="name", on_bar=True
    ),
    Action("ignore", "i", "Ignore", "no kind of place drop remove", "rows", on_bar=True),
    Action("clear", "z", "Open again", "reopen undecide clear", "rows"),
    Action("doubt", "d", "Mark as doubtful", "doubt question why", "rows", opens="doubt"),
    Action("trust", "D", "Doubtful no more", "doubt trust", "rows"),
    Action("comment", "c", "Comment", "note remark write", "rows", opens="comment"),
    Action("split", "s", "Split off into a group", "put off apart new group", "rows"),
    Action("ungroup", "", "Put back into their clusters", "undo split merge ungroup", "rows"),
    Action(
        "merge", "m", "Merge the group into another", "put together join", "group", opens="merge"
    ),
    Action(
        "rename",
        "R",
        "Rename or merge the super-category",
        "name taxonomy join",
        "name",
        opens="rename",
    ),
    Action("natural", "n", "The super-category is natural", "side nature", "name"),
    Action("human-made", "h", "The super-category is human-made", "side human made built", "name"),
    Action("undo", "u", "Undo", "take back", "log", on_bar=True),
    Action("redo", "U", "Redo", "do again", "log"),
    Action("down", "j", "Next class", ""),
    Action("up", "k", "Previous class", ""),
    Action("tick", "x", "Tick the class", ""),
    Action("tick_all", "X", "Tick all open classes, or none", ""),
    Action("next", "]", "Next group", ""),
    Action("previous", "[", "Previous group", ""),
    Action("pictures", "p", "Show the pictures large", "image photo"),
    Action("go", "g", "Go to", "search find landmark class", opens="go"),
    Action("filter", "/", "Filter", "search words", opens="filter"),
    Action("taxonomy", "T", "Taxonomy", "super-categories rename side table", address="/taxonomy"),
    Action("history", "H", "History", "log events past take one back", address="/history"),
    Action(
        "files",
        "E",
        "Export and import",
        "save download csv xlsx excel skos sheet log",
        address="/files",
    ),
    Action("more", ":", "More", "commands", opens="palette", on_bar=True),
    Action("help", "?", "Keys", "help shortcuts", opens="help"),
)
"""In the order in which help and palette list them."""

TITLES = {one.name: one.title for one in ACTIONS}
EDITS = (
    *(one.name for one in ACTIONS if one.acts_on in {"sure", "rows", "group"}),
    *("rename", "side"),
)
"""What a request may ask for; the two sides are one edit with another value."""


def actions_json() -> str:
    """Returns the actions for the page's script."""
    return json.dumps([one._asdict() | {"asks": one.asks, "writes": one.writes} for one in ACTIONS])
