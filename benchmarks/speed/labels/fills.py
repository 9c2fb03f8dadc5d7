"""Names of as many landmarks as GLDv2 has: learned from those with a label, and all guessed.

`hgld fill --labelled` in a process of its own. The baseline in one of its own too: TF-IDF of
characters and words with logistic regression, in scikit-learn as it comes.

    python -m hgld.benchmarks.speed.labels.fills --out fills.json

It needs the extra `cluster`. Names are made up: a noun of the taxonomy, in any language, with a
made-up place before or after it, and one in five without a noun.
"""

import argparse
import csv
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.labels.lists import HGLD, measured
from hgld.benchmarks.speed.measuring import write_report
from hgld.labels.taxonomy.rows import load_taxonomy_tables

_MOST_S = 300.0
_MOST_MB = 4_000.0
_BASELINE = (
    "import sys; from hgld.benchmarks.speed.labels.fills import run_plainly; "
    "run_plainly(*sys.argv[1:])"
)
_SYLLABLES = (
    *("ba", "ber", "bo", "bri", "ca", "che", "da", "do", "el", "fa", "gra", "ha", "in", "ka"),
    *("la", "lin", "lo", "ma", "mi", "mon", "na", "no", "or", "pa", "ra", "ri", "ro", "sa", "san"),
    *("se", "stein", "ta", "ter", "to", "tur", "va", "ven", "vi", "wald", "wick", "zell", "zi"),
)
_WITHOUT_NOUN = 0.2


def made_up_names(count: int, seed: int) -> list[tuple[str, str, str]]:
    """Returns distinct names of categories, each with its super-category and the side of that.

    Args:
        count: how many.
        seed: of the draws.
    """
    tables = load_taxonomy_tables()
    sides = {one.hierarchical_label: one.natural_or_human_made for one in tables.supercategories}
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    found: dict[str, str] = {}
    while len(found) < count:
        noun = draw.choice(tables.aliases)
        place = "".join(draw.choices(_SYLLABLES, k=draw.randint(2, 4))).capitalize()
        named = noun.alias.capitalize()
        name = draw.choice([f"{place} {named}", f"{named} {place}", f"{named} ({place})"])
        if draw.random() < _WITHOUT_NOUN:
            name = f"{place} {draw.choice(_SYLLABLES).capitalize()}"
        found.setdefault(name, noun.hierarchical_label)
    return [(f"Category:{name}", label, sides[label]) for name, label in found.items()]


def run_plainly(labelled: str, categories: str) -> None:
    """Guesses the labels of a file as scikit-learn's users would; what it finds is dropped."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    with Path(labelled).open(encoding="utf-8", newline="") as file:
        known = [(row["category"], row["hierarchical_label"]) for row in csv.DictReader(file)]
    with Path(categories).open(encoding="utf-8", newline="") as file:
        asked = [row["category"] for row in csv.DictReader(file)]
    model = make_pipeline(
        make_union(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
            TfidfVectorizer(sublinear_tf=True),
        ),
        LogisticRegression(C=10, max_iter=50),
    )
    names, labels = zip(*known, strict=True)
    model.fit(names, labels)
    print(len(model.predict_proba(asked)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the JSON file, and fails where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--names", type=int, default=203_094)
    parser.add_argument("--known", type=int, default=81_313, help="of them, that have a label")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-baseline", action="store_true")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    if not 2 <= options.known <= options.names:  # noqa: PLR2004 - two labels to choose from
        parser.error(f"--known must be from 2 to --names, got {options.known}")
    names = made_up_names(options.names, options.seed)
    columns = ("category", "hierarchical_label", "natural_or_human_made")
    with tempfile.TemporaryDirectory(prefix="hgld-fills-") as name:
        folder = Path(name)
        known, asked = folder / "known.csv", folder / "asked.csv"
        _write(known, columns, names[: options.known])
        _write(asked, columns[:1], (row[:1] for row in names))
        out = str(folder / "out")
        command = ["fill", "--labelled", str(known), "--categories", str(asked), "--out", out]
        results = {"fill": measured(HGLD, *command)}
        if not options.no_baseline:
            results["baseline"] = measured(_BASELINE, str(known), str(asked))
    report = {
        "metadata": {
            **describe_environment(["scikit-learn", "scipy", "numpy"]),
            "names": len(names),
            "known": options.known,
            "seed": options.seed,
            "note": options.note,
        },
        "results": results,
    }
    fill = results["fill"]
    bars = {"fill_s": (fill["wall_s"], _MOST_S), "fill_mb": (fill["peak_mb"], _MOST_MB)}
    write_report(parser, options.out, report, bars)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


if __name__ == "__main__":
    main(sys.argv[1:])
