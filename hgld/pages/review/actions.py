"""What the page can do: each action with its key, what it acts on, and when it asks first.

The page, its help, its palette and the table in `docs/review.md` are made from this list.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that a key, a button or the palette does."""

    name: str
    """`data-action` of its button; of an edit its name in a request."""
    key: str
    """As browsers call it; empty: the palette alone has it."""
    title: str
    words: str = ""
    """More words by which the palette finds it."""
    acts_on: ActsOn = "page"
    asks: Asks = "never"
    opens: Opens = ""
    address: str = ""
    """The view that it goes to."""
    on_bar: bool = False
    """Whether it has a button below the classes."""

    @property
    def writes(self) -> bool:
        """Whether it adds to the log, so that a page that is shown read-only has it not."""
        return self.acts_on not in {"page"}


ACTIONS = (
    Action(
        name="accept",
        key="Enter",
        title="Accept sure",
        words="agree yes all but the unsure next",
        acts_on="sure",
        on_bar=True,
    ),
    Action(
        name="accept_row",
        key="a",
        title="Accept these",
        words="agree yes proposal unsure",
        acts_on="rows",
        asks="out of sight",
    ),
    Action(
        name="name",
        key="r",
        title="Name",
        words="assign super-category label new",
        acts_on="rows",
        asks="out of sight",
        opens="name",
        on_bar=True,
    ),
    Action(
        name="ignore",
        key="i",
        title="Ignore",
        words="no kind of place drop remove",
        acts_on="rows",
        asks="out of sight",
        on_bar=True,
    ),
    Action(
        name="clear",
        key="z",
        title="Open again",
        words="reopen undecide clear",
        acts_on="rows",
        asks="out of sight",
    ),
    Action(
        name="doubt",
        key="d",
        title="Mark as doubtful",
        words="doubt question why",
        acts_on="rows",
        asks="out of sight",
        opens="doubt",
    ),
    Action(
        name="trust",
        key="D",
        title="Doubtful no more",
        words="doubt trust",
        acts_on="rows",
        asks="out of sight",
    ),
    Action(
        name="comment",
        key="c",
        title="Comment",
        words="note remark write",
        acts_on="rows",
        asks="out of sight",
        opens="comment",
    ),
    Action(
        name="split",
        key="s",
        title="Split off into a group",
        words="put off apart new group",
        acts_on="rows",
        asks="out of sight",
    ),
    Action(
        name="ungroup",
        key="",
        title="Put back into their clusters",
        words="undo split merge ungroup",
        acts_on="rows",
        asks="out of sight",
    ),
    Action(
        name="merge",
        key="m",
        title="Merge the group into another",
        words="put together join",
        acts_on="group",
        asks="always",
        opens="merge",
    ),
    Action(
        name="rename",
        key="R",
        title="Rename or merge the super-category",
        words="name taxonomy join",
        acts_on="name",
        asks="always",
        opens="rename",
    ),
    Action(
        name="natural",
        key="n",
        title="The super-category is natural",
        words="side nature",
        acts_on="name",
        asks="always",
    ),
    Action(
        name="human-made",
        key="h",
        title="The super-category is human-made",
        words="side human made built",
        acts_on="name",
        asks="always",
    ),
    Action(
        name="undo",
        key="u",
        title="Undo",
        words="take back",
        acts_on="log",
        asks="large",
        on_bar=True,
    ),
    Action(name="redo", key="U", title="Redo", words="do again", acts_on="log", asks="large"),
    Action(name="down", key="j", title="Next class"),
    Action(name="up", key="k", title="Previous class"),
    Action(name="tick", key="x", title="Tick the class"),
    Action(name="tick_all", key="X", title="Tick all open classes, or none"),
    Action(name="next", key="]", title="Next group"),
    Action(name="previous", key="[", title="Previous group"),
    Action(name="pictures", key="p", title="Show the pictures large", words="image photo"),
    Action(name="go", key="g", title="Go to", words="search find landmark class", opens="go"),
    Action(name="filter", key="/", title="Filter", words="search words", opens="filter"),
    Action(
        name="taxonomy",
        key="T",
        title="Taxonomy",
        words="super-categories rename side table",
        address="/taxonomy",
    ),
    Action(
        name="history",
        key="H",
        title="History",
        words="log events past take one back",
        address="/history",
    ),
    Action(
        name="files",
        key="E",
        title="Export and import",
        words="save download csv xlsx excel skos sheet log",
        address="/files",
    ),
    Action(name="palette", key=":", title="More", words="commands", opens="palette", on_bar=True),
    Action(name="help", key="?", title="Keys", words="help shortcuts", opens="help"),
)
"""In the order in which help and palette list them."""

EDITS = (
    *(one.name for one in ACTIONS if one.acts_on in {"sure", "rows", "group"}),
    *("rename", "side"),
)
"""What a request may ask for; the two sides are one edit with another value."""


def actions_json() -> str:
    """Returns the actions for the page's script."""
    return json.dumps([dataclasses.asdict(one) | {"writes": one.writes} for one in ACTIONS])


def keys_table() -> str:
    """Returns the keys as the Markdown table of `docs/review.md`."""
    rows = [
        f"| `{one.key}` | {one.title} | {_ACTS_ON[one.acts_on]} | {_ASKS[one.asks]} |"
        for one in ACTIONS
        if one.key
    ]
    return "\n".join(["| key | does | to | asks first |", "|---|---|---|---|", *rows])


_ACTS_ON = {
    "sure": "the sure classes of the group",
    "rows": "the ticked classes, or the one in focus",
    "group": "the group",
    "name": "the super-category of the group",
    "log": "what you did last",
    "page": "",
}
_ASKS = {
    "never": "",
    "out of sight": "if some are out of sight",
    "large": "if it is large and not just told",
    "always": "always",
}
