"""The rows of PICTURE_VOTES: made by a look at pictures, or taken over from an earlier run."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hgld.engine.progress import Advance
from hgld.labels.embedding.prompts import prompted
from hgld.labels.embedding.weights import require_same_weights
from hgld.labels.looks.clip import PictureModel, found_weights, load_clip
from hgld.labels.looks.config import STAGE, LookConfig
from hgld.labels.looks.landmarks import Landmark
from hgld.labels.looks.pictures import votes_of_landmarks
from hgld.labels.looks.voting import Name, SeenPictures, Unread, Vote, decide
from hgld.pictures import PictureFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

# Settings that choose which landmarks and pictures are looked at, and how they are written; none
# says what is made of a landmark's pictures.
_CHOOSING = frozenset(
    {
        *("split", "train", "checked", "pictures", "landmarks_per_shard"),
        *("weights", "weights_file", "names"),  # these by what they hold
    }
)

Row = dict[str, Any]


class RowMaker:
    """Makes the rows of landmarks; the model is loaded when the first picture is looked at."""

    def __init__(
        self, config: LookConfig, names: Sequence[Name], settings: Mapping[str, object]
    ) -> None:
        """Takes what every row is made with.

        Args:
            config: the settings of the stage.
            names: what pictures vote for.
            settings: all that decides the stage's rows, the weights included.
        """
        self._config = config
        self._names = names
        self._settings = settings
        self._kept: dict[str, Row] = {}
        self._loaded: tuple[PictureModel, NDArray[np.float32]] | None = None
        rules = {name: value for name, value in settings.items() if name not in _CHOOSING}
        self._rules = json.dumps([STAGE.version, rules, names], sort_keys=True)

    def take_over(self, rows: Iterable[Row]) -> None:
        """Takes rows of earlier runs, in place of those it had."""
        self._kept = {row["made_from"]: row for row in rows}

    def has_all(self, landmarks: Iterable[Landmark]) -> bool:
        """Says whether there is nothing to look at."""
        return all(self._kept_row(landmark) for landmark in landmarks)

    def rows(self, landmarks: Sequence[Landmark], advance: Advance) -> Iterator[Row]:
        """Yields the row of each landmark.

        Args:
            landmarks: in the order wanted.
            advance: is called after each, a problem being one without a label.

        Raises:
            MissingInputError: the extra `cluster` is not installed.
            InputError: the weights do not fit the model, are damaged, or are others than the run
                started with; or a picture cannot be read although it is there.
        """
        new = [one for one in landmarks if not self._kept_row(one)]
        with ThreadPoolExecutor(self._config.workers) as threads:
            votes = self._votes([one.pictures for one in new], threads)
            for landmark in landmarks:
                row = self._kept_row(landmark) or self._decide(landmark, next(votes))
                advance(1, row["status"] != "ok")
                yield row

    def _votes(
        self, pictures: Sequence[Sequence[PictureFile]], threads: ThreadPoolExecutor
    ) -> Iterator[list[Vote | Unread]]:
        if not any(pictures):  # of none at all no model is needed
            return iter([[] for _ in pictures])
        model, names = self._model()
        return votes_of_landmarks(model, names, pictures, threads)

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

    def _kept_row(self, landmark: Landmark) -> Row | None:
        """Returns an earlier row; none where more was left out than is known to be bad.

        That may have been mended since, and every row that failed is one of these.
        """
        row = self._kept.get(self._origin(landmark))
        return row if row and row["left_out"] == landmark.bad else None

    def _origin(self, landmark: Landmark) -> str:
        """Returns a digest of all that a landmark's row is made from, 16 hex digits."""
        pictures = [picture.sha256 for picture in landmark.pictures]
        key = [landmark.split, landmark.landmark_id, landmark.bad, landmark.absent, pictures]
        text = f"{self._rules}\n{json.dumps(key)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _model(self) -> tuple[PictureModel, "NDArray[np.float32]"]:
        """Returns the model and the vectors of the names, float32 (N, D)."""
        if self._loaded is None:
            model = load_picture_model(self._config)
            require_same_weights(
                self._settings, found_weights(self._config.model, self._config.weights)
            )
            # A label may end in a space.
            labels = (name.hierarchical_label.strip() for name in self._names)
            texts = [prompted(self._config.prompt, label) for label in labels]
            self._loaded = model, model.encode(texts)
        return self._loaded


def load_picture_model(config: LookConfig) -> PictureModel:
    """Loads the model that the settings name; `load_clip` says what it may raise."""
    return load_clip(config.model, config.weights, config.normalisation)
