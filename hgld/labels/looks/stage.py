"""Stage `look`: what the pictures of landmarks that no class gives a label say. Off by default.

Each picture of such a landmark votes for the super-category that CLIP finds it nearest to. Every
landmark that was looked at has a row, with what most of them say or why there is nothing. Some
landmarks that have a label by their classes are looked at as well (`checked`), so that it shows how
often pictures are right. It is one kind of evidence for `fill`, which decides on labels.

A picture that is damaged is left out and counted. Where all of a landmark's pictures are gone or
altered, its row has failed: the stage counts as incomplete, and a rerun looks again. A row whose
pictures, names and settings are those of an earlier run is taken over from it, so that a few more
decisions of a reviewer cost a look at few landmarks.
"""

import functools
import hashlib
import json
import logging
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.encoders import prompted
from hgld.labels.embedding.weights import with_weights
from hgld.labels.looks.clip import (
    MOST_PICTURES,
    ClipModel,
    PixelNormalisation,
    Unread,
    Vote,
    load_clip,
    votes_of_landmarks,
)
from hgld.labels.looks.landmarks import Landmark, find_unlabelled, read_names
from hgld.pictures import DECODING
from hgld.tables import CLASSES, IMAGE_FILES, IMAGES, LANDMARKS, PICTURE_VOTES, TAXONOMY

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Looked = Sequence[Vote | Unread]
Look = Callable[[Sequence[Landmark]], Iterator[Looked]]

_SPLITS = ("train", "index")

STAGE = Stage(
    name="look",
    version=1,
    inputs=(LANDMARKS, IMAGES, CLASSES, TAXONOMY, *(IMAGE_FILES[split] for split in _SPLITS)),
    outputs=(PICTURE_VOTES,),
)

PART = 500
"""Landmarks in a file: a run that was killed looks at no more than so many again."""
# Settings that choose which landmarks and pictures are looked at; none says what is made of a
# landmark's pictures. The weights count by what they hold, not by what they are called.
_CHOOSING = frozenset({"split", "train", "checked", "pictures", "weights"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LookConfig:
    """Settings of the stage."""

    model: str = setting("ViT-L-14", "Name of an open_clip model.")
    weights: str = setting("laion2b_s32b_b82k", "A tag of that model's weights, or a file.")
    normalisation: PixelNormalisation = setting(
        "auto",
        "Mean and deviation of the pixels that the model was trained with. auto: those of the tag, "
        "and of a file those of clip. inception: 1/2, as laion2b_s32b_b82k has.",
    )
    prompt: str = setting(
        "A picture of a {label}",
        "The text that pictures are compared with; {label} stands for the super-category.",
    )
    split: Literal["", "train", "index"] = setting(
        "", "The one split whose landmarks are looked at; none: both."
    )
    train: Literal["clean", "all"] = setting(
        "clean", "Which train images are looked at: those of train_clean.csv, or all."
    )
    checked: int = setting(
        500,
        "Landmarks of a split that have a label and are looked at as well: they show `hgld fill` "
        "how often pictures are right.",
    )
    pictures: int = setting(30, "Pictures of a landmark that are looked at, at most.")
    workers: int = setting(4, "Threads that read and decode pictures.", changes_rows=False)

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a prompt without `{label}`, or a count out of its range.
        """
        check_settings(self)
        if "{label}" not in self.prompt:
            raise ValueError(f"prompt must contain {{label}}, got {self.prompt!r}; add it")
        if self.checked < 0:
            raise ValueError(f"checked must be 0 or more, got {self.checked}")
        for name in ("pictures", "workers"):
            if not 1 <= (value := getattr(self, name)) <= MOST_PICTURES:
                raise ValueError(f"{name} must be from 1 to {MOST_PICTURES}, got {value}")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose landmarks are looked at."""
        return (self.split,) if self.split else _SPLITS


def look_stage(config: LookConfig) -> Stage:
    """Returns the stage with the inputs that the settings make it read."""
    unread = [IMAGE_FILES[split] for split in _SPLITS if split not in config.splits]
    return replace(STAGE, inputs=tuple(one for one in STAGE.inputs if one not in unread))


def run_look(workspace: Workspace, config: LookConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape`, `review` and images have finished.
        config: the settings.

    Returns:
        The report; `rows` counts landmarks, and `problems` those without a vote.

    Raises:
        MissingInputError: one of these has not, or the extra `cluster` is not installed.
        InputError: fewer than two super-categories to choose from, or a model or weights that do
            not exist, do not fit or are damaged.
        FetchError: weights that cannot be fetched.
    """
    stage = look_stage(config)
    for dataset in stage.inputs:  # before any weights are fetched for it
        workspace.finished(dataset)
    names = read_names(workspace)
    settings = with_weights(workspace, stage, {**row_settings(config), "decoding": DECODING})
    rules = {name: value for name, value in settings.items() if name not in _CHOOSING}
    made_by = json.dumps([STAGE.version, rules, names], sort_keys=True)
    return run_stage(
        workspace, stage, settings, lambda writer: _produce(writer, config, names, made_by)
    )


def _produce(writer: StageWriter, config: LookConfig, names: Sequence[str], made_by: str) -> None:
    threads = ThreadPoolExecutor(config.workers)
    look = _looking(config, names, threads)
    with threads:
        for split in config.splits:
            found = find_unlabelled(
                writer.workspace,
                split,
                clean=config.train == "clean",
                most_pictures=config.pictures,
                checked=config.checked,
            )
            parts = {one: f"{split}-{one // PART:05d}" for one in range(0, len(found.ids), PART)}
            known = _earlier_rows(writer, split, [*parts.values()])
            with progress(f"look: landmarks of {split}", len(found.ids)) as advance:
                for start, shard in parts.items():
                    rows = []
                    for row in _rows(found.part(start, start + PART), known, look, names, made_by):
                        advance(1, row["status"] != "ok")
                        rows.append(row)
                    table = pa.Table.from_pylist(rows, PICTURE_VOTES.schema)
                    writer.write(PICTURE_VOTES, shard, table)


def _rows(
    landmarks: Sequence[Landmark],
    known: Mapping[str, Row],
    look: Look,
    names: Sequence[str],
    made_by: str,
) -> Iterator[Row]:
    """Yields the row of each landmark: that of an earlier run where nothing has changed."""
    origins = [_origin(made_by, one) for one in landmarks]
    # Where more was left out than is known to be bad, that may have been mended since; every row
    # that failed is one of these.
    kept = [
        row if (row := known.get(origin)) and row["left_out"] == one.bad else None
        for origin, one in zip(origins, landmarks, strict=True)
    ]
    new = [one for one, row in zip(landmarks, kept, strict=True) if row is None]
    votes = look(new)
    for origin, one, row in zip(origins, landmarks, kept, strict=True):
        yield row or told_votes(one, next(votes), names) | {"made_from": origin}


def _earlier_rows(writer: StageWriter, split: str, shards: Sequence[str]) -> dict[str, Row]:
    """Returns rows of a split that earlier runs made, ended or not, by what they were made from."""
    before = [path.stem for path in writer.workspace.shards(PICTURE_VOTES)]
    rows: dict[str, Row] = {}
    for shard in sorted({*shards, *(name for name in before if name.startswith(f"{split}-"))}):
        table = writer.earlier(PICTURE_VOTES, shard)
        if table is not None and table.schema.names == PICTURE_VOTES.schema.names:
            rows |= {row["made_from"]: row for row in table.to_pylist()}
    return rows


def _origin(made_by: str, landmark: Landmark) -> str:
    """Returns a digest of all that a landmark's row is made from, 16 hex digits."""
    pictures = [picture.sha256 for picture in landmark.pictures]
    key = [landmark.split, landmark.landmark_id, landmark.bad, landmark.absent, pictures]
    return hashlib.sha256(f"{made_by}\n{json.dumps(key)}".encode()).hexdigest()[:16]


def _looking(config: LookConfig, names: Sequence[str], threads: ThreadPoolExecutor) -> Look:
    """Returns what looks at landmarks; the model is loaded for the first picture."""

    @functools.cache
    def loaded() -> tuple[ClipModel, NDArray[np.float32]]:
        model = load_clip(config.model, config.weights, config.normalisation)
        # A label may end in a space.
        return model, model.encode([prompted(config.prompt, name.strip()) for name in names])

    def look(landmarks: Sequence[Landmark]) -> Iterator[Looked]:
        pictures = [one.pictures for one in landmarks]
        if not any(pictures):
            return iter([[] for _ in pictures])
        return votes_of_landmarks(*loaded(), pictures, threads)

    return look


def told_votes(landmark: Landmark, looked: Looked, names: Sequence[str]) -> Row:
    """Returns what the pictures of a landmark say: what most of them vote for.

    Of names with equally many votes the one with more confident pictures is in front, then the
    first of the names.

    Source:
        Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025: zero-shot
        labels of a landmark's images and a majority vote. The order of equal ones is ours.
    """
    unread = [one for one in looked if isinstance(one, Unread)]
    for one in unread:
        logger.warning("look: a picture is left out: %s", one.reason)
    of_name = defaultdict[int, list[float]](list)
    for vote in looked:
        if isinstance(vote, Vote):
            of_name[vote.name].append(vote.confidence)
    pictures, left_out = len(looked) - len(unread), len(unread) + landmark.bad
    row: Row = {"split": landmark.split, "landmark_id": landmark.landmark_id}
    row |= {"pictures": pictures, "left_out": left_out}
    out = f"{left_out} left out as damaged"
    if not of_name:
        # Of nothing but changed pictures a rerun may make more; of bad ones it does not.
        status = "failed" if any(one.is_changed for one in unread) else "no_picture"
        why = f"no picture to look at: {landmark.absent} not in the build, {out}"
        return row | {"status": status, "evidence": why}
    sure = {name: statistics.fmean(found) for name, found in of_name.items()}
    front, *others = sorted(of_name, key=lambda name: (-len(of_name[name]), -sure[name], name))
    count = len(of_name[front])
    evidence = f"{names[front]}: {count} of {pictures} pictures, confidence {sure[front]:.2f}"
    if others:
        evidence += f"; then {names[others[0]]}: {len(of_name[others[0]])}"
    return row | {
        "status": "ok",
        "best_guess": names[front],
        "confidence": sure[front],
        "share": count / pictures,
        "evidence": evidence + f"; {out}" * bool(left_out),
    }
