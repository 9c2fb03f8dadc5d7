"""The words of a taxonomy to encode with the labels, so that proposals need no encoder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from hgld.errors import InputError
from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables, of_one_meaning, read_csv_rows

_LANGUAGE = "en"
_DISTILLED = (("wordnet", "wordnet.csv", "noun"), ("openstreetmap", "openstreetmap.csv", "name"))


class _Word(NamedTuple):
    phrase: str
    hierarchical_label: str
    kind: str

    @property
    def meaning(self) -> tuple[str, str]:
        return self.phrase.casefold(), self.hierarchical_label


def taxonomy_words(folder: Path | None) -> pa.Table:
    """Returns example phrases of each super-category.

    Only English phrases: the text encoders were trained on little else, and aliases match foreign
    labels directly. A phrase that ends in another phrase of the same super-category adds nothing
    (`coffee plantation` beside `plantation`) and is left out, 2,100 of 5,500; the names of
    super-categories all stay. A distilled word is used only if it means one super-category and is
    not among the words written by hand.

    Args:
        folder: a user's own taxonomy; None takes the shipped one. Distilled words of
            super-categories that it lacks are left out.

    Returns:
        String columns phrase, hierarchical_label, natural_or_human_made and kind (name, alias,
        wordnet, openstreetmap): names in the order of the taxonomy, then the others.

    Raises:
        InputError: the folder holds no taxonomy, or an empty one.
    """
    tables = load_taxonomy_tables(folder)
    if not tables.supercategories:
        raise InputError(f"{folder} must have a super-category in supercategories.csv, got none")
    labels = [each.hierarchical_label for each in tables.supercategories]
    sides = {each.hierarchical_label: each.natural_or_human_made for each in tables.supercategories}
    by_hand = [_Word(label.strip(), label, "name") for label in labels]  # one has a final space
    by_hand += [
        _Word(each.alias, each.hierarchical_label, "alias")
        for each in tables.aliases
        if each.language == _LANGUAGE
    ]
    distilled = [
        _Word(row[column], row["hierarchical_label"], kind)
        for kind, file, column in _DISTILLED
        for row in read_csv_rows(SHIPPED / file)
        if row.get("language", _LANGUAGE) == _LANGUAGE and row["hierarchical_label"] in sides
    ]
    single = of_one_meaning(word.meaning for word in distilled)
    allowed = single.keys() - {word.meaning[0] for word in by_hand}
    words = [*by_hand, *(word for word in distilled if word.meaning[0] in allowed)]
    words = list(_shortest(words))
    columns = {name: [getattr(word, name) for word in words] for name in _Word._fields}
    columns["natural_or_human_made"] = [sides[word.hierarchical_label] for word in words]
    return pa.table(columns)


def _shortest(words: Sequence[_Word]) -> Iterator[_Word]:
    """Yields names, and the first of each other word that ends in no word of the same meaning."""
    meanings, seen = {word.meaning for word in words}, set[tuple[str, str]]()
    for word in words:
        phrase, label = word.meaning
        parts = phrase.split()
        endings = (" ".join(parts[start:]) for start in range(1, len(parts)))
        is_longer = any((ending, label) in meanings for ending in endings)
        if word.meaning not in seen and (word.kind == "name" or not is_longer):
            yield word
        seen.add(word.meaning)
