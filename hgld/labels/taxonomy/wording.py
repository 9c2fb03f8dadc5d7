"""The super-category that the words of a label suggest, with evidence for a reviewer.

An English noun phrase ends with its head: a `railway museum` is a museum, a `museum railway` is a
railway. So the longest ending that the taxonomy knows decides; a prepositional phrase (`of ...`,
`in ...`) only says which one, and the words before the head say what kind. For a head that names no
kind of thing (building, site, group of), its modifier or the words after `of` decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hgld.labels.taxonomy.phrase import CUTS, JOINTS, alternatives, fold, head_and_tail
from hgld.labels.taxonomy.rows import Action, TaxonomyTables

EvidenceKind = Literal["exact", "contains", "suffix", "head", "modifier", "tail"]
"""From the strongest to the weakest. The known phrase is: the whole label; a phrase that decides
anywhere in a label; the last words; the last word; a word before the head; a word after `of`."""

_SAYS: dict[EvidenceKind, str] = {
    "exact": "the label is {!r}, which is",
    "contains": "the label holds {!r}, which is",
    "suffix": "the last words {!r} are",
    "head": "the head noun {!r} is",
    "modifier": "{!r} before the head is",
    "tail": "{!r} after 'of' is",
}
_RANK = {evidence: rank for rank, evidence in enumerate(_SAYS)}

# Languages that join the word for `church` to the end of a church's name.
_COMPOUNDING = frozenset({"de", "nl", "sv", "da", "no", "fi", "hu", "et", "ja", "zh", "ko", "is"})
_SHORTEST_PART = 4
"""Least number of letters of an alias at the end of a longer word: `turm`, but not `tor`."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One reading of a label: an action, with a super-category if it is `accept`."""

    action: Action
    hierarchical_label: str
    evidence: EvidenceKind
    words: str
    """The words of the label that say so, in comparable form."""
    reason: str
    """For the reviewer, such as: the head noun 'museum' is museum."""


class _Entry(NamedTuple):
    """What the lexicon knows about some words."""

    action: Action
    hierarchical_label: str
    reason: str
    language: str = "en"
    names_a_kind: bool = True


class LabelReader:
    """Reads labels by the aliases and unspecific phrases of a taxonomy."""

    def __init__(self, tables: TaxonomyTables) -> None:
        """Compiles the tables; an alias takes precedence over an equal unspecific phrase."""
        self._english: dict[Words, _Entry] = {}
        self._foreign: dict[Words, _Entry] = {}
        self._exact: dict[Words, _Entry] = {}
        self._start: dict[Words, _Entry] = {}
        self._contains: dict[Words, _Entry] = {}
        for row in tables.aliases:
            place = self._english if row.language == "en" else self._foreign
            entry = _Entry("accept", row.hierarchical_label, "", row.language)
            place.setdefault(fold(row.alias), entry)
        by_match = {
            "exact": self._exact,
            "head": self._english,
            "start": self._start,
            "contains": self._contains,
        }
        for phrase in tables.unspecific:
            action: Action = "ignore" if phrase.action == "transparent" else phrase.action
            entry = _Entry(action, "", phrase.reason, names_a_kind=phrase.action == action)
            by_match[phrase.match].setdefault(fold(phrase.phrase), entry)
        self._longest = max(map(len, (*self._english, *self._foreign)), default=0)

    def read(self, label: str) -> list[Candidate]:
        """Reads a label.

        Args:
            label: of a class, in any language; several may be joined by `;`.

        Returns:
            Each outcome once, with its best evidence, by strength of evidence, then by position;
            empty if no word of the label is known.

        Example:
            >>> from hgld.labels.taxonomy.rows import load_taxonomy_tables
            >>> reader = LabelReader(load_taxonomy_tables())
            >>> reader.read("Former railway museums in Wales")[0].reason
            "the last words 'railway museum' are museum"
            >>> [each.hierarchical_label for each in reader.read("ruins of a church")]
            ['ruins', 'church']
        """
        best: dict[tuple[str, str], Candidate] = {}
        for part in label.split(";"):
            for each in self._read_phrase(fold(part)):
                outcome = (each.action, each.hierarchical_label)
                known = best.get(outcome)
                if known is None or _RANK[each.evidence] < _RANK[known.evidence]:
                    best[outcome] = each
        return sorted(best.values(), key=lambda each: _RANK[each.evidence])

    def _read_phrase(self, words: Words) -> list[Candidate]:
        plain = tuple(word for word in words if word not in {",", "/"})
        for place in (self._exact, self._english, self._foreign):
            entry = place.get(plain)
            if entry and entry.names_a_kind:
                return [_candidate(entry, "exact", plain)]
        for start, end in _spans(plain):
            span = plain[start:end]
            entry = self._contains.get(span) or (self._start.get(span) if start == 0 else None)
            if entry:
                return [_candidate(entry, "contains", span)]
        return self._read_english(words) or self._read_foreign(plain)

    def _read_english(self, words: Words) -> list[Candidate]:
        """Reads a phrase by its head, and by the words after `of`."""
        if spanning := self._spanning(words):
            return [spanning]
        head, tail = head_and_tail(words)
        if tail and self._hands_over(head):  # `group of lakes` is read as `lakes`
            return self._read_english(tail) or self._says_nothing(head)
        found = [each for part in self._parts(head) for each in self._read_compound(part)]
        return [*found, *map(_weaker, self._read_english(tail))] if tail else found

    def _spanning(self, words: Words) -> Candidate | None:
        """Finds the longest alias with a preposition in it: `site of community importance`."""
        cuts = [place for place, word in enumerate(words) if word in CUTS and place]
        for end in [len(words), *reversed(cuts[1:])] if cuts else []:
            for start in range(max(0, end - self._longest), cuts[0]):
                entry = self._english.get(words[start:end])
                if entry and entry.names_a_kind:
                    return _candidate(entry, "suffix", words[start:end])
        return None

    def _parts(self, head: Words) -> list[Words]:
        """Splits a head at `and` and `or`, unless an alias has them: `bed and breakfast`."""
        entry_words = self._ending(head)
        return [head] if entry_words and JOINTS & {*entry_words} else alternatives(head)

    def _ending(self, words: Words) -> Words:
        """Returns the longest ending in the English lexicon, or an empty tuple."""
        for start in range(max(0, len(words) - self._longest), len(words)):
            if words[start:] in self._english:
                return words[start:]
        return ()

    def _hands_over(self, words: Words) -> bool:
        """Says whether all words are heads that name no kind of thing."""
        while ending := self._ending(words):
            if self._english[ending].names_a_kind:
                return False
            words = words[: -len(ending)]
        return not words

    def _read_compound(self, words: Words) -> list[Candidate]:
        """Reads a series of nouns: by the longest known ending, then by the words before it."""
        whole = words
        while ending := self._ending(words):
            entry = self._english[ending]
            before = words[: -len(ending)]
            if entry.names_a_kind:
                evidence: EvidenceKind = "suffix" if len(ending) > 1 or words != whole else "head"
                others = self._modifiers(before, but=entry.hierarchical_label)
                return [_candidate(entry, evidence, ending), *others]
            words = before
        return list(self._modifiers(words)) or (self._says_nothing(whole) if words != whole else [])

    def _says_nothing(self, words: Words) -> list[Candidate]:
        """Reads a phrase whose head names no kind of thing, without other known words.

        `building complex` is ignored; with an unknown word (`Dutch building`), a person is asked.
        """
        ending = self._ending(words)
        entry = self._english[ending]
        action: Action = "ignore" if self._hands_over(words) else "ask"
        return [_candidate(entry._replace(action=action), "head", ending)]

    def _modifiers(self, words: Words, but: str | None = None) -> Iterator[Candidate]:
        """Yields the last of the longest aliases among the words before a head."""
        for start, end in _spans(words):
            entry = self._english.get(words[start:end])
            if entry and entry.action == "accept" and entry.hierarchical_label != but:
                yield _candidate(entry, "modifier", words[start:end])
                return

    def _read_foreign(self, words: Words) -> list[Candidate]:
        """Reads a label in another language: aliases at either end, then anywhere."""
        for start, end in sorted(
            _spans(words), key=lambda span: span[0] > 0 and span[1] < len(words)
        ):
            span = words[start:end]
            if entry := self._foreign.get(span):
                at_an_end = start == 0 or end == len(words)
                return [_candidate(entry, "head" if at_an_end else "modifier", span)]
        for word in words:
            for start in range(1, len(word)):
                entry = self._foreign.get((word[start:],))
                if entry and entry.language in _COMPOUNDING and _is_part(word[start:]):
                    return [_candidate(entry, "head", (word[start:],))]
        return []


def _spans(words: Words) -> list[tuple[int, int]]:
    """Returns all spans of words, the longest first; of equal length, the last first."""
    size = len(words)
    return [
        (start, start + length)
        for length in range(size, 0, -1)
        for start in range(size - length, -1, -1)
    ]


def _is_part(ending: str) -> bool:
    return not ending.isascii() or len(ending) >= _SHORTEST_PART


def _candidate(entry: _Entry, evidence: EvidenceKind, words: Words) -> Candidate:
    said = " ".join(words)
    what = entry.hierarchical_label.strip() if entry.action == "accept" else entry.action
    return Candidate(
        action=entry.action,
        hierarchical_label=entry.hierarchical_label,
        evidence=evidence,
        words=said,
        reason=f"{_SAYS[evidence].format(said)} {what}"
        + (f": {entry.reason}" * bool(entry.reason)),
    )


def _weaker(candidate: Candidate) -> Candidate:
    """Returns a candidate from the words after `of`, as the weakest evidence."""
    entry = _Entry(candidate.action, candidate.hierarchical_label, "")
    return _candidate(entry, "tail", tuple(candidate.words.split()))
