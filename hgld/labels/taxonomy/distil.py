"""Makes the tables of nouns and names that ship, from WordNet and OpenStreetMap's presets.

    python -m hgld.labels.taxonomy.distil --wordnet DIR --osm DIR

The folders are /usr/share/wordnet of Debian's wordnet-base, and the npm package
@openstreetmap/id-tagging-schema unpacked; shipped/LICENSES.md has their versions and digests.
What is chosen by hand lies in `sources/`: the roots and nouns of WordNet, the labels of presets.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from hgld.engine.files import file_digest, write_text
from hgld.errors import HgldError, InputError
from hgld.labels.taxonomy.rows import SHIPPED
from hgld.labels.taxonomy.sources import openstreetmap, wordnet

DISTILLED = SHIPPED
CHOSEN = Path(__file__).parent / "sources"


def distil_wordnet(folder: Path) -> str:
    """Returns the text of wordnet.csv: noun, hierarchical_label, synset.

    Args:
        folder: WordNet's database.

    Raises:
        HgldError: it is not there or not WordNet's, or has no noun that is chosen by hand.
    """
    roots = [
        wordnet.RootSynset(row["synset"], _levels(row["levels"]), row["hierarchical_label"])
        for row in read_distilled(CHOSEN / "roots.csv")
    ]
    chosen = {
        row["noun"]: row["hierarchical_label"] for row in read_distilled(CHOSEN / "nouns.csv")
    }
    nouns = wordnet.distil_nouns(wordnet.read_wordnet(folder), roots, chosen)
    return _csv(wordnet.Noun._fields, nouns)


def distil_openstreetmap(folder: Path) -> str:
    """Returns the text of openstreetmap.csv: hierarchical_label, language, name, tag.

    Args:
        folder: the package id-tagging-schema, unpacked.

    Raises:
        HgldError: it is not there or of another format, or has no preset that has a label by hand.
    """
    presets = read_distilled(CHOSEN / "presets.csv")
    labels = {row["preset"]: row["hierarchical_label"] for row in presets}
    trusted = {row["preset"] for row in presets if row["terms"]}
    wordings = {
        language: openstreetmap.read_wordings(folder, language)
        for language in openstreetmap.PRESET_LANGUAGES
    }
    return _csv(
        openstreetmap.PresetName._fields, openstreetmap.distil_names(wordings, labels, trusted)
    )


def read_distilled(path: Path) -> list[dict[str, str]]:
    """Reads a CSV table: what is distilled, or what was chosen by hand for it."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes both tables, and prints the versions of the sources; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun")
    parser.add_argument("--osm", type=Path, required=True, help="folder with package.json")
    parser.add_argument("--out", type=Path, default=DISTILLED, help="where the tables go")
    options = parser.parse_args(arguments)
    try:
        tables = {
            "wordnet.csv": distil_wordnet(options.wordnet),
            "openstreetmap.csv": distil_openstreetmap(options.osm),
        }
        _say(f"WordNet {wordnet.wordnet_version(options.wordnet)}")
        for name in wordnet.WORDNET_FILES:
            _say(f"  {file_digest(options.wordnet / name)}  {name}")
        _say(f"id-tagging-schema {openstreetmap.schema_version(options.osm)}")
        for name, text in tables.items():
            write_text(options.out / name, text)
            _say(f"{name}: {text.count(chr(10)) - 1} rows, {len(text.encode())} bytes")
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _levels(text: str) -> int | None:
    if text != "all" and not text.isdigit():
        raise InputError(f"levels of roots.csv must be `all` or a number from 0, got {text!r}")
    return None if text == "all" else int(text)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
