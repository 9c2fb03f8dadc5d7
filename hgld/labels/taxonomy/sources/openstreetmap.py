"""Names of kinds of places in many languages: a distillate of OpenStreetMap's presets.

A preset is a kind of place that the iD editor offers, with a name and search terms in each
language. Presets are assigned to super-categories by hand; a name that says more than one of these
says none. Search terms are looser than names (`queen` finds a palace), so that only some count.

Source: OpenStreetMap's id-tagging-schema, https://github.com/openstreetmap/id-tagging-schema.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hgld.errors import InputError, MissingInputError

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


class Wording(NamedTuple):
    """How one language calls a preset."""

    names: tuple[str, ...]
    """The name and its aliases, in lower case."""
    terms: tuple[str, ...]
    """What a mapper may type instead, in lower case."""


class PresetName(NamedTuple):
    """A row of the table."""

    hierarchical_label: str
    language: str
    name: str
    """In lower case."""
    tag: str
    """The preset that is called so, such as `natural/water/lake`."""


def read_wordings(folder: Path, language: str) -> dict[str, Wording]:
    """Reads how a language calls each preset that it names.

    Args:
        folder: the package @openstreetmap/id-tagging-schema, unpacked.
        language: such as `zh-CN`, a file of dist/translations.

    Raises:
        MissingInputError: there is no such file.
        InputError: it is not of the package's format.
    """
    path = folder / "dist" / "translations" / f"{language}.json"
    presets = _read(path)
    try:
        presets = presets[language]["presets"]["presets"]
        return {preset: _wording(entry) for preset, entry in sorted(presets.items())}
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} must hold {language} > presets > presets > a preset > name, as version 6 of "
            f"id-tagging-schema does; got another structure ({error!r})"
        ) from error


def schema_version(folder: Path) -> str:
    """Returns the version of the package.

    Raises:
        MissingInputError: the folder has no package.json.
    """
    return str(_read(folder / "package.json").get("version", "unknown"))


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
    known = set().union(*wordings.values())
    unknown = sorted(labels.keys() - known)
    if unknown:
        raise InputError(
            f"each preset that has a label must be one of the source's, got {', '.join(unknown)}; "
            f"take it out, or give the label to what it is called now"
        )
    rows = []
    for language, presets in wordings.items():
        named = _holders((preset, wording.names) for preset, wording in presets.items())
        found = _holders((preset, wording.terms) for preset, wording in presets.items())
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


def _holders(texts: Iterable[tuple[str, Iterable[str]]]) -> dict[str, set[str]]:
    """Returns which presets have each text."""
    holders = defaultdict(set)
    for preset, some in texts:
        for text in some:
            holders[text].add(preset)
    return holders


def _wording(entry: Mapping[str, str]) -> Wording:
    names = [entry.get("name", ""), *entry.get("aliases", "").split("\n")]
    return Wording(
        names=tuple(_clean(_ALTERNATIVE.sub("", _PARENTHESES.sub(" ", name)) for name in names)),
        terms=tuple(_clean(_TERMS.split(_PARENTHESES.sub(" ", entry.get("terms", ""))))),
    )


def _clean(texts: Iterable[str]) -> Iterator[str]:
    """Yields texts in lower case, without blanks around them; no letters and no sentences."""
    for text in texts:
        clean = unicodedata.normalize("NFC", text).lower().translate(_QUOTES)
        clean = " ".join(clean.strip(" -").split())
        # A Chinese character is a word.
        if 1 < len(clean) <= _LONGEST or (len(clean) == 1 and clean > "\u2e7f"):
            yield clean


def _read(path: Path) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(
            f"{path} is not there; the folder must be the npm package "
            f"@openstreetmap/id-tagging-schema, unpacked"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} must be JSON, got {error}; unpack the package anew") from error
