"""Of which guesses something else was said since the page showed them."""

from collections.abc import Iterable, Mapping, Sequence

from hgld.pages.review.conflicts import teller
from hgld.pages.review.fills.asking import GuessRequest
from hgld.pages.review.fills.standing import GuessStanding
from hgld.pages.review.views import ConflictRow
from hgld.review.log.events import Event
from hgld.review.log.history import FillRuling, Standing, category_rulings, standing_of


def guess_clashes(
    standing: Standing,
    events: Sequence[Event],
    chosen: Iterable[GuessStanding],
    request: GuessRequest,
    reviewer: str,
) -> list[ConflictRow]:
    """Returns the categories of which something else was said since a line of the log.

    What a window does itself it shows at once: a later line is somebody else's, or of another one.

    Args:
        standing: what the log comes to.
        events: of the whole log.
        chosen: what is about to be accepted or refused.
        request: which of the two, and the last line that the reviewer saw.
        reviewer: who.
    """
    if all(event.number <= request.seen for event in events):
        return []
    before, switches = standing_of(events, request.seen), _switches(events, request.seen)
    found = []
    for one in chosen:
        category, label = one.guess.category, one.hierarchical_label.strip()
        theirs = _last_since(standing, category, request.seen, switches)
        was = ruling_words(category_rulings(before, category))
        now = ruling_words(category_rulings(standing, category))
        mine = label if request.deed == "accept" else f"not {label}"
        if theirs is None or now in {was, mine}:
            continue
        found.append(
            ConflictRow(
                class_qid=category,
                class_label=one.guess.name,
                before=was,
                theirs=now,
                their_reviewer=teller(theirs, reviewer),
                their_at=theirs.decided_at,
                their_number=theirs.number,
                mine=mine,
            )
        )
    return found


def ruling_words(rulings: Sequence[FillRuling]) -> str:
    """Returns what stands of a category, such as `tower` or `not tower`; or `open`."""
    labels = ((one.action, one.hierarchical_label.strip()) for one in rulings)
    words = [label if action == "accept" else f"not {label}" for action, label in labels]
    return ", ".join(words) or "open"


def _last_since(
    standing: Standing, category: str, seen: int, switches: Mapping[str, Event]
) -> Event | None:
    """Returns the last event on a category since a line; None where there is none."""
    words = standing.fills.get(category, [])
    if words and words[-1].event.number > seen:
        return words[-1].event
    # What was switched has no new word of its own: the switch has.
    return switches.get(category)


def _switches(events: Sequence[Event], seen: int) -> dict[str, Event]:
    """Returns category to the last undo, jump and the like since a line."""
    edits = {event.number: event for event in events if event.categories}
    return {
        category: switch
        for switch in events
        if switch.number > seen and not switch.is_edit
        for number in (*switch.off, *switch.on)
        if number in edits
        for category in edits[number].categories
    }
