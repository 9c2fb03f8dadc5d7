"""Categories that were moved or deleted since GLDv2 named them, and left nothing but the log.

The right page is the one that whoever reads the log on the empty page is sent to.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from tests.worlds.second_lab.files import PLAIN, WIKI, Trap

Step = tuple[Literal["move", "move and redirect", "delete"], str, str]
"""What is done, with which page, and where it is moved to."""


def gone_traps() -> Iterator[Trap]:
    """One landmark each, as it must end where the log is followed."""
    for name, (steps, end, error) in _FATES.items():
        start = steps[0][1]
        titles = dict.fromkeys(title for step in steps for title in step[1:] if title)
        qid = f"Q{3000 + int(start.removeprefix('Category:M'))}"
        yield Trap(
            name=f"gone: {name}",
            url=WIKI + start,
            status="no_page" if error else "ok",
            title=end,
            qid=qid if end else "",
            classes=("Q20",) if end else (),
            pages={start: PLAIN},
            items=dict.fromkeys(titles, qid),
            facts={qid: "P31:Q20"},
        )


def errors() -> dict[str, str]:
    """Returns trap to what must be said of it."""
    return {f"gone: {name}": error for name, (_, _, error) in _FATES.items()}


def steps() -> Iterator[list[Step]]:
    """Yields what is to be done at once, of all landmarks."""
    histories = [history for history, _, _ in _FATES.values()]
    for at in range(max(map(len, histories))):
        yield [history[at] for history in histories if at < len(history)]


_FATES: Mapping[str, tuple[tuple[Step, ...], str, str]] = {
    "moved": ((("move", "Category:M1", "Category:M1 new"),), "Category:M1 new", ""),
    "moved twice": (
        (
            ("move", "Category:M2", "Category:M2 new"),
            ("move", "Category:M2 new", "Category:M2 newer"),
        ),
        "Category:M2 newer",
        "",
    ),
    "moved, and then on behind a redirect": (
        (
            ("move", "Category:M3", "Category:M3 new"),
            ("move and redirect", "Category:M3 new", "Category:M3 newer"),
        ),
        "Category:M3 newer",
        "",
    ),
    "moved, and the redirect deleted": (
        (
            ("move and redirect", "Category:M4", "Category:M4 new"),
            ("delete", "Category:M4", ""),
        ),
        "Category:M4 new",
        "",
    ),
    "deleted": ((("delete", "Category:M5", ""),), "", "last in its log: delete"),
    "moved, and deleted there": (
        (
            ("move", "Category:M6", "Category:M6 new"),
            ("delete", "Category:M6 new", ""),
        ),
        "",
        "last in its log: delete",
    ),
    "moved there and back": (
        (
            ("move", "Category:M7", "Category:M7 new"),
            ("move", "Category:M7 new", "Category:M7"),
        ),
        "Category:M7",
        "",
    ),
    "moved there and back, and deleted": (
        (
            ("move", "Category:M8", "Category:M8 new"),
            ("move", "Category:M8 new", "Category:M8"),
            ("delete", "Category:M8", ""),
        ),
        "",
        "last in its log: delete",
    ),
}
"""Name to (what was done, the page where it ends, what is said where it ends nowhere)."""
