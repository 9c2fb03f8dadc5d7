"""How right are words, parents and pictures, alone and together, and how sure are they?

    python -m hgld.benchmarks.labels.methods.command --labelled FILE --build DIR --out fills.json

FILE has the columns of `hgld fill --labelled`. Its names get parents that are made up, at three
strengths (`parents.py` says how); the official names are real. The pictures are those of a build
with photographs, its labels those of its classes, its names learned beside the official ones; a
stand-in for CLIP votes (`probe.py`). `--of` measures one of the two. Other sections of the file
stay.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.labels.fills import PRECISION, Names, read_labelled_names
from hgld.benchmarks.labels.methods.measuring import (
    heads_read,
    measure_combinations,
    score_words,
)
from hgld.benchmarks.labels.methods.parents import (
    STRENGTHS,
    LabelHeads,
    known_heads,
    made_up_parents,
    written_heads,
)
from hgld.benchmarks.labels.methods.probe import picture_features, probe_votes
from hgld.engine.workspace import Workspace
from hgld.labels.fills.config import FillConfig
from hgld.labels.fills.guessing.lexicon import Lexicon, read_lexicon
from hgld.labels.fills.guessing.subjects import NONE
from hgld.labels.fills.landmarks import read_build
from hgld.labels.scikit_learn import one_thread
from hgld.training.model.weights import PACKAGE

SECTION = "by_method"
_WITH_PICTURES = "middling"
"""How strong the made-up parents are beside pictures."""
_Measured = dict[str, Any]


def measure_parents(names: Names, lexicon: Lexicon) -> _Measured:
    """Measures words and made-up parents on official names."""
    words = score_words(names, lexicon)
    found: _Measured = {
        "what": "official names, parents made up from their labels",
        "heads_read": {
            "of heads.csv": heads_read(_in_a_place(written_heads()), lexicon),
            "of the taxonomy": heads_read(_in_a_place(known_heads()), lexicon),
        },
    }
    for strength, shares in STRENGTHS.items():
        parents = made_up_parents(names.names.tolist(), names.truth.tolist(), shares)
        found[strength] = {"shares": asdict(shares)} | measure_combinations(
            names, words, lexicon, parents
        )
    return found


def measure_pictures(names: Names, lexicon: Lexicon, workspace: Workspace) -> _Measured:
    """Measures words, made-up parents and votes of a stand-in on the photographs of a build."""
    build = read_build(workspace, FillConfig())
    features = picture_features(workspace)
    place_of = {key: place for place, key in enumerate(features.keys)}
    own = {name: row for row, name in enumerate(build.known.subjects.names)}
    others = [row for row, name in enumerate(names.names.tolist()) if name not in own]
    truth = [*build.known.truth, *names.truth[others].tolist()]
    everything = Names(
        names=np.array([*build.known.subjects.names, *names.names[others].tolist()]),
        truth=np.array(truth),
        sides={**build.sides, **names.sides},
    )
    # Places of landmarks with pictures among the features, by their rows among all names.
    pictured = {
        row: place_of[key]
        for row, key in enumerate(build.known_keys)
        if key in place_of and truth[row] != NONE
    }

    labels = {place: truth[row] for row, place in pictured.items()}
    votes = probe_votes(features, labels, everything.sides)
    voted = [votes.get(pictured.get(row, -1)) for row in range(len(truth))]
    words = score_words(everything, lexicon)
    parents = made_up_parents(everything.names.tolist(), truth, STRENGTHS[_WITH_PICTURES])
    return {
        "what": f"photographs of a build, votes of a linear probe on {PACKAGE}, fitted on other "
        f"landmarks; parents made up, {_WITH_PICTURES}",
        "landmarks": len(pictured),
        "pictures": int(np.isin(features.owners, list(pictured.values())).sum()),
        "super_categories": len({truth[row] for row in pictured}),
        "without parents": measure_combinations(everything, words, lexicon, votes=voted),
        "with parents": measure_combinations(everything, words, lexicon, parents, voted),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and writes the section of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--labelled", type=Path, required=True, help="CSV of labelled categories")
    parser.add_argument("--build", type=Path, help="a build with photographs; none: no pictures")
    parser.add_argument("--of", choices=["parents", "pictures"], help="one of the two alone")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write into")
    options = parser.parse_args(arguments)
    if options.of == "pictures" and options.build is None:
        parser.error("--of pictures takes --build, a folder with photographs")
    names, lexicon = read_labelled_names(options.labelled), read_lexicon()
    found: _Measured = {}
    with one_thread("the benchmark of fills"):
        if options.of != "pictures":
            found["parents"] = measure_parents(names, lexicon)
        if options.build is not None and options.of != "parents":
            found["pictures"] = measure_pictures(names, lexicon, Workspace(options.build))
    about = {
        **describe_environment(["scikit-learn", "scipy", "numpy"]),
        "names": len(names.names),
        "precision": PRECISION,
    }
    report = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    section = report.setdefault(SECTION, {})
    for part, measured in found.items():
        section[part] = {"metadata": about, **measured}
    options.out.write_text(
        json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _in_a_place(heads: LabelHeads) -> dict[str, list[str]]:
    return {label: [f"{head} in Bari" for _, head in some] for label, some in heads.items()}


if __name__ == "__main__":
    main()
