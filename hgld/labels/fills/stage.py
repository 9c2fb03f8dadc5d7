"""Stage `fill`: a label for landmarks without a labelled class, or why there is none.

`guessing` makes the guesses and measures their confidence. A guess becomes a label if guesses with
its confidence are right as often as `[fill] precision` demands; otherwise it stays a guess, with
the reason. A guess that a person accepted is the label. A guess that a person refused is not made
again for that category, and lowers the confidence of that super-category for similar names.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.config import Settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.fills.explaining import told_guesses
from hgld.labels.fills.guessing import NONE, Document, Guesses, KnownLandmarks, PictureVote, guess
from hgld.labels.fills.lexicon import name_of_category, read_lexicon
from hgld.labels.fills.nearby import near_texts
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.tables import (
    CATEGORIES,
    CLASSES,
    FILL_CHECKS,
    FILL_DECISIONS,
    FILLS,
    LANDMARKS,
    PARENTS,
    PICTURE_VOTES,
    PLACES,
    TAXONOMY,
)

logger = logging.getLogger(__name__)

PARENTS_FILE = f"{PARENTS.path}/00000.parquet"
PLACES_FILE = f"{PLACES.path}/00000.parquet"

STAGE = Stage(
    name="fill",
    version=4,
    inputs=(LANDMARKS, CATEGORIES, CLASSES, TAXONOMY, FILL_DECISIONS),
    input_files=(PARENTS_FILE, PLACES_FILE),  # optional
    outputs=(FILLS, FILL_CHECKS),
)

_REVIEWED = "reviewed"
"""The method of a label that a person accepted."""

Key = tuple[str, int]
"""Split and landmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillConfig(Settings):
    """Settings of the stage."""

    precision: float = setting(
        0.95,
        "Share of the labels that must be right, from 0 to 1, measured on held-out labelled "
        "landmarks; less confident guesses do not become labels.",
        above=0,
        most=1,
    )
    pictures: bool = setting(
        False, "Whether to use the votes of `hgld look`, which must have finished."
    )


def fill_stage(config: FillConfig) -> Stage:
    """Returns the stage with the inputs that the settings require."""
    return replace(STAGE, inputs=(*STAGE.inputs, PICTURE_VOTES)) if config.pictures else STAGE


def run_fill(workspace: Workspace, config: FillConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape`, `review` and `decided` have finished, and
            `look` if the votes of pictures count. Parents and places are used if there are any.
        config: the settings.

    Returns:
        The report; `rows` counts landmarks and checked guesses, the problems are landmarks without
        a label.

    Raises:
        MissingInputError: one of these has not finished, or the extra `cluster` is not installed.
    """
    return run_stage(
        workspace,
        fill_stage(config),
        row_settings(config) | library_settings(workspace, STAGE.name),
        lambda writer: _produce(workspace, config, writer),
    )


def _produce(workspace: Workspace, config: FillConfig, writer: StageWriter) -> None:
    with one_thread("fill"):
        fills, checks = _filled(_read_build(workspace, config), config)
    writer.write(FILLS, "fills", fills)
    writer.write(FILL_CHECKS, "checks", checks)
    counts = sorted(Counter(fills["status"].to_pylist()).items())
    logger.info("fill: %s", ", ".join(f"{count:,} {status}" for status, count in counts) or "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """The landmarks to learn from, and those to guess for."""

    known: KnownLandmarks
    known_keys: Sequence[Key]
    """Keys of `known`; of landmarks with the same category and label, the first."""
    asked: Sequence[Document]
    asked_rows: Sequence[Mapping[str, Any]]
    """The columns of FILLS that name the landmarks."""
    near: Mapping[int, str]
    """Row of `asked` to what stands near it."""
    sides: Mapping[str, str]
    """Label to natural or human-made."""
    accepted: Mapping[str, tuple[str, str, str]]
    """Category to the label that a person accepted, its side, and the reviewer."""
    refused: Mapping[str, frozenset[str]]
    """Category to the labels that a person refused."""


def _read_build(workspace: Workspace, config: FillConfig) -> _Build:
    """Reads the inputs of the stage.

    A landmark is known if all its labelled classes have the same super-category, or if a person
    accepted a guess; it is asked about if none of its classes has a super-category. If its classes
    disagree, the annotations' rule decides and nothing is learned from it. A landmark whose guess
    was refused is only a negative example.
    """
    taxonomy = workspace.read(
        TAXONOMY, ["class_qid", "hierarchical_label", "natural_or_human_made"]
    ).drop_null()
    qids, names, their_sides = (column.to_pylist() for column in taxonomy.columns)
    sides = dict(zip(names, their_sides, strict=True))
    accepted, refused = _decided(workspace)
    sides |= {label: side for label, side, _ in accepted.values()}
    labels_of = _labels_of_landmarks(workspace, dict(zip(qids, names, strict=True)))
    truth: dict[tuple[str | None, str], Key] = {}
    asked = []
    for row in workspace.read(LANDMARKS, ["split", "landmark_id", "category"]).to_pylist():
        key, category = (row["split"], row["landmark_id"]), row["category"]
        found = labels_of.get(key, set())
        if not found:
            asked.append(row)
        if category in accepted:
            found = {accepted[category][0]}
        elif not found and category in refused:
            found = {NONE}  # only refusals are known
        if len(found) == 1 and category:
            truth.setdefault((category, *found), key)
    parents, votes = _parents(workspace), _picture_votes(workspace) if config.pictures else {}

    def document(category: str | None, key: Key) -> Document:
        name = name_of_category(category or "")
        return Document((name, *parents.get(key, ())), votes.get(key))

    return _Build(
        known=KnownLandmarks(
            documents=[document(category, key) for (category, _), key in truth.items()],
            truth=[label for _, label in truth],
            labels=sorted(sides),
            refused={
                row: refused[category]
                for row, (category, label) in enumerate(truth)
                if label == NONE and category is not None
            },
        ),
        known_keys=list(truth.values()),
        asked=[document(row["category"], (row["split"], row["landmark_id"])) for row in asked],
        asked_rows=asked,
        near=_near(workspace, asked, labels_of),
        sides=sides,
        accepted=accepted,
        refused=refused,
    )


def _labels_of_landmarks(
    workspace: Workspace, label_of: Mapping[str, str]
) -> Mapping[Key, set[str]]:
    """Returns the super-categories of the classes of each landmark."""
    classes = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])
    voting = pa.array(list(label_of), pa.string())
    classes = classes.filter(pc.is_in(classes["class_qid"], value_set=voting))
    found: defaultdict[Key, set[str]] = defaultdict(set)
    columns = (column.to_pylist() for column in classes.columns)
    for split, landmark_id, qid in zip(*columns, strict=True):
        found[split, landmark_id].add(label_of[qid])
    return found


def _decided(
    workspace: Workspace,
) -> tuple[dict[str, tuple[str, str, str]], dict[str, frozenset[str]]]:
    """Returns the accepted label and the refused labels, by category."""
    accepted: dict[str, tuple[str, str, str]] = {}
    refused: dict[str, frozenset[str]] = {}
    for row in workspace.read(FILL_DECISIONS).to_pylist():
        category, label = row["category"], row["hierarchical_label"]
        if row["action"] == "accept":
            accepted[category] = (label, row["natural_or_human_made"], row["reviewer"])
        else:
            refused[category] = refused.get(category, frozenset()) | {label}
    return accepted, refused


def _parents(workspace: Workspace) -> dict[Key, tuple[str, ...]]:
    """Returns the parents and grandparents of each landmark's category; empty if not fetched."""
    path = workspace.path(PARENTS_FILE)
    if not path.exists():
        return {}
    rows = pq.read_table(path, columns=["page_title", "parents", "grandparents"]).to_pylist()
    above = {row["page_title"]: (*row["parents"], *row["grandparents"]) for row in rows}
    pages = workspace.read(CATEGORIES, ["split", "landmark_id", "page_title"])
    rows = zip(*(column.to_pylist() for column in pages.columns), strict=True)
    return {(split, number): above[title] for split, number, title in rows if title in above}


def _near(
    workspace: Workspace, asked: Iterable[Mapping[str, Any]], labels_of: Mapping[Key, set[str]]
) -> dict[int, str]:
    """Returns row of `asked` to what stands near it; empty if no places were fetched."""
    path = workspace.path(PLACES_FILE)
    if not path.exists():
        return {}
    keys = [(row["split"], row["landmark_id"]) for row in asked]
    label_of = {key: label for key, (label, *others) in labels_of.items() if not others}
    columns = ["split", "landmark_id", "qid", "latitude", "longitude", "coordinate_precision"]
    places = pq.read_table(path, columns=columns, partitioning=None)
    return near_texts(keys, label_of, places)


def _picture_votes(workspace: Workspace) -> dict[Key, PictureVote]:
    columns = ["split", "landmark_id", "best_guess", "confidence", "share", "evidence"]
    # Landmarks without a vote have nulls.
    table = workspace.read(PICTURE_VOTES, columns).drop_null()
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    return {(split, landmark_id): PictureVote(*vote) for split, landmark_id, *vote in rows}


def _filled(build: _Build, config: FillConfig) -> tuple[pa.Table, pa.Table]:
    """Returns the rows of FILLS and of FILL_CHECKS."""
    if not build.known.labels:
        logger.warning("fill: nothing to choose from, because no class has a super-category yet")
        why = "there is no super-category to choose from; decide on classes first"
        nothing = {"status": "unsure", "evidence": why, "method": "words"}
        rows = [{**row, **nothing} for row in build.asked_rows]
        return pa.Table.from_pylist(rows, FILLS.schema), FILL_CHECKS.schema.empty_table()
    lexicon = read_lexicon()
    refused = {
        place: build.refused[row["category"]]
        for place, row in enumerate(build.asked_rows)
        if row["category"] in build.refused
    }
    guesses = guess(build.known, build.asked, refused, lexicon=lexicon, precision=config.precision)
    told = told_guesses(build.asked, build.known, guesses, lexicon, config.precision, build.near)
    return _fill_rows(build, told), _check_rows(build, guesses)


def _fill_rows(build: _Build, told: Iterable[Mapping[str, Any]]) -> pa.Table:
    rows = []
    for row, guessed in zip(build.asked_rows, told, strict=True):
        if accepted := build.accepted.get(row["category"]):
            label, side, reviewer = accepted
            how = {"confidence": 1.0, "evidence": f"{reviewer} accepted it", "method": _REVIEWED}
            rows.append({**row, **_labelled(label, side), **how, "reviewer": reviewer})
            continue
        label = guessed["best_guess"]
        if label in build.refused.get(row["category"], ()):
            why = "every super-category that there is was refused"
            rows.append({**row, "status": "unsure", "evidence": why, "method": guessed["method"]})
            continue
        filled = {**row, **_labelled(label, build.sides[label])}
        if guessed["unsure"]:
            filled |= {"status": "unsure", "hierarchical_label": None}
            filled |= {"natural_or_human_made": None}
        rows.append(filled | {name: guessed[name] for name in ("confidence", "evidence", "method")})
    return pa.Table.from_pylist(rows, FILLS.schema)


def _labelled(label: str, side: str) -> dict[str, str]:
    return {
        "status": "ok",
        "hierarchical_label": label,
        "natural_or_human_made": side,
        "best_guess": label,
        "best_guess_side": side,
    }


def _check_rows(build: _Build, guesses: Guesses) -> pa.Table:
    rows = []
    for place, method, label, confidence in guesses.checks:
        split, landmark_id = build.known_keys[place]
        truth = build.known.truth[place] or None
        rows.append((split, landmark_id, truth, label, confidence, method))
    names = FILL_CHECKS.schema.names
    told = [dict(zip(names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(told, FILL_CHECKS.schema)
