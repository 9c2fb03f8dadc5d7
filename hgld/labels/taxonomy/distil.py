"""Makes wordnet.csv and openstreetmap.csv from WordNet and OpenStreetMap's presets.

    python -m hgld.labels.taxonomy.distil --wordnet DIR --osm DIR

The folders are /usr/share/wordnet of Debian's wordnet-base, and the unpacked npm package
@openstreetmap/id-tagging-schema; shipped/LICENSES.md has their versions and digests. `sources/` has
the choices made by hand: the roots and nouns of WordNet, the labels of presets.

Sources: G. A. Miller, WordNet: A Lexical Database for English, Communications of the ACM 38 (1995);
its files are described in the manual pages wndb(5WN) and cntlist(5WN).
https://github.com/openstreetmap/id-tagging-schema.
"""

import argparse
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hgld.engine.files import write_text
from hgld.labels.taxonomy.rows import SHIPPED, read_csv_rows
from hgld.tables.csv_files import csv_text

CHOSEN = Path(__file__).parent / "sources"

_SHARE = 0.5
# The languages with names for most presets; the codes are the names of the translation files.
PRESET_LANGUAGES = (
    *("ar", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it"),
    *("ja", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "zh-CN"),
)
_PARENTHESES = re.compile(r"[(\uff08][^)\uff09]*[)\uff09]")
# `Sports Center / Complex`: the second part is often not a name by itself.
_ALTERNATIVE = re.compile(r"\s+/\s.*|\s*[,،、].*")
_QUOTES = str.maketrans("", "", '\u00ad"„“”«»')  # and the soft hyphen
# Longer names describe rather than name; with this, both tables stay below 400 kB.
_LONGEST = 21
_TERMS = re.compile(r"[,،、]")

Texts = tuple[str, ...]


class WordNet(NamedTuple):
    """The nouns of a WordNet."""

    senses: Mapping[str, Sequence[str]]
    """Noun in lower case, with `_` for a blank, to its synsets by sense number."""
    spellings: Mapping[str, Sequence[str]]
    """Synset to its nouns as written."""
    hyponyms: Mapping[str, Sequence[str]]
    """Synset to those directly below."""
    uses: Mapping[tuple[str, int], int]
    """Noun and sense number, from 1, to its count in tagged texts, if any."""


def read_wordnet(folder: Path) -> WordNet:
    """Reads the noun files of WordNet's database: data.noun, index.noun and cntlist.rev."""
    senses = {line[0]: line[-int(line[2]) :] for line in _lines(folder / "index.noun")}
    spellings, uses, hyponyms = {}, {}, defaultdict(list)
    for line in _lines(folder / "data.noun"):
        # After four fields: w_cnt (hex), word, lex_id, ..., p_cnt, symbol, offset, pos, source.
        end = 4 + 2 * int(line[3], 16)
        spellings[line[0]] = line[4:end:2]
        pointers = line[end + 1 : end + 1 + 4 * int(line[end])]
        for symbol, target, part_of_speech in zip(*(pointers[n::4] for n in range(3)), strict=True):
            if (symbol, part_of_speech) == ("@", "n"):  # `@i` marks an instance, a proper name
                hyponyms[target].append(line[0])
    for key, number, count, *_ in _lines(folder / "cntlist.rev"):
        noun, _, sense = key.partition("%")
        if sense.startswith("1:"):  # a noun
            uses[noun, int(number)] = int(count)
    return WordNet(senses, spellings, hyponyms, uses)


def _lines(path: Path) -> list[list[str]]:
    """Returns the fields of each line, without the licence, whose lines are indented."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.partition(" | ")[0].split() for line in lines if not line.startswith(" ")]


def distil_wordnet(folder: Path) -> str:
    """Returns the text of wordnet.csv: the nouns of the super-categories, sorted.

    A noun's label is the one with the largest share of its uses, if that is at least half and no
    other label has as many; each sense counts one use more than the tagged texts have. Senses that
    are proper names do not count. Nouns that mean something else in place names have a label chosen
    by hand, or none. A compound is left out if its last word has the same label, because a name is
    looked up by its head noun.

    Args:
        folder: of WordNet's database.
    """
    wordnet = read_wordnet(folder)
    labels = label_synsets(wordnet, read_csv_rows(CHOSEN / "roots.csv"))
    named = ((word, _label_of(wordnet, word, labels)) for word in wordnet.senses)
    found = {word.replace("_", " "): label for word, label in named if label}
    chosen = {row["noun"]: row["hierarchical_label"] for row in read_csv_rows(CHOSEN / "nouns.csv")}
    found = {noun: label for noun, label in (found | chosen).items() if label}
    rows = []
    for noun, label in sorted(found.items()):
        word, (rest, _, head) = noun.replace(" ", "_"), noun.rpartition(" ")
        if noun in chosen or not rest or found.get(head) != label:
            numbered = enumerate(wordnet.senses[word], start=1)
            senses = [number for number, synset in numbered if labels.get(synset) == label] or [1]
            # The most frequent sense with the label; for a noun chosen by hand, the first.
            uses = {} if noun in chosen else wordnet.uses
            sense = max(senses, key=lambda number: uses.get((word, number), 0))
            rows.append((noun, label, f"{word}.n.{sense:02}"))
    return csv_text([("noun", "hierarchical_label", "synset"), *rows])


def label_synsets(wordnet: WordNet, roots: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Returns the label of each synset that a root reaches; empty below a cut.

    The nearest root counts. If two with different labels are equally near, a synset has no label.

    Args:
        wordnet: all nouns.
        roots: synset (`church.n.02`: a noun and a sense number), levels (how many levels of
            hyponyms take the label too, or `all`) and hierarchical_label (empty for a cut).
    """
    near: dict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for root in roots:
        word, _, number = root["synset"].rpartition(".n.")
        level, synsets, seen = 0, {wordnet.senses[word.lower()][int(number) - 1]}, set[str]()
        while synsets and (root["levels"] == "all" or level <= int(root["levels"])):
            for synset in synsets:
                near[synset][level].add(root["hierarchical_label"])
            seen |= synsets  # WordNet has cycles
            synsets = {one for above in synsets for one in wordnet.hyponyms.get(above, ())} - seen
            level += 1
    nearest = {synset: found[min(found)] for synset, found in near.items()}
    return {synset: labels.pop() if len(labels) == 1 else "" for synset, labels in nearest.items()}


def _label_of(wordnet: WordNet, word: str, labels: Mapping[str, str]) -> str:
    """Returns the label of a noun; empty if most of its uses have none."""
    uses = Counter[str]()
    for number, synset in enumerate(wordnet.senses[word], start=1):
        if word in wordnet.spellings[synset]:  # a proper name has a capital there
            uses[labels.get(synset, "")] += 1 + wordnet.uses.get((word, number), 0)
    ranked = [(label, count) for label, count in uses.most_common() if label]
    (label, most), (_, second) = [*ranked, ("", 0), ("", 0)][:2]
    return label if most > second and most >= _SHARE * uses.total() else ""


def distil_openstreetmap(folder: Path) -> str:
    """Returns the text of openstreetmap.csv: the names of the super-categories, sorted.

    A text means at most one super-category per language: all presets with that name, or if there
    are none, all presets with that term, must have the same label. A term must also be a synonym of
    a preset: the preset is trusted, or the term is a large part of its name, as `bahnhof` is of
    `bahnhofgebäude`.

    Args:
        folder: the unpacked package id-tagging-schema.
    """
    presets = read_csv_rows(CHOSEN / "presets.csv")
    labels = {row["preset"]: row["hierarchical_label"] for row in presets}
    trusted = {row["preset"] for row in presets if row["terms"]}
    rows = []
    for language in PRESET_LANGUAGES:
        wordings = read_wordings(folder, language)
        named, found = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        sure = set[str]()
        for preset, (names, terms) in wordings.items():
            for text in names:
                named[text].add(preset)
            for text in terms:
                found[text].add(preset)
            sure.update(names)
            sure.update(text for text in terms if preset in trusted or _is_part(text, names))
        for text, holding in (found | named).items():
            said = {labels.get(preset, "") for preset in holding}
            if text in sure and len(said) == 1 and (label := said.pop()):
                rows.append((label, language, text, min(holding)))
    return csv_text([("hierarchical_label", "language", "name", "tag"), *sorted(rows)])


def read_wordings(folder: Path, language: str) -> dict[str, tuple[Texts, Texts]]:
    """Reads the names of each preset, a kind of place in the iD editor, in one language.

    Returns:
        Preset to its names (with aliases) and its terms, which are looser search words (`queen`
        finds a palace). All are in lower case.
    """
    path = folder / "dist" / "translations" / f"{language}.json"
    presets = json.loads(path.read_text(encoding="utf-8"))[language]["presets"]["presets"]
    found = {}
    for preset, entry in presets.items():
        names = [entry.get("name", ""), *entry.get("aliases", "").split("\n")]
        plain = (_ALTERNATIVE.sub("", _PARENTHESES.sub(" ", name)) for name in names)
        terms = _TERMS.split(_PARENTHESES.sub(" ", entry.get("terms", "")))
        found[preset] = (_clean(plain), _clean(terms))
    return found


def _clean(texts: Iterable[str]) -> Texts:
    """Returns texts stripped and in lower case, without single letters and sentences."""
    lowered = (unicodedata.normalize("NFC", text).lower().translate(_QUOTES) for text in texts)
    found = (" ".join(text.strip(" -").split()) for text in lowered)
    # One Chinese character can be a word.
    return tuple(
        text for text in found if 1 < len(text) <= _LONGEST or (len(text) == 1 and text > "\u2e7f")
    )


def _is_part(term: str, names: Iterable[str]) -> bool:
    """Says whether a term is a large part of a name, or a name of the term."""
    pairs = (sorted((term, name), key=len) for name in names)
    return any(short in long and 2 * len(short) > len(long) for short, long in pairs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes both tables into the folder of the shipped ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun")
    parser.add_argument("--osm", type=Path, required=True, help="folder with package.json")
    options = parser.parse_args(arguments)
    write_text(SHIPPED / "wordnet.csv", distil_wordnet(options.wordnet))
    write_text(SHIPPED / "openstreetmap.csv", distil_openstreetmap(options.osm))


if __name__ == "__main__":
    main()
