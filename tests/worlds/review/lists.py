"""Builds to review: a long list of labels, as large as GLDv2's, and a small one with a scrape."""

import csv
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.speed.review_action import made_up_labels
from hgld.engine.workspace import Workspace
from hgld.flows.label_list import cluster_list
from hgld.labels.clustering.kmeans import cluster_centres
from hgld.labels.embedding.words import taxonomy_words
from hgld.labels.proposing.stage import ProposeConfig, run_propose
from hgld.review.stage import run_decided
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS, EMBEDDINGS, LABELS, WORDS
from tests.worlds.builders import TrigramEncoder, class_rows, write_scrape, write_stage
from tests.worlds.taxonomies import write_taxonomy as write_own_taxonomy

# What no word of the taxonomy reads, as a sixth of the classes of a real scrape.
_ODD = (
    *("ensemble", "initiative", "company", "dynasty", "award", "festival", "album", "surname"),
    *("protocol", "committee", "genre", "season", "movement", "brand", "series", "treaty"),
)
_BEFORE = ("Baltic", "Andean", "Tuscan", "imperial", "annual", "joint", "royal", "seventh", "lost")
_AFTER = ("of the north", "of 1889", "for all", "in brick", "by decree", "under glass", "at sea")
_ODD_SHARE = 1 / 6
_ALPHA = 0.9  # of the Pareto distribution of landmarks: a few classes have most of them


def write_review_list(
    root: Path, labels: int = 10_000, clusters: int = 150, seed: int = 0
) -> Workspace:
    """Makes what `hgld cluster --labels` makes of many labels: 80 s for 10,000, with MiniLM.

    Args:
        root: the folder to write.
        labels: how many; a sixth of them the taxonomy cannot read.
        clusters: how many.
        seed: of the order and of the landmarks.

    Returns:
        The build.
    """
    chance = random.Random(seed)
    odd = [" ".join(words) for words in itertools.product(_BEFORE, _ODD, _AFTER)]
    chance.shuffle(odd)
    odd = odd[: int(labels * _ODD_SHARE)]
    names = [*made_up_labels(labels - len(odd), seed), *odd]
    chance.shuffle(names)
    root.mkdir(parents=True, exist_ok=True)
    path = root / "list.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = ([name, int(chance.paretovariate(_ALPHA))] for name in names)
        csv.writer(file).writerows([["label", "count"], *rows])
    cluster_list(path, root, {"embed": {"encoder": "minilm"}, "cluster": {"clusters": clusters}})
    return Workspace(root)


# Q-id, label, landmarks, cluster
CASCADES: Sequence[tuple[str, str, int, int]] = (
    ("Q34038", "waterfall", 9, 0),
    ("Q1131316", "tall waterfall", 5, 0),
    ("Q15324", "cascade", 4, 0),
    ("Q200001", "horsetail waterfall", 2, 0),
    ("Q200002", "weir", 1, 0),
    ("Q23397", "lake", 8, 1),
    ("Q200003", "mountain lake", 6, 1),
    ("Q200004", "salt lake", 3, 1),
    ("Q200005", "tarn", 2, 1),
    ("Q12280", "footbridge", 7, 2),
    ("Q200006", "wooden footbridge", 3, 2),
    ("Q200007", "span", 2, 2),
    ("Q200008", "viaduct", 1, 2),
    ("Q9259", "heritage site", 12, 3),
    ("Q200009", "company", 2, 3),
    ("Q200010", "<script>alert('x')</script> & \"quoted\"", 1, 3),
)
"""Classes around the three super-categories of `tests.worlds.taxonomies`."""
_KNOWN = """\
class_qid,class_label,action,hierarchical_label
Q34038,waterfall,accept,cascade
Q12280,footbridge,accept,span
Q200008,viaduct,ask,
"""


def write_small_review(
    root: Path, classes: Sequence[tuple[str, str, int, int]] = CASCADES
) -> Workspace:
    """Writes a scraped build of a few classes and a small taxonomy, with its proposals.

    Args:
        root: the build; the taxonomy lies in `taxonomy` beside it.
        classes: Q-id, label, landmarks and cluster of each.

    Returns:
        The build. Landmark 1 has the first two classes.
    """
    workspace = Workspace(root)
    scraped = _landmarks_of(classes)
    categories = [
        {
            "split": split,
            "landmark_id": number,
            "category": f"http://commons.wikimedia.org/wiki/Category:Site_No%C3%ABl_{number}",
            "status": "ok",
        }
        for split, number in scraped
    ]
    write_scrape(workspace, class_rows(scraped), categories)
    write_labels(workspace, classes)
    run_decided(workspace)
    run_propose(workspace, small_settings(workspace))
    return workspace


def small_settings(workspace: Workspace) -> ProposeConfig:
    """Returns the settings of the proposals of a small build."""
    return ProposeConfig(taxonomy=workspace.root.parent / "taxonomy")


def write_settings(workspace: Workspace) -> None:
    """Writes the same as the settings file of the build, for a process of its own."""
    taxonomy = json.dumps(str(small_settings(workspace).taxonomy))
    workspace.path("hgld.toml").write_text(f"[embed]\ntaxonomy = {taxonomy}\n", encoding="utf-8")


def write_labels(workspace: Workspace, classes: Sequence[tuple[str, str, int, int]]) -> None:
    """Writes the tables of `embed` and `cluster`, as another run of them would."""
    encoder = TrigramEncoder()
    qids, labels = [one[0] for one in classes], [one[1] for one in classes]
    vectors = encoder.encode(labels)
    groups = np.unique([one[3] for one in classes], return_inverse=True)[1]
    centres = cluster_centres(vectors, groups)
    words = taxonomy_words(write_own_taxonomy(workspace.root.parent / "taxonomy", classes=_KNOWN))
    of_words = encoder.encode(words["phrase"].to_pylist())
    words = words.append_column("text", words["phrase"])
    words = words.append_column("embedding", _lists(of_words))
    counts = pa.array([one[2] for one in classes], pa.int64())
    named = {"class_qid": qids, "class_label": labels, "landmarks": counts}
    labelled = pa.table(named | {"label_language": ["en"] * len(qids)})
    embedded = pa.table({"class_qid": qids, "text": labels, "embedding": _lists(vectors)})
    tables = ((LABELS, labelled), (EMBEDDINGS, embedded), (WORDS, words))
    write_stage(workspace, [(one, table.select(one.schema.names)) for one, table in tables])
    similarity = (vectors * centres[groups]).sum(axis=1)
    clusters = named | {
        "cluster_id": pa.array([one[3] for one in classes], pa.int32()),
        "similarity": pa.array(similarity, pa.float32()),
    }
    empty = [(one, one.schema.empty_table()) for one in (CENTRES, CLUSTER_CHANGES)]
    write_stage(workspace, [(CLUSTERS, pa.table(clusters)), *empty])


def _lists(vectors: NDArray[np.float32]) -> pa.Array:
    return pa.array(list(vectors), pa.list_(pa.float32()))


def _landmarks_of(
    classes: Sequence[tuple[str, str, int, int]],
) -> Mapping[tuple[str, int], list[tuple[str, str]]]:
    numbers = itertools.count(1)
    scraped = {
        ("train", number): [(qid, label)]
        for qid, label, landmarks, _ in classes
        for number, _ in zip(numbers, range(landmarks), strict=False)
    }
    # The second class is one of the first landmark's too, in place of one of its own.
    scraped["train", 1].append(classes[1][:2])
    first = next(key for key, pairs in scraped.items() if pairs == [classes[1][:2]])
    del scraped[first]
    return scraped
