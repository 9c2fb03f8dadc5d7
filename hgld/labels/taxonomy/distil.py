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
import itertools
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        rest, _, head = noun.rpartition(" ")
        if noun in chosen or not rest or found.get(head) != label:
            word = noun.replace(" ", "_")
            senses = [
                n for n, each in enumerate(wordnet.senses[word], 1) if labels.get(each) == label
            ]
            # The sense that has the label and is met most; of a chosen noun the first.
            most = [0 if noun in chosen else -wordnet.uses.get((word, n), 0) for n in senses]
            sense = min(zip(most, senses, strict=True), default=(0, 1))[1]
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
    near: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for root in roots:
        word, _, number = root["synset"].rpartition(".n.")
        start = wordnet.senses[word.lower()][int(number) - 1]
        for level, synset in _below(wordnet, start, root["levels"]):
            near[synset].add((level, root["hierarchical_label"]))
    nearest = {synset: sorted(found) for synset, found in near.items()}
    return {
        synset: "" if [level for level, _ in found].count(found[0][0]) > 1 else found[0][1]
        for synset, found in nearest.items()
    }


def _below(wordnet: WordNet, start: str, levels: str) -> Iterator[tuple[int, str]]:
    """Yields a synset and all below it, once each, with how far below: WordNet has cycles."""
    seen, row = {start}, [start]
    for level in itertools.count() if levels == "all" else range(int(levels) + 1):
        yield from ((level, synset) for synset in row)
        below = (synset for above in row for synset in wordnet.hyponyms.get(above, ()))
        row = [synset for synset in dict.fromkeys(below) if synset not in seen]
        seen.update(row)
        if not row:
            return


def _label_of(wordnet: WordNet, word: str, labels: Mapping[str, str]) -> str:
    """Returns the label of a noun; empty where most of its uses have none."""
    uses = Counter[str]()
    for number, synset in enumerate(wordnet.senses[word], start=1):
        if word in wordnet.spellings[synset]:  # a proper name has a capital there
            uses[labels.get(synset, "")] += 1 + wordnet.uses.get((word, number), 0)
    ranked = [(label, count) for label, count in uses.most_common() if label]
    (label, most), (_, second) = [*ranked, ("", 0), ("", 0)][:2]
    return label if most > second and most >= _SHARE * uses.total() else ""


class Wording(NamedTuple):
    """How one language calls a preset: a kind of place that the iD editor offers."""

    names: tuple[str, ...]
    """The name and its aliases, in lower case."""
    terms: tuple[str, ...]
    """What a mapper may type instead, in lower case: looser, `queen` finds a palace."""


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
        for preset, wording in wordings.items():
            for texts, holders in ((wording.names, named), (wording.terms, found)):
                for text in texts:
                    holders[text].add(preset)
        for text, holding in (found | named).items():
            said = {labels.get(preset, "") for preset in holding}
            is_sure = text in named or any(
                preset in trusted or _is_part_of_a_name(text, wordings[preset].names)
                for preset in holding
            )
            if is_sure and len(said) == 1 and (label := said.pop()):
                rows.append((label, language, text, min(holding)))
    return _csv(("hierarchical_label", "language", "name", "tag"), sorted(rows))


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


def _is_part_of_a_name(term: str, names: Iterable[str]) -> bool:
    pairs = (sorted((term, name), key=len) for name in names)
    return any(short in long and 2 * len(short) > len(long) for short, long in pairs)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun")
    parser.add_argument("--osm", type=Path, required=True, help="folder with package.json")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the tables go")
    options = parser.parse_args(arguments)
    write_text(options.out / "wordnet.csv", distil_wordnet(options.wordnet))
    write_text(options.out / "openstreetmap.csv", distil_openstreetmap(options.osm))


if __name__ == "__main__":
    main()
