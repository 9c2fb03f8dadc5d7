"""Stage `look`: pictures vote on landmarks without a labelled class. Off by default.

Each picture votes for the super-category that CLIP finds nearest. Every landmark gets a row, with
the majority vote or why there is none. Some landmarks with a label are looked at too, to measure
how often pictures are right. The votes are evidence for `fill`, which decides on labels.

A damaged picture is left out and counted. If all pictures of a landmark are missing or altered, its
row fails: the stage counts as incomplete, and a rerun looks again. A row with the same pictures,
names and settings is reused from an earlier run, so a few more review decisions cost little.
"""

import functools
import hashlib
import json
import logging
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.engine.config import Settings, row_settings, setting
from hgld.engine.progress import Advance, progress
from hgld.engine.ray_pool import MapTables, actors_of_ray
from hgld.engine.stage import Share, Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.encoders import prompted
from hgld.labels.embedding.weights import with_weights
from hgld.labels.looks.clip import (
    ClipModel,
    PixelNormalisation,
    Unread,
    Vote,
    load_clip,
    votes_of_landmarks,
)
from hgld.labels.looks.landmarks import Landmark, find_unlabelled, read_names
from hgld.pictures import DECODING, PictureFile
from hgld.tables import CLASSES, IMAGE_FILES, IMAGES, LANDMARKS, PICTURE_VOTES, TAXONOMY

logger = logging.getLogger(__name__)

Row = dict[str, Any]
Looked = Sequence[Vote | Unread]

_SPLITS = ("train", "index")

STAGE = Stage(
    name="look",
    version=1,
    inputs=(LANDMARKS, IMAGES, CLASSES, TAXONOMY, *(IMAGE_FILES[split] for split in _SPLITS)),
    outputs=(PICTURE_VOTES,),
)

PART = 500
"""Landmarks per file: after a kill, at most this many are looked at again."""
_TEXTS = [(name, pa.string()) for name in ("path", "sha256", "mend")]
_PICTURES = pa.list_(pa.struct([*_TEXTS, ("size_bytes", pa.int64())]))
_NUMBERS = [(name, pa.int64()) for name in ("landmark_id", "bad", "absent")]
_LANDMARK = pa.struct([("split", pa.string()), ("pictures", _PICTURES), *_NUMBERS])
# A row for each landmark of a part; one to look at has only its origin, and the landmark itself.
_PART = PICTURE_VOTES.schema.append(pa.field("landmark", _LANDMARK))
# Settings that only choose landmarks or pictures, and change no vote; weights count by digest.
_CHOOSING = frozenset({"split", "weights"})
# What pictures are compared with, for each super-category: EmbedConfig's words, by default.
_PROMPT = "A picture of a {label}"
_THREADS = 4  # they read and decode a landmark's pictures while CLIP encodes those before


@dataclass(frozen=True, slots=True, kw_only=True)
class LookConfig(Settings):
    """Settings of the stage."""

    model: str = setting("ViT-L-14", "Name of an open_clip model.")
    weights: str = setting("laion2b_s32b_b82k", "A tag of that model's weights, or a file.")
    normalisation: PixelNormalisation = setting(
        "auto",
        "Mean and deviation of the pixels in the model's training. auto: those of the tag, or clip "
        "for a file. inception: 1/2, as for laion2b_s32b_b82k.",
    )
    split: Literal["", "train", "index"] = setting(
        "", "The split whose landmarks to look at; empty: both."
    )

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose landmarks to look at."""
        return (self.split,) if self.split else _SPLITS


def look_stage(config: LookConfig) -> Stage:
    """Returns the stage with the inputs that the settings require."""
    unread = [IMAGE_FILES[split] for split in _SPLITS if split not in config.splits]
    return replace(STAGE, inputs=tuple(one for one in STAGE.inputs if one not in unread))


def run_look(
    workspace: Workspace,
    config: LookConfig,
    *,
    train: Literal["clean", "all"] = "clean",
    share: Share | None = None,
    actors: int = 0,
) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape`, `review` and images have finished.
        config: the settings.
        train: which train images to look at, those that are annotated (`AnnotateConfig.train`).
        share: the only parts to make (`run_stage`).
        actors: how many actors of Ray look, each with a GPU if Ray has any; 0: this process does.

    Returns:
        The report; `rows` counts landmarks, and `problems` those without a vote.

    Raises:
        MissingInputError: one of these has not finished, or the extra `cluster` is not installed.
        InputError: there are fewer than two super-categories, or the model or weights do not
            exist, do not fit or are damaged.
        FetchError: the weights cannot be fetched.
    """
    stage = look_stage(config)
    for dataset in stage.inputs:  # before any weights are fetched
        workspace.finished(dataset)
    names, weights = read_names(workspace), Path(config.weights)
    given = str(weights.absolute()) if weights.is_file() else config.weights
    looker = _Looker(replace(config, weights=given), names)  # actors of Ray run in other folders
    over = actors_of_ray(actors, _Looker, looker.config, names) if actors else None
    settings = with_weights(workspace, stage, {**row_settings(config), "decoding": DECODING})
    rules = {name: value for name, value in settings.items() if name not in _CHOOSING}
    made_by = json.dumps([STAGE.version, rules, names], sort_keys=True)

    def produce(writer: StageWriter) -> None:
        _produce(writer, looker, over, made_by, share, clean=train == "clean")

    # Which images there are to choose from changes no vote of a picture.
    return run_stage(workspace, stage, settings | {"train": train}, produce, share=share)


def _produce(
    writer: StageWriter,
    looker: "_Looker",
    over: MapTables | None,
    made_by: str,
    share: Share | None,
    *,
    clean: bool,
) -> None:
    for split in looker.config.splits:
        found = find_unlabelled(writer.workspace, split, clean=clean)
        parts = {one: f"{split}-{one // PART:05d}" for one in range(0, len(found.ids), PART)}
        parts = share.of(parts) if share else parts
        known = _earlier_rows(writer, split, [*parts.values()])
        asked = (_part(found.part(one, one + PART), known, made_by) for one in parts)
        shards = {found.ids[one]: shard for one, shard in parts.items()}
        with progress(
            f"look: landmarks of {split}",
            sum(len(found.ids[one : one + PART]) for one in parts),
        ) as advance:
            here = (looker(part, advance) for part in asked)
            for rows in over(asked) if over else here:
                if over:
                    advance(len(rows), sum(one != "ok" for one in rows["status"].to_pylist()))
                writer.write(PICTURE_VOTES, shards.pop(rows["landmark_id"][0].as_py()), rows)


def _part(landmarks: Sequence[Landmark], known: Mapping[str, Row], made_by: str) -> pa.Table:
    """Returns the rows of `_PART`; those of an earlier run if nothing changed."""
    rows = []
    for one in landmarks:
        origin = _origin(made_by, one)
        row = known.get(origin)
        # If more pictures were left out than are known to be bad, they may be repaired by now. This
        # covers every failed row.
        if row is None or row["left_out"] != one.bad:
            row = {"made_from": origin, "landmark": asdict(one, dict_factory=_plain)}
        rows.append(row)
    return pa.Table.from_pylist(rows, _PART)


def _plain(pairs: Sequence[tuple[str, object]]) -> Row:
    return {name: str(value) if isinstance(value, Path) else value for name, value in pairs}


def _landmark(row: Row) -> Landmark:
    """Returns a landmark of `_PART`."""
    pictures = [PictureFile(**one | {"path": Path(one["path"])}) for one in row["pictures"]]
    return Landmark(**row | {"pictures": pictures})


class _Looker:
    """Looks at the landmarks of a part; actors of Ray can be of this class."""

    def __init__(self, config: LookConfig, names: Sequence[str]) -> None:
        self.config, self.names = config, names

    @functools.cached_property
    def _model(self) -> tuple[ClipModel, NDArray[np.float32]]:
        """The model and the vectors of the names; loaded for the first picture."""
        config = self.config
        model = load_clip(config.model, config.weights, config.normalisation)
        # A label may have a final space.
        return model, model.encode([prompted(_PROMPT, name.strip()) for name in self.names])

    def __call__(self, part: pa.Table, advance: Advance | None = None) -> pa.Table:
        """Returns the votes for `_PART`, in its order."""
        rows = part.to_pylist()
        landmarks = [one and _landmark(one) for one in (row.pop("landmark") for row in rows)]
        pictures = [one.pictures for one in landmarks if one]
        with ThreadPoolExecutor(_THREADS) as threads:
            looked: Iterator[Looked] = iter([[] for _ in pictures])
            if any(pictures):
                looked = votes_of_landmarks(*self._model, pictures, threads)
            for row, one in zip(rows, landmarks, strict=True):
                if one:
                    row.update(told_votes(one, next(looked), self.names))
                if advance:
                    advance(1, row["status"] != "ok")
        return pa.Table.from_pylist(rows, PICTURE_VOTES.schema)


def _earlier_rows(writer: StageWriter, split: str, shards: Sequence[str]) -> dict[str, Row]:
    """Returns rows of earlier runs, finished or not, by the digest of their inputs."""
    before = [path.stem for path in writer.workspace.shards(PICTURE_VOTES)]
    rows: dict[str, Row] = {}
    for shard in sorted({*shards, *(name for name in before if name.startswith(f"{split}-"))}):
        table = writer.earlier(PICTURE_VOTES, shard)
        if table is not None and table.schema.names == PICTURE_VOTES.schema.names:
            rows |= {row["made_from"]: row for row in table.to_pylist()}
    return rows


def _origin(made_by: str, landmark: Landmark) -> str:
    """Returns a digest of all inputs of a landmark's row, 16 hex digits."""
    pictures = [picture.sha256 for picture in landmark.pictures]
    key = [landmark.split, landmark.landmark_id, landmark.bad, landmark.absent, pictures]
    return hashlib.sha256(f"{made_by}\n{json.dumps(key)}".encode()).hexdigest()[:16]


def told_votes(landmark: Landmark, looked: Looked, names: Sequence[str]) -> Row:
    """Returns the row of a landmark: the name with the most votes of its pictures.

    Ties go to the name with the higher mean confidence, then to the first name.

    Source:
        Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025: zero-shot
        labels of a landmark's images and a majority vote. The tie-break is ours.
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
        # A rerun may help if pictures changed, but not if they are bad.
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
