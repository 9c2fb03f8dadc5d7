"""What does it cost to get from the classes of every landmark to its label?

203,094 landmarks, as many as GLDv2 has, of three classes each, out of 10,000 classes and 78
super-categories. Each way runs in a process of its own, from the tables on the disk:

- `rule`: `deciding_classes`, which gives each landmark its class, label and candidates;
- `plain`: the same rule as one would write it down in Python, landmark by landmark; that it gives
  the same is checked;
- `annotate`: the whole stage but for the images: the rule, what else is known of the landmarks, the
  table of them and the published CSV.

And where the losing candidates are best kept: the bytes that they take as a column of the image
rows, and as a table of the landmarks.

    python -m hgld.benchmarks.speed.release.resolving --out resolving.json
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.annotations.rule import deciding_classes
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb
from hgld.tables import (
    ATTRIBUTIONS,
    CATEGORIES,
    CLASSES,
    IMAGES,
    LANDMARK_LABELS,
    LANDMARKS,
    TAXONOMY,
)

_LANDMARKS = 203_094
_IMAGES = 4_132_914  # of the train split
_CLASSES = 10_000
_CLASSES_OF_EACH = 3
_NAMES = 78
_IMAGES_A_SHARD = 250_000
MOST_S = 20.0
MOST_MB = 1000.0

Outcome = dict[str, int | str]
Run = Callable[[], Callable[[], Outcome]]
"""Does the work, which is measured, and returns what tells its outcome, which is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvingCost:
    """What one way cost."""

    method: str
    seconds: list[float]
    median_s: float
    spread_s: float
    """Slowest less fastest round."""
    landmark_us: float
    """Median time for one landmark."""
    cpu_s: float
    """Median time of the processor, which other work on the machine disturbs less."""
    peak_mb: float | None
    """Most memory of its process, libraries included."""
    result: Outcome


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the result, and fails where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    numbers = {"rounds": 3, "seed": 0, "landmarks": _LANDMARKS, "images": _IMAGES}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="hgld-resolving-") as name:
        root = Path(name) / "build"
        write_tables(Workspace(root), options.landmarks, options.seed)
        runs: dict[str, Run] = {
            "rule": partial(resolve_by_rule, root),
            "plain": partial(resolve_plainly, root),
            "annotate": partial(annotate, root),
        }
        measured = measure_in_turns(runs, options.landmarks, options.rounds)
        kept = candidate_bytes(Workspace(root), options.images, options.seed)
    ours, plain, stage = measured
    if ours.result != plain.result:
        parser.exit(1, f"the rule gives {ours.result}, its plain reading {plain.result}\n")
    report = {
        "metadata": {
            **describe_environment(["pyarrow", "numpy"]),
            "seed": options.seed,
            "rounds": options.rounds,
            "landmarks": options.landmarks,
            "classes": _CLASSES,
            "classes_of_each": _CLASSES_OF_EACH,
            "images": options.images,
            "load_average": {"before": load, "after": os.getloadavg()},
            "note": options.note,
        },
        "results": [asdict(measurement) for measurement in measured],
        "rule / plain": {
            "time": round(ours.median_s / plain.median_s, 4),
            "cpu": round(ours.cpu_s / plain.cpu_s, 4),
        },
        "candidates_bytes": kept,
    }
    bars = {
        "annotate: median_s": (stage.median_s, MOST_S),
        "annotate: peak_mb": (stage.peak_mb or math.nan, MOST_MB),
        "rule: median_s": (ours.median_s, MOST_S),
        "rule: peak_mb": (ours.peak_mb or math.nan, MOST_MB),
    }
    write_report(parser, options.out, report, bars)


def write_tables(
    workspace: Workspace, landmarks: int, seed: int, *, ignored: float = 1 / 7
) -> None:
    """Writes a build whose landmarks have classes, a few of them many landmarks, as in GLDv2.

    The other classes of a landmark are of the same super-category in six cases of ten.

    Args:
        workspace: an empty one.
        landmarks: how many; they have no images.
        seed: of all that is chance.
        ignored: share of the classes that are.
    """
    chance = np.random.default_rng(seed)
    share = 1 / np.arange(1, _CLASSES + 1)
    share /= share.sum()
    label_of = chance.integers(0, _NAMES, _CLASSES)
    of_label = [np.flatnonzero(label_of == label) for label in range(_NAMES)]
    first = chance.choice(_CLASSES, landmarks, p=share)
    columns = [first]
    for _ in range(1, _CLASSES_OF_EACH):
        # A cube: of those of the same label the common ones come more often as well.
        like = [of_label[label_of[one]] for one in first]
        near = [
            same[int(len(same) * where**3)]
            for same, where in zip(like, chance.random(landmarks), strict=True)
        ]
        other = chance.choice(_CLASSES, landmarks, p=share)
        columns.append(np.where(chance.random(landmarks) < 0.6, near, other))  # noqa: PLR2004
    chosen = np.stack(columns, axis=1)  # (landmarks, 3)
    distinct = [set(row) for row in chosen.tolist()]
    counts = np.bincount([one for row in distinct for one in row], minlength=_CLASSES)
    ids = chance.permutation(landmarks)
    qids = np.array([f"Q{n}" for n in chance.choice(100_000_000, _CLASSES, replace=False)])
    is_ignored = chance.random(_CLASSES) < ignored
    names = [
        None if no else f"super-category {of}" for of, no in zip(label_of, is_ignored, strict=True)
    ]
    many = landmarks * _CLASSES_OF_EACH
    train, labels = pa.repeat("train", landmarks), np.char.add("label of ", qids)
    items = pa.array([f"Q{number}" for number in range(landmarks)])
    urls = [f"http://commons.wikimedia.org/wiki/Category:Landmark_{number}" for number in ids]
    places = {"split": train, "landmark_id": ids, "category": urls}
    write_columns(workspace, {LANDMARKS: places, IMAGES: {}, ATTRIBUTIONS: {}})
    write_columns(
        workspace,
        {
            CATEGORIES: {**places, "status": pa.repeat("ok", landmarks), "qid": items},
            CLASSES: {
                "split": pa.repeat("train", many),
                "landmark_id": np.repeat(ids, _CLASSES_OF_EACH),
                "qid": items.take(pa.array(np.repeat(np.arange(landmarks), _CLASSES_OF_EACH))),
                "class_qid": qids[chosen.reshape(-1)],
                "class_label": labels[chosen.reshape(-1)],
                "rank": pa.repeat("normal", many),
            },
        },
    )
    decided = {
        "class_qid": qids,
        "class_label": labels,
        "landmarks": counts,
        "decision": ["ignored" if no else "assigned" for no in is_ignored],
        "hierarchical_label": names,
        "natural_or_human_made": [name and "natural" for name in names],
        "reviewer": pa.repeat("somebody", _CLASSES),
    }
    write_columns(workspace, {TAXONOMY: decided})


def write_columns(workspace: Workspace, tables: Mapping[Dataset, Mapping[str, object]]) -> None:
    """Writes data sets of one stage; a column that is not given is null."""

    def produce(writer: StageWriter) -> None:
        for dataset, columns in tables.items():
            rows = max((len(column) for column in columns.values()), default=0)  # type: ignore[arg-type] # all have one
            arrays = {
                field.name: pa.array(columns[field.name], field.type)
                if field.name in columns
                else pa.nulls(rows, field.type)
                for field in dataset.schema
            }
            writer.write(dataset, "rows", pa.table(arrays, dataset.schema))

    stage = Stage(name=next(iter(tables)).stage, version=1, outputs=tuple(tables))
    given = {dataset.path: list(columns) for dataset, columns in tables.items()}
    run_stage(workspace, stage, given, produce)


def resolve_by_rule(root: Path) -> Callable[[], Outcome]:
    """Resolves as the stage does."""
    workspace = Workspace(root)
    found = deciding_classes(workspace.read(CLASSES), workspace.read(TAXONOMY))
    columns = ["landmark_id", "class_qid", "hierarchical_label", "candidates"]
    return lambda: _outcome([list(row.values()) for row in found.select(columns).to_pylist()])


def resolve_plainly(root: Path) -> Callable[[], Outcome]:
    """Resolves landmark by landmark, as the rule reads."""
    workspace = Workspace(root)
    taxonomy = {row["class_qid"]: row for row in workspace.read(TAXONOMY).to_pylist()}
    classes = defaultdict[int, set[str]](set)
    for row in workspace.read(CLASSES).to_pylist():
        classes[row["landmark_id"]].add(row["class_qid"])

    def specificity(qid: str) -> tuple[int, int]:
        return taxonomy[qid]["landmarks"], int(qid[1:])

    rows: list[list[object]] = []
    for landmark_id, qids in sorted(classes.items()):
        votes = defaultdict[str, list[str]](list)
        for qid in sorted(qids, key=specificity):
            if taxonomy[qid]["hierarchical_label"] is not None:
                votes[taxonomy[qid]["hierarchical_label"]].append(qid)
        # Most votes first, of equals the one whose most specific class is more specific.
        order = sorted(votes, key=lambda label: (-len(votes[label]), specificity(votes[label][0])))
        candidates = [
            {"hierarchical_label": label, "votes": len(votes[label]), "class_qid": votes[label][0]}
            | {"landmarks": taxonomy[votes[label][0]]["landmarks"]}
            for label in order
        ]
        qid = votes[order[0]][0] if order else min(qids, key=specificity)
        rows.append([landmark_id, qid, taxonomy[qid]["hierarchical_label"], candidates])
    return lambda: _outcome(rows)


def annotate(root: Path) -> Callable[[], Outcome]:
    """Runs the stage, which tells how many landmarks it has written and labelled."""
    workspace = Workspace(root, remakes=True)
    run_annotate(workspace, AnnotateConfig())

    def outcome() -> Outcome:
        labels = workspace.read(LANDMARK_LABELS, ["hierarchical_label"])["hierarchical_label"]
        return {"landmarks": len(labels), "labelled": len(labels) - labels.null_count}

    return outcome


def _outcome(rows: list[list[object]]) -> Outcome:
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return {"landmarks": len(rows), "labelled": sum(bool(row[2]) for row in rows), "sha256": digest}


def candidate_bytes(workspace: Workspace, images: int, seed: int) -> dict[str, int]:
    """Returns what the candidates take on the disk, by image and by landmark.

    Landmarks have one to thousands of images, in the order of random image ids.
    """
    chance = np.random.default_rng(seed)
    found = deciding_classes(workspace.read(CLASSES), workspace.read(TAXONOMY))
    share = chance.pareto(1.0, len(found)) + 1
    rows = chance.choice(len(found), images, p=share / share.sum())
    parts = [rows[start : start + _IMAGES_A_SHARD] for start in range(0, images, _IMAGES_A_SHARD)]
    by_image = [_parquet_bytes(found.select(["candidates"]).take(pa.array(part))) for part in parts]
    by_landmark = _parquet_bytes(found.select(["split", "landmark_id", "candidates"]))
    counts = pc.list_value_length(found["candidates"])
    return {
        "by_image": sum(by_image),
        "by_landmark": by_landmark,
        "images": images,
        "candidates": pc.sum(counts).as_py(),
    }


def _parquet_bytes(table: pa.Table) -> int:
    """Returns the size of a table as the engine writes it."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3)
    return int(sink.getvalue().size)


def measure_in_turns(runs: dict[str, Run], landmarks: int, rounds: int) -> list[ResolvingCost]:
    """Runs each way in turns, each time in a fresh process, so that its peak is its own."""
    seconds: dict[str, list[float]] = {method: [] for method in runs}
    cpu_seconds: dict[str, list[float]] = {method: [] for method in runs}
    peaks: dict[str, list[float | None]] = {method: [] for method in runs}
    results: dict[str, Outcome] = {}
    for _ in range(rounds):
        for method, run in runs.items():
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
                taken, cpu, peak, results[method] = pool.submit(timed, run).result()
            seconds[method].append(taken)
            cpu_seconds[method].append(cpu)
            peaks[method].append(peak)
            print(f"{method}: {taken:.2f} s, {cpu:.2f} s of CPU, {peak} MB", flush=True)
    return [
        ResolvingCost(
            method=method,
            seconds=[round(s, 3) for s in taken],
            median_s=round(statistics.median(taken), 3),
            spread_s=round(max(taken) - min(taken), 3),
            landmark_us=round(statistics.median(taken) / landmarks * 1e6, 3),
            cpu_s=round(statistics.median(cpu_seconds[method]), 3),
            peak_mb=max(filter(None, peaks[method]), default=None),
            result=results[method],
        )
        for method, taken in seconds.items()
    ]


def timed(run: Run) -> tuple[float, float, float | None, Outcome]:
    """Returns seconds and CPU seconds of a run, the peak of this process in MB, and its outcome."""
    started, cpu = time.perf_counter(), time.process_time()
    tell = run()
    taken, cpu = time.perf_counter() - started, time.process_time() - cpu
    return taken, cpu, peak_memory_mb(), tell()


if __name__ == "__main__":
    main()
