"""English nouns that name a kind of a super-category: a distillate of WordNet.

Roots are chosen by hand: a synset whose hyponyms all belong to one super-category, or to none (a
cut). Each synset below takes the label of its nearest root, and a noun that of its synsets, where
these are at least half of what the noun is used for.

Source: G. A. Miller, WordNet: A Lexical Database for English, Communications of the ACM 38 (1995);
the files are described in its manual pages wndb(5WN) and cntlist(5WN).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hgld.errors import InputError, MissingInputError

WORDNET_FILES = ("data.noun", "index.noun", "cntlist.rev")
_HYPERNYM = "@"  # `@i`, that of an instance, is another symbol: proper names stay without
_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WordNet:
    """The nouns of a WordNet.

    Attributes:
        senses: of each noun in lower case, with `_` for a blank, its synsets by sense number.
        spellings: of each synset, its nouns as they are written there.
        hyponyms: of each synset, those directly below.
        uses: of a noun and a sense number from 1, how often it was met in tagged texts, if at all.
    """

    senses: Mapping[str, tuple[str, ...]]
    spellings: Mapping[str, tuple[str, ...]]
    hyponyms: Mapping[str, tuple[str, ...]]
    uses: Mapping[tuple[str, int], int]


class RootSynset(NamedTuple):
    """A synset from which a label goes down."""

    synset: str
    """As `church.n.02`: a noun and the number of its sense."""
    levels: int | None
    """How many levels of hyponyms take the label as well; None for all."""
    hierarchical_label: str
    """Empty for a cut: what lies below belongs to no super-category."""


class Noun(NamedTuple):
    """A row of the table."""

    noun: str
    """In lower case, words parted by blanks."""
    hierarchical_label: str
    synset: str
    """As `church.n.02`: the sense of this noun that has the label, the most frequent of them."""


def read_wordnet(folder: Path) -> WordNet:
    """Reads the noun files of WordNet's database.

    Args:
        folder: with `WORDNET_FILES`, such as /usr/share/wordnet of Debian's wordnet-base.

    Raises:
        MissingInputError: a file is not there.
        InputError: a line is not of WordNet's format.
    """
    senses = {}
    spellings = {}
    hyponyms = defaultdict(list)
    uses = {}
    for line in _lines(folder / "index.noun", fields=6):
        senses[line[0]] = tuple(line[-int(line[2]) :])
    for line in _lines(folder / "data.noun", fields=6):
        nouns, pointers = _synset(line)
        spellings[line[0]] = nouns
        for symbol, target, part_of_speech in pointers:
            if symbol == _HYPERNYM and part_of_speech == "n":
                hyponyms[target].append(line[0])
    for key, number, count in _lines(folder / "cntlist.rev", fields=3):
        noun, _, sense = key.partition("%")
        if sense.startswith("1:"):  # a noun
            uses[noun, int(number)] = int(count)
    return WordNet(
        senses=senses,
        spellings=spellings,
        hyponyms={synset: tuple(below) for synset, below in hyponyms.items()},
        uses=uses,
    )


def wordnet_version(folder: Path) -> str:
    """Returns the version that the licence at the head of data.noun names, such as `3.0`."""
    with (folder / "data.noun").open(encoding="utf-8") as file:
        for line in itertools.takewhile(lambda line: line.startswith(" "), file):
            _, found, rest = line.partition("WordNet ")
            if found and rest[:1].isdigit():
                return rest.split()[0]
    return "unknown"


def distil_nouns(
    wordnet: WordNet, roots: Iterable[RootSynset], chosen: Mapping[str, str]
) -> list[Noun]:
    """Returns the nouns of the super-categories, sorted.

    A noun's label is the one with the largest share of its uses, if that is at least a half and no
    other label has as much; of a sense that no text showed, and one more of any other, one use is
    assumed. Senses that are proper names are other words. A compound is left out where its last
    word alone has the same label, since whoever looks a name up looks for its head noun.

    Args:
        wordnet: all nouns.
        roots: where labels start.
        chosen: the label of nouns that are used otherwise in names of places than in texts, or
            empty to leave a noun out.

    Raises:
        InputError: WordNet has no such root, or no such noun.
    """
    labels = label_synsets(wordnet, roots)
    found = {}
    for word in sorted(wordnet.senses):
        noun = _named(wordnet, word, labels)
        if noun:
            found[noun.noun] = noun
    for text, label in sorted(chosen.items()):
        word = text.replace(" ", "_")
        if word not in wordnet.senses:
            raise InputError(f"WordNet has no noun {text!r}; take it out of the chosen nouns")
        found.pop(text, None)
        if label:
            found[text] = Noun(text, label, _sense_to_choose(wordnet, word, label, labels))
    return [noun for _, noun in sorted(found.items()) if not _says_its_head(noun, found, chosen)]


def label_synsets(wordnet: WordNet, roots: Iterable[RootSynset]) -> dict[str, str]:
    """Returns the label of each synset that a root reaches, an empty one below a cut.

    The nearest root counts. Where two with different labels are equally near, a synset has none.

    Raises:
        InputError: WordNet has no such root, or a synset is a root twice.
    """
    nearest: dict[str, tuple[int, str]] = {}
    starts = set()
    for root in roots:
        start = _find(wordnet, root.synset)
        if start in starts:
            raise InputError(f"each root must be another synset, got that of {root.synset} twice")
        starts.add(start)
        for synset, level in _below(wordnet, start, root.levels):
            known, label = nearest.get(synset, (level, root.hierarchical_label))
            if level == known and label != root.hierarchical_label:
                nearest[synset] = (level, "")
            elif level <= known:
                nearest[synset] = (level, root.hierarchical_label)
    return {synset: label for synset, (_, label) in nearest.items()}


def _below(wordnet: WordNet, start: str, levels: int | None) -> Iterator[tuple[str, int]]:
    """Yields a synset and all below it, once each, with how far below: WordNet has cycles."""
    seen = {start}
    row = [start]
    for level in itertools.count():
        yield from ((synset, level) for synset in row)
        below = (synset for above in row for synset in wordnet.hyponyms.get(above, ()))
        row = [synset for synset in dict.fromkeys(below) if synset not in seen]
        seen.update(row)
        if not row or level == levels:
            return


def _named(wordnet: WordNet, word: str, labels: Mapping[str, str]) -> Noun | None:
    """Returns a noun with its label, or None where most of its uses have none."""
    uses: dict[str, int] = defaultdict(int)
    best: dict[str, tuple[int, int]] = {}
    for number, synset in enumerate(wordnet.senses[word], start=1):
        if not _is_proper(wordnet, word, synset):
            label, count = labels.get(synset, ""), 1 + wordnet.uses.get((word, number), 0)
            uses[label] += count
            best[label] = min(best.get(label, (-count, number)), (-count, number))
    for label, count in uses.items():
        rivals = (other for name, other in uses.items() if name and name != label)
        if label and count >= _SHARE * sum(uses.values()) and count > max(rivals, default=0):
            return Noun(word.replace("_", " "), label, f"{word}.n.{best[label][1]:02}")
    return None


def _is_proper(wordnet: WordNet, word: str, synset: str) -> bool:
    return word not in wordnet.spellings[synset]  # written there with a capital


def _says_its_head(noun: Noun, found: Mapping[str, Noun], chosen: Mapping[str, str]) -> bool:
    rest, _, head = noun.noun.rpartition(" ")
    known = found.get(head)
    return bool(
        rest
        and known
        and known.hierarchical_label == noun.hierarchical_label
        and noun.noun not in chosen
    )


def _sense_to_choose(wordnet: WordNet, word: str, label: str, labels: Mapping[str, str]) -> str:
    """Returns the first sense of a noun that has a label, or the first of all."""
    senses = enumerate(wordnet.senses[word], start=1)
    number = next((number for number, synset in senses if labels.get(synset) == label), 1)
    return f"{word}.n.{number:02}"


def _find(wordnet: WordNet, name: str) -> str:
    """Returns the synset of a name such as `church.n.02`."""
    word, _, rest = name.rpartition(".n.")
    senses = wordnet.senses.get(word.lower(), ())
    if not rest.isdigit() or not 0 < int(rest) <= len(senses):
        raise InputError(
            f"a root must be a noun and a sense of it that WordNet has, as `church.n.02`; got "
            f"{name!r}, {len(senses)} senses are known"
        )
    return senses[int(rest) - 1]


def _lines(path: Path, *, fields: int) -> Iterator[list[str]]:
    """Yields the fields of each line that is not of the licence, which is indented."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.startswith(" "):
                    continue
                found = line.partition(" | ")[0].split()
                if len(found) < fields:
                    raise InputError(
                        f"{path}:{number} must have at least {fields} fields, got {len(found)}; "
                        f"is it WordNet's?"
                    )
                yield found
    except FileNotFoundError as error:
        raise MissingInputError(
            f"{path} is not there; the folder must hold {', '.join(WORDNET_FILES)}, as "
            f"/usr/share/wordnet of Debian's wordnet-base does"
        ) from error


def _synset(fields: list[str]) -> tuple[tuple[str, ...], list[tuple[str, str, str]]]:
    """Returns the nouns of a line of data.noun, and its pointers: symbol, synset, part of speech.

    After four fields: w_cnt (hex), word, lex_id, ..., p_cnt, symbol, offset, pos, source/target.
    """
    end = 4 + 2 * int(fields[3], 16)
    pointers = fields[end + 1 : end + 1 + 4 * int(fields[end])]
    return tuple(fields[4:end:2]), list(
        zip(pointers[::4], pointers[1::4], pointers[2::4], strict=True)
    )
