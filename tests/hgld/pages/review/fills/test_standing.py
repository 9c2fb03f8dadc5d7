"""Guesses that are followed from event to event stand where a fresh reading of the log has them."""

import random

import pytest

from hgld.pages.review.fills.asking import FillsPlace
from hgld.pages.review.fills.heads import head_words
from hgld.pages.review.fills.material import Guess
from hgld.pages.review.fills.standing import GuessStandings
from hgld.pages.review.fills.views import GuessOrder, GuessState
from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.log.events import Event, label_key
from hgld.review.log.history import standing_of
from tests.hgld.review.log.acts import CATEGORIES, NAMES, SIDE, random_edit, random_switch

STATES: tuple[GuessState, ...] = ("open", "accepted", "refused")
ORDERS: tuple[GuessOrder, ...] = ("surest", "least")


GUESSES = {
    category: Guess(
        category=category,
        name=landmark_name(category),
        heads=head_words(landmark_name(category)),
        hierarchical_label=NAMES[number % 3],
        natural_or_human_made=SIDE.get(NAMES[number % 3], "natural"),
        confidence=number / 10,
        evidence="",
        landmarks=(("train", number),),
    )
    for number, category in enumerate([*CATEGORIES, "Category:Turm_A", "Category:Turm_B"])
}


def picture(standings: GuessStandings) -> object:
    """Returns all that it says."""
    names = standings.names("")
    keys = [label_key(one.hierarchical_label) for one in names]
    places = [FillsPlace(show=show, order=order) for show in STATES for order in ORDERS]
    asked = [(key, place, standings.groups(key, place)) for key in keys for place in places]
    return names, [
        (groups, [standings.members(key, each.key, place) for each in groups])
        for key, place, groups in asked
    ]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_from_event_to_event_is_what_a_fresh_reading_has(seed: int) -> None:
    chance, events = random.Random(seed), list[Event]()
    followed: GuessStandings | None = None
    for number in range(1, 61):
        event = random_switch(chance, events, "ann") if chance.random() < 0.3 else None
        events.append((event or random_edit(chance, "ann")).numbered(number))
        standing = standing_of(events)
        followed = GuessStandings(GUESSES, standing, followed)
        if chance.random() < 0.5:
            assert picture(followed) == picture(GuessStandings(GUESSES, standing))
