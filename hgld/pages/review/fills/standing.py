"""Where guesses stand: open, accepted or refused, by super-category, in groups."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hgld.pages.review.fills.asking import FillsPlace
from hgld.pages.review.fills.heads import OTHERS, HeadGroup, group_by_head
from hgld.pages.review.fills.material import Guess
from hgld.pages.review.fills.views import GuessGroup, GuessName, GuessOrder, GuessState
from hgld.review.log.events import label_key
from hgld.review.log.history import FillRuling, Standing, category_rulings, name_now


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessStanding:
    """A category and one super-category, and what is said of the two."""

    guess: Guess
    hierarchical_label: str
    """As it is called now."""
    natural_or_human_made: str
    state: GuessState
    ruling: FillRuling | None
    """None: it is open."""


class _Said(NamedTuple):
    """Where a category stands."""

    words: tuple[int, ...]
    """Numbers of the edits that say so."""
    standings: list[tuple[str, GuessStanding]]
    """Each with the key of its super-category."""


class _Kept(NamedTuple):
    """What may be taken over when something is said."""

    names: dict[str, tuple[str, str]]
    renamed: dict[str, str]
    of_category: dict[str, _Said]
    by_name: dict[str, dict[str, GuessStanding]]
    heads: dict[str, list[HeadGroup]]


class GuessStandings:
    """Where all guesses of a build stand."""

    def __init__(
        self,
        guesses: Mapping[str, Guess],
        standing: Standing,
        before: "GuessStandings | None" = None,
    ) -> None:
        """Takes the guesses, by category, and what the log comes to.

        A category stands where it was accepted and where it was refused; where it is guessed to be
        something that it was not refused for, and was not accepted, it is open.

        Args:
            guesses: of a build.
            standing: what the log comes to.
            before: where the same guesses stood a moment ago: what is as it was is kept, since of
                50,000 guesses an event changes a few.
        """
        was = _Kept({}, {}, {}, {}, {}) if before is None else before.kept
        names, renamed = dict(standing.names), dict(standing.renamed)
        known = was.of_category if (was.names, was.renamed) == (names, renamed) else {}
        of_category: dict[str, _Said] = {}
        by_name: dict[str, dict[str, GuessStanding]] = defaultdict(dict)
        for category, guess in guesses.items():
            words = tuple(word.event.number for word in standing.fills.get(category, ()))
            said = known.get(category)
            if said is None or said.words != words:
                said = _Said(words, _standings(guess, standing))
            of_category[category] = said
            for key, one in said.standings:
                by_name[key][category] = one
        # Most guesses first, whatever is said of them: the list stays as it is while one works.
        self._by_name = dict(sorted(by_name.items(), key=lambda each: (-len(each[1]), each[0])))
        self._heads: dict[str, list[HeadGroup]] = {
            key: heads
            for key, heads in dict(was.heads).items()  # others may add to it meanwhile
            if list(was.by_name.get(key, ())) == list(self._by_name.get(key, ()))
        }
        self.kept: _Kept = _Kept(names, renamed, of_category, self._by_name, self._heads)
        """For the next one."""

    def names(self, current: str) -> tuple[GuessName, ...]:
        """Returns the super-categories, with how many guesses are in which state."""
        return tuple(
            _named(tuple(ones.values()), is_current=key == current)
            for key, ones in self._by_name.items()
        )

    def find_name(self, name: str) -> str:
        """Returns the key of a super-category; of an unknown one that of the first with open ones.

        Empty where there is no guess at all.
        """
        key = label_key(name)
        if key in self._by_name:
            return key
        is_open = (each for each, ones in self._by_name.items() if _of(ones, "open"))
        return next(is_open, next(iter(self._by_name), ""))

    def name_after(self, key: str) -> str:
        """Returns the next super-category with open guesses; the same where no other has any."""
        keys = list(self._by_name)
        here = keys.index(key) if key in keys else -1
        ahead = [*keys[here + 1 :], *keys[: here + 1]]
        return next((each for each in ahead if _of(self._by_name[each], "open")), key)

    def groups(self, key: str, place: FillsPlace, current: str = OTHERS) -> tuple[GuessGroup, ...]:
        """Returns the groups of a super-category with guesses in the shown state, in order."""
        members = self._members(key, place.show)
        groups = [
            GuessGroup(
                key=head.key,
                title=head.title,
                guesses=len(ones),
                landmarks=sum(len(one.guess.landmarks) for one in ones),
                confidence=sum(one.guess.confidence for one in ones) / len(ones),
                is_current=head.key == current,
            )
            for head, ones in members.items()
        ]

        def rank(group: GuessGroup) -> tuple[bool, float, int, str]:
            confidence = -group.confidence if place.order == "surest" else group.confidence
            return group.key == OTHERS, round(confidence, 2), -group.guesses, group.key

        return tuple(sorted(groups, key=rank))

    def members(self, key: str, group: str, place: FillsPlace) -> list[GuessStanding]:
        """Returns the guesses of a group in the shown state, in order."""
        found = self._members(key, place.show)
        ones = next((ones for head, ones in found.items() if head.key == group), [])
        return sorted(ones, key=lambda one: _rank(one, place.order))

    def of(self, key: str, category: str) -> GuessStanding | None:
        """Returns where a category stands with a super-category; None: nowhere."""
        return self._by_name.get(key, {}).get(category)

    def group_of(self, key: str, category: str) -> str:
        """Returns the group in which a category stands."""
        pairs = zip(self._by_name.get(key, {}), self._heads_of(key), strict=True)
        return next((head.key for one, head in pairs if one == category), OTHERS)

    def _members(self, key: str, show: GuessState) -> dict[HeadGroup, list[GuessStanding]]:
        found: dict[HeadGroup, list[GuessStanding]] = defaultdict(list)
        ones = self._by_name.get(key, {}).values()
        for one, head in zip(ones, self._heads_of(key), strict=True):
            if one.state == show:
                found[head].append(one)
        return found

    def _heads_of(self, key: str) -> list[HeadGroup]:
        """Returns the group of each guess: of all together, whatever is said of them."""
        if key not in self._heads:
            ones = self._by_name.get(key, {}).values()
            self._heads[key] = group_by_head([one.guess.heads for one in ones])
        return self._heads[key]


def _named(ones: Sequence[GuessStanding], *, is_current: bool) -> GuessName:
    states = Counter(one.state for one in ones)
    return GuessName(
        hierarchical_label=ones[0].hierarchical_label,
        natural_or_human_made=ones[0].natural_or_human_made,
        open=states["open"],
        accepted=states["accepted"],
        refused=states["refused"],
        is_current=is_current,
    )


def _standings(guess: Guess, standing: Standing) -> list[tuple[str, GuessStanding]]:
    found = category_rulings(standing, guess.category)
    said = [
        GuessStanding(
            guess=guess,
            hierarchical_label=one.hierarchical_label,
            natural_or_human_made=one.natural_or_human_made,
            state="accepted" if one.action == "accept" else "refused",
            ruling=one,
        )
        for one in found
    ]
    label, side = name_now(standing, guess.hierarchical_label, guess.natural_or_human_made)
    if not any(
        one.action == "accept" or label_key(one.hierarchical_label) == label_key(label)
        for one in found
    ):
        said.append(
            GuessStanding(
                guess=guess,
                hierarchical_label=label,
                natural_or_human_made=side,
                state="open",
                ruling=None,
            )
        )
    return [(label_key(one.hierarchical_label), one) for one in said]


def _of(ones: Mapping[str, GuessStanding], state: GuessState) -> bool:
    return any(one.state == state for one in ones.values())


def _rank(one: GuessStanding, order: GuessOrder) -> tuple[float, str]:
    confidence = one.guess.confidence
    return (-confidence if order == "surest" else confidence), one.guess.name
