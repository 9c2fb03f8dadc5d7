"""How wordnet.csv and openstreetmap.csv were made, of WordNet and of OpenStreetMap's presets.

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
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hgld.engine.files import write_text
from hgld.labels.taxonomy.rows import SHIPPED, read_csv_rows

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

Texts = tuple[str, ...]


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


def distil_wordnet(folder: Path) -> str:
    """Returns the text of wordnet.csv: the nouns of the super-categories, sorted.

    A noun's label is the one with the largest share of its uses, if that is at least a half and no
    other label has as much; of a sense that no text showed, and one more of any other, one use is
    assumed. Senses that are proper names are other words. Nouns that are used otherwise in names of
    places than in texts have a label chosen by hand, or none. A compound is left out where its last
    word alone has the same label, since whoever looks a name up looks for its head noun.

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
            # The sense that has the label and is met most; of a chosen noun the first.
            uses = {} if noun in chosen else wordnet.uses
            sense = max(senses, key=lambda number: uses.get((word, number), 0))
            rows.append((noun, label, f"{word}.n.{sense:02}"))
    return _csv(("noun", "hierarchical_label", "synset"), rows)


def label_synsets(wordnet: WordNet, roots: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Returns the label of each synset that a root reaches, an empty one below a cut.

    The nearest root counts. Where two with different labels are equally near, a synset has none.

    Args:
        wordnet: all nouns.
        roots: synset (`church.n.02`: a noun and the number of its sense), levels (how many levels
            of hyponyms take the label as well, or `all`) and hierarchical_label (empty for a cut).
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
    """Returns the label of a noun; empty where most of its uses have none."""
    uses = Counter[str]()
    for number, synset in enumerate(wordnet.senses[word], start=1):
        if word in wordnet.spellings[synset]:  # a proper name has a capital there
            uses[labels.get(synset, "")] += 1 + wordnet.uses.get((word, number), 0)
    ranked = [(label, count) for label, count in uses.most_common() if label]
    (label, most), (_, second) = [*ranked, ("", 0), ("", 0)][:2]
    return label if most > second and most >= _SHARE * uses.total() else ""


def distil_openstreetmap(folder: Path) -> str:
    """Returns the text of openstreetmap.csv: the names of the super-categories, sorted.

    In one language a text says at most one super-category. As a name it does where all presets of
    that name have the same label. As a term it does where all presets that have it as a term do,
    none has it as a name, and it is known to be another word for one of them: a trusted preset's,
    or a large part of its name, as `bahnhof` is of `bahnhofgebäude`.

    Args:
        folder: the package id-tagging-schema, unpacked.
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
    return _csv(("hierarchical_label", "language", "name", "tag"), sorted(rows))


def read_wordings(folder: Path, language: str) -> dict[str, tuple[Texts, Texts]]:
    """Reads how a language calls each preset, which is a kind of place that the iD editor offers.

    Returns:
        Preset to its names (with aliases), and to its terms: what a mapper may type instead, which
        is looser (`queen` finds a palace). All are in lower case.
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
    """Returns texts in lower case, without blanks around them; no letters and no sentences."""
    lowered = (unicodedata.normalize("NFC", text).lower().translate(_QUOTES) for text in texts)
    found = (" ".join(text.strip(" -").split()) for text in lowered)
    # A Chinese character is a word.
    return tuple(
        text for text in found if 1 < len(text) <= _LONGEST or (len(text) == 1 and text > "\u2e7f")
    )


def _is_part(term: str, names: Iterable[str]) -> bool:
    """Tells whether a term is a large part of a name, or a name of the term."""
    pairs = (sorted((term, name), key=len) for name in names)
    return any(short in long and 2 * len(short) > len(long) for short, long in pairs)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes both tables where the shipped ones lie."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun")
    parser.add_argument("--osm", type=Path, required=True, help="folder with package.json")
    options = parser.parse_args(arguments)
    write_text(SHIPPED / "wordnet.csv", distil_wordnet(options.wordnet))
    write_text(SHIPPED / "openstreetmap.csv", distil_openstreetmap(options.osm))


if __name__ == "__main__":
    main()
