"""Stage `look`: what the pictures of landmarks that no class gives a label say. Off by default.

Each picture of such a landmark votes for the super-category that CLIP finds it nearest to, and the
landmark gets what most of them say, if they agree enough and are sure enough (`voting`). Every
landmark that was looked at has a row, with its label or with why it has none. Some landmarks that
have a label by their classes are looked at as well (`checked`), so that it shows how often pictures
are right. It is one kind of evidence for `fill`, beside the landmark's name and its parents.

A picture that is damaged is left out and counted. Where all of a landmark's pictures are gone or
altered, its row has failed: the stage counts as incomplete, and a rerun looks again. A row whose
pictures, names and settings are those of an earlier run is taken over from it, so that a few more
decisions of a reviewer cost a look at few landmarks.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.progress import Advance, progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.encoders import prompted
from hgld.labels.embedding.weights import with_weights
from hgld.labels.looks.clip import ClipModel, PixelNormalisation, load_clip, votes_of_landmarks
from hgld.labels.looks.landmarks import Landmark, find_unlabelled, read_names
from hgld.labels.looks.voting import Name, SeenPictures, Unread, Vote, decide
from hgld.pictures import DECODING, PictureFile
from hgld.tables import CLASSES, IMAGE_FILES, IMAGES, LANDMARKS, PICTURE_VOTES, TAXONOMY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Row = dict[str, Any]

_SPLITS = ("train", "index")

STAGE = Stage(
    name="look",
    version=1,
    inputs=(LANDMARKS, IMAGES, CLASSES, TAXONOMY, *(IMAGE_FILES[split] for split in _SPLITS)),
    outputs=(PICTURE_VOTES,),
)

PART = 500
"""Landmarks in a file: a run that was killed looks at no more than so many again."""
_MOST_PICTURES = 10_000
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
    min_share: float = setting(
        0.5, "Share of a landmark's pictures that must agree on a label, from 0 to 1."
    )
    min_confidence: float = setting(
        0.5, "How sure those pictures must be of it on average, from 0 to 1."
    )
    workers: int = setting(4, "Threads that read and decode pictures.", changes_rows=False)

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a prompt without `{label}`, a share or confidence that is none, or a count
                of nothing, or below it.
        """
        check_settings(self)
        if "{label}" not in self.prompt:
            raise ValueError(f"prompt must contain {{label}}, got {self.prompt!r}; add it")
        for name in ("min_share", "min_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.checked < 0:
            raise ValueError(f"checked must be 0 or more, got {self.checked}")
        for name in ("pictures", "workers"):
            if not 1 <= getattr(self, name) <= _MOST_PICTURES:
                raise ValueError(
                    f"{name} must be from 1 to {_MOST_PICTURES:,}, got {getattr(self, name)}"
                )

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
        The report; `rows` counts landmarks, and `problems` those that got no label.

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
    maker = _RowMaker(config, names, settings)
    return run_stage(workspace, stage, settings, lambda writer: _produce(writer, config, maker))


def _produce(writer: StageWriter, config: LookConfig, maker: "_RowMaker") -> None:
    for split in config.splits:
        found = find_unlabelled(
            writer.workspace,
            split,
            clean=config.train == "clean",
            most_pictures=config.pictures,
            checked=config.checked,
        )
        starts = range(0, len(found.landmark_ids), PART)
        shards = {start: f"{split}-{start // PART:05d}" for start in starts}
        maker.take_over(_earlier_rows(writer, split, shards.values()))
        with progress(f"look: landmarks of {split}", len(found.landmark_ids)) as advance:
            for start, shard in shards.items():
                landmarks = found.part(start, start + PART)
                # Although it is there, a row whose pictures may have been mended is made again.
                is_there = writer.has(PICTURE_VOTES, shard) and all(map(maker.kept, landmarks))
                rows = list(maker.rows(landmarks, advance))
                if not is_there:
                    table = pa.Table.from_pylist(rows, PICTURE_VOTES.schema)
                    writer.write(PICTURE_VOTES, shard, table)


def _earlier_rows(writer: StageWriter, split: str, shards: Iterable[str]) -> Iterator[Row]:
    """Yields the rows of a split that earlier runs made, ended or not, whatever their settings."""
    before = [path.stem for path in writer.workspace.shards(PICTURE_VOTES)]
    for shard in sorted({*shards, *(name for name in before if name.startswith(f"{split}-"))}):
        table = writer.earlier(PICTURE_VOTES, shard)
        if table is not None and table.schema.names == PICTURE_VOTES.schema.names:
            yield from table.to_pylist()


class _RowMaker:
    """Makes the rows of landmarks; the model is loaded when the first picture is looked at."""

    def __init__(
        self, config: LookConfig, names: Sequence[Name], settings: Mapping[str, object]
    ) -> None:
        """Takes what every row is made with: `settings` is all that decides the stage's rows."""
        self._config, self._names = config, names
        self._earlier: dict[str, Row] = {}
        self._loaded: tuple[ClipModel, NDArray[np.float32]] | None = None
        rules = {name: value for name, value in settings.items() if name not in _CHOOSING}
        self._rules = json.dumps([STAGE.version, rules, names], sort_keys=True)

    def take_over(self, rows: Iterable[Row]) -> None:
        """Takes rows of earlier runs, in place of those it had."""
        self._earlier = {row["made_from"]: row for row in rows}

    def kept(self, landmark: Landmark) -> Row | None:
        """Returns an earlier row; none where more was left out than is known to be bad.

        That may have been mended since, and every row that failed is one of these.
        """
        row = self._earlier.get(self._origin(landmark))
        return row if row and row["left_out"] == landmark.bad else None

    def rows(self, landmarks: Sequence[Landmark], advance: Advance) -> Iterator[Row]:
        """Yields the row of each landmark; `advance` counts one without a label as a problem."""
        new = [one for one in landmarks if not self.kept(one)]
        with ThreadPoolExecutor(self._config.workers) as threads:
            votes = self._votes([one.pictures for one in new], threads)
            for landmark in landmarks:
                row = self.kept(landmark) or self._decide(landmark, next(votes))
                advance(1, row["status"] != "ok")
                yield row

    def _votes(
        self, pictures: Sequence[Sequence[PictureFile]], threads: ThreadPoolExecutor
    ) -> Iterator[list[Vote | Unread]]:
        if not any(pictures):  # of none at all no model is needed
            return iter([[] for _ in pictures])
        if self._loaded is None:
            config = self._config
            model = load_clip(config.model, config.weights, config.normalisation)
            # A label may end in a space.
            labels = (name.hierarchical_label.strip() for name in self._names)
            self._loaded = model, model.encode([prompted(config.prompt, one) for one in labels])
        return votes_of_landmarks(*self._loaded, pictures, threads)

    def _decide(self, landmark: Landmark, votes: Sequence[Vote | Unread]) -> Row:
        unread = [one for one in votes if isinstance(one, Unread)]
        for one in unread:
            logger.warning("look: a picture is left out: %s", one.reason)
        seen = SeenPictures(
            votes=[one for one in votes if isinstance(one, Vote)],
            unread=unread,
            bad=landmark.bad,
            absent=landmark.absent,
        )
        config = self._config
        decided = decide(
            seen, self._names, min_share=config.min_share, min_confidence=config.min_confidence
        )
        key = {"split": landmark.split, "landmark_id": landmark.landmark_id}
        return key | decided | {"made_from": self._origin(landmark)}

    def _origin(self, landmark: Landmark) -> str:
        """Returns a digest of all that a landmark's row is made from, 16 hex digits."""
        pictures = [picture.sha256 for picture in landmark.pictures]
        key = [landmark.split, landmark.landmark_id, landmark.bad, landmark.absent, pictures]
        text = f"{self._rules}\n{json.dumps(key)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
