"""Nouns and names distilled from WordNet and OpenStreetMap's presets: how they were made, are read.

    python -m hgld.labels.taxonomy.distil --wordnet DIR --osm DIR

The folders are /usr/share/wordnet of Debian's wordnet-base, and the npm package
@openstreetmap/id-tagging-schema unpacked; shipped/LICENSES.md has their versions and digests.
What is chosen by hand lies in `sources/`: the roots and nouns of WordNet, the labels of presets.

Sources: G. A. Miller, WordNet: A Lexical Database for English, Communications of the ACM 38 (1995);
its files are described in the manual pages wndb(5WN) and cntlist(5WN).
https://github.com/openstreetmap/id-tagging-schema.
"""

import argparse
import csv
import io
import itertools
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hgld.engine.files import write_text
from hgld.errors import InputError
from hgld.labels.taxonomy.rows import SHIPPED

DISTILLED = SHIPPED
CHOSEN = Path(__file__).parent / "sources"

_SHARE = 0.5
# Those in which most presets are named; the codes are the names of the translations' files.
PRESET_LANGUAGES = (
    *("ar", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it"),
    *("ja", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "zh-CN"),
)
_PARENTHESES = re.compile(r"[(\uff08][^)\uff09]*[)\uff09]")
# `Sports Center / Complex`: what follows is often no name without what precedes.
_ALTERNATIVE = re.compile(r"\s+/\s.*|\s*[,،、].*")
_QUOTES = str.maketrans("", "", '\u00ad"„“”«»')  # and the soft hyphen
# Longer names describe rather than name; with this, both tables stay below 400 kB.
_LONGEST = 21
_TERMS = re.compile(r"[,،、]")


def read_distilled(path: Path) -> list[dict[str, str]]:
    """Reads a CSV table: what is distilled, or what was chosen by hand for it."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class WordNet(NamedTuple):
    """The nouns of a WordNet."""

    senses: Mapping[str, Sequence[str]]
    """Of each noun in lower case, with `_` for a blank, its synsets by sense number."""
    spellings: Mapping[str, Sequence[str]]
    """Of each synset, its nouns as they are written there."""
    hyponyms: Mapping[str, Sequence[str]]
    """Of each synset, those directly below."""
    uses: Mapping[tuple[str, int], int]
    """Of a noun and a sense number from 1, how often it was met in tagged texts, if at all."""


class RootSynset(NamedTuple):
    """A synset from which a label goes down."""

    synset: str
    """As `church.n.02`: a noun and the number of its sense."""
    levels: str
    """How many levels of hyponyms take the label as well; `all`."""
    hierarchical_label: str
    """Empty for a cut: what lies below belongs to no super-category."""


class Noun(NamedTuple):
    """A row of wordnet.csv."""

    noun: str
    """In lower case, words parted by blanks."""
    hierarchical_label: str
    synset: str
    """As `church.n.02`: the sense of this noun that has the label, the most frequent of them."""


def distil_wordnet(folder: Path) -> str:
    """Returns the text of wordnet.csv, from the folder of WordNet's database."""
    roots = [
        RootSynset(row["synset"], row["levels"], row["hierarchical_label"])
        for row in read_distilled(CHOSEN / "roots.csv")
    ]
    nouns = read_distilled(CHOSEN / "nouns.csv")
    chosen = {row["noun"]: row["hierarchical_label"] for row in nouns}
    return _csv(Noun._fields, distil_nouns(read_wordnet(folder), roots, chosen))


def read_wordnet(folder: Path) -> WordNet:
    """Reads the noun files of WordNet's database: data.noun, index.noun and cntlist.rev."""
    senses, spellings, uses = {}, {}, {}
    hyponyms = defaultdict(list)
    for line in _lines(folder / "index.noun"):
        senses[line[0]] = line[-int(line[2]) :]
    for line in _lines(folder / "data.noun"):
        # After four fields: w_cnt (hex), word, lex_id, ..., p_cnt, symbol, offset, pos, source.
        end = 4 + 2 * int(line[3], 16)
        spellings[line[0]] = line[4:end:2]
        pointers = line[end + 1 : end + 1 + 4 * int(line[end])]
        for symbol, target, part_of_speech in zip(*(pointers[n::4] for n in range(3)), strict=True):
            if (symbol, part_of_speech) == ("@", "n"):  # `@i` is that of an instance, a name
                hyponyms[target].append(line[0])
    for key, number, count, *_ in _lines(folder / "cntlist.rev"):
        noun, _, sense = key.partition("%")
        if sense.startswith("1:"):  # a noun
            uses[noun, int(number)] = int(count)
    return WordNet(senses, spellings, hyponyms, uses)


def _lines(path: Path) -> list[list[str]]:
    """Returns the fields of each line that is not of the licence, which is indented."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.partition(" | ")[0].split() for line in lines if not line.startswith(" ")]


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
    named = (_named(wordnet, word, labels) for word in wordnet.senses)
    found = {noun.noun: noun for noun in named if noun}
    for text, label in chosen.items():
        word = text.replace(" ", "_")
        if word not in wordnet.senses:
            raise InputError(f"WordNet has no noun {text!r}; take it out of the chosen nouns")
        found.pop(text, None)
        if label:
            # The first sense that has the label, or the first of all.
            senses = enumerate(wordnet.senses[word], start=1)
            sense = next((n for n, synset in senses if labels.get(synset) == label), 1)
            found[text] = Noun(text, label, f"{word}.n.{sense:02}")

    def says_its_head(noun: Noun) -> bool:
        rest, _, head = noun.noun.rpartition(" ")
        known = found.get(head) if rest else None
        return known is not None and known.hierarchical_label == noun.hierarchical_label

    return sorted(n for n in found.values() if n.noun in chosen or not says_its_head(n))


def label_synsets(wordnet: WordNet, roots: Iterable[RootSynset]) -> dict[str, str]:
    """Returns the label of each synset that a root reaches, an empty one below a cut.

    The nearest root counts. Where two with different labels are equally near, a synset has none.

    Raises:
        InputError: WordNet has no such root, or a synset is a root twice.
    """
    nearest: dict[str, tuple[int, str]] = {}
    starts = set()
    for root in roots:
        word, _, number = root.synset.rpartition(".n.")
        senses = dict(enumerate(wordnet.senses.get(word.lower(), ()), start=1))
        start = senses.get(int(number) if number.isdigit() else 0)
        if start is None or start in starts:
            raise InputError(f"WordNet has no synset {root.synset}, or it is a root twice")
        starts.add(start)
        for synset, level in _below(wordnet, start, root.levels):
            known, label = nearest.get(synset, (level, root.hierarchical_label))
            if level == known and label != root.hierarchical_label:
                nearest[synset] = (level, "")
            elif level <= known:
                nearest[synset] = (level, root.hierarchical_label)
    return {synset: label for synset, (_, label) in nearest.items()}


def _below(wordnet: WordNet, start: str, levels: str) -> Iterator[tuple[str, int]]:
    """Yields a synset and all below it, once each, with how far below: WordNet has cycles."""
    seen = {start}
    row = [start]
    for level in itertools.count() if levels == "all" else range(int(levels) + 1):
        yield from ((synset, level) for synset in row)
        below = (synset for above in row for synset in wordnet.hyponyms.get(above, ()))
        row = [synset for synset in dict.fromkeys(below) if synset not in seen]
        seen.update(row)
        if not row:
            return


def _named(wordnet: WordNet, word: str, labels: Mapping[str, str]) -> Noun | None:
    """Returns a noun with its label, or None where most of its uses have none."""
    uses: dict[str, int] = defaultdict(int)
    best: dict[str, tuple[int, int]] = {}
    for number, synset in enumerate(wordnet.senses[word], start=1):
        if word in wordnet.spellings[synset]:  # a proper name has a capital there
            label, count = labels.get(synset, ""), 1 + wordnet.uses.get((word, number), 0)
            uses[label] += count
            best[label] = min(best.get(label, (-count, number)), (-count, number))
    for label, count in uses.items():
        rivals = (other for name, other in uses.items() if name and name != label)
        if label and count >= _SHARE * sum(uses.values()) and count > max(rivals, default=0):
            return Noun(word.replace("_", " "), label, f"{word}.n.{best[label][1]:02}")
    return None


class Wording(NamedTuple):
    """How one language calls a preset: a kind of place that the iD editor offers."""

    names: tuple[str, ...]
    """The name and its aliases, in lower case."""
    terms: tuple[str, ...]
    """What a mapper may type instead, in lower case: looser, `queen` finds a palace."""


class PresetName(NamedTuple):
    """A row of openstreetmap.csv."""

    hierarchical_label: str
    language: str
    name: str
    """In lower case."""
    tag: str
    """The preset that is called so, such as `natural/water/lake`."""


def distil_openstreetmap(folder: Path) -> str:
    """Returns the text of openstreetmap.csv, from the package id-tagging-schema, unpacked."""
    presets = read_distilled(CHOSEN / "presets.csv")
    labels = {row["preset"]: row["hierarchical_label"] for row in presets}
    trusted = {row["preset"] for row in presets if row["terms"]}
    wordings = {language: read_wordings(folder, language) for language in PRESET_LANGUAGES}
    return _csv(PresetName._fields, distil_names(wordings, labels, trusted))


def read_wordings(folder: Path, language: str) -> dict[str, Wording]:
    """Reads how a language calls each preset that it names."""
    path = folder / "dist" / "translations" / f"{language}.json"
    presets = json.loads(path.read_text(encoding="utf-8"))[language]["presets"]["presets"]
    found = {}
    for preset, entry in presets.items():
        names = [entry.get("name", ""), *entry.get("aliases", "").split("\n")]
        found[preset] = Wording(
            names=_clean(_ALTERNATIVE.sub("", _PARENTHESES.sub(" ", name)) for name in names),
            terms=_clean(_TERMS.split(_PARENTHESES.sub(" ", entry.get("terms", "")))),
        )
    return found


def _clean(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns texts in lower case, without blanks around them; no letters and no sentences."""
    lowered = (unicodedata.normalize("NFC", text).lower().translate(_QUOTES) for text in texts)
    found = (" ".join(text.strip(" -").split()) for text in lowered)
    # A Chinese character is a word.
    return tuple(
        text for text in found if 1 < len(text) <= _LONGEST or (len(text) == 1 and text > "\u2e7f")
    )


def distil_names(
    wordings: Mapping[str, Mapping[str, Wording]],
    labels: Mapping[str, str],
    trusted: Collection[str],
) -> list[PresetName]:
    """Returns the names of the super-categories, sorted.

    In one language a text says at most one super-category. As a name it does where all presets of
    that name have the same label. As a term it does where all presets that have it as a term do,
    none has it as a name, and it is known to be another word for one of them: a trusted preset's,
    or a large part of its name, as `bahnhof` is of `bahnhofgebäude`.

    Args:
        wordings: of each language, of each preset.
        labels: the label of each preset that has one.
        trusted: the presets whose terms are other words for them.

    Raises:
        InputError: no language knows a preset of `labels`.
    """
    if unknown := sorted(labels.keys() - set().union(*wordings.values())):
        raise InputError(f"presets.csv has presets that are no more: {', '.join(unknown)}")
    rows = []
    for language, presets in wordings.items():
        named, found = defaultdict(set), defaultdict(set)
        for preset, wording in presets.items():
            for name in wording.names:
                named[name].add(preset)
            for term in wording.terms:
                found[term].add(preset)
        for text, holders in (found | named).items():
            said = {labels.get(preset, "") for preset in holders}
            sure = text in named or any(
                preset in trusted or _is_part_of_a_name(text, presets[preset].names)
                for preset in holders
            )
            if sure and len(said) == 1 and (label := said.pop()):
                rows.append(PresetName(label, language, text, min(holders)))
    return sorted(rows)


def _is_part_of_a_name(term: str, names: Iterable[str]) -> bool:
    return any(
        (term in name and 2 * len(term) > len(name)) or (name in term and 2 * len(name) > len(term))
        for name in names
    )


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun")
    parser.add_argument("--osm", type=Path, required=True, help="folder with package.json")
    parser.add_argument("--out", type=Path, default=DISTILLED, help="where the tables go")
    options = parser.parse_args(arguments)
    write_text(options.out / "wordnet.csv", distil_wordnet(options.wordnet))
    write_text(options.out / "openstreetmap.csv", distil_openstreetmap(options.osm))


if __name__ == "__main__":
    main()
