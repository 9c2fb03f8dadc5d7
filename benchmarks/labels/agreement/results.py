"""What a comparison with official labels found, as plain data: written to JSON, and read back."""

import dataclasses
import json
import math
from dataclasses import dataclass

from hgld.benchmarks.labels.agreement.config import AGREEMENT_FILE
from hgld.benchmarks.labels.agreement.measures.agreement import Estimate
from hgld.benchmarks.retrieval.results import Json, nan_to_null
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError

_FORMAT = 1  # raised when what was written before cannot be read any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which landmarks of a split are labelled by whom."""

    split: str
    landmarks: int
    """Those in both files; the counts below are parts of it."""
    both: int
    only_official: int
    only_ours: int
    neither: int
    same: int
    """Of those labelled by both, those with the same label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongLandmark:
    """A landmark whose label of ours is not the official one."""

    split: str
    landmark_id: int
    category: str
    """Address of its Commons category, as the file gives it; perhaps empty."""
    class_label: str | None
    """Text of our deciding class."""
    class_qid: str | None
    ours: str | None
    """None: no label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAgreement:
    """One official label: how the landmarks that have it are labelled by us."""

    label: str
    landmarks: int
    ours: int
    """Officially labelled landmarks, of this label or another, that have it from us."""
    same: int
    unlabelled: int
    """Of its landmarks, those without a label of ours."""
    examples: tuple[WrongLandmark, ...]
    """Of the most frequent errors first; for the labels of most errors alone."""

    @property
    def errors(self) -> int:
        """Landmarks that have another label of ours, or none."""
        return self.landmarks - self.same

    @property
    def recall(self) -> float:
        """Share of its landmarks that have it from us; NaN where there are none."""
        return self.same / self.landmarks if self.landmarks else math.nan

    @property
    def precision(self) -> float:
        """Share of those that have it from us that have it officially; NaN where there are none."""
        return self.same / self.ours if self.ours else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCount:
    """How many landmarks have an official label and one of ours; None: no label."""

    official: str | None
    ours: str | None
    landmarks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAgreement:
    """One level of the labels."""

    column: str
    title: str
    estimates: dict[str, Estimate]
    """By measure."""
    coverage: tuple[Coverage, ...]
    """By split."""
    labels: tuple[LabelAgreement, ...]
    """Those of most errors first."""
    pairs: tuple[PairCount, ...]
    """All that occur."""
    unknown: dict[str, int]
    """Labels of ours that no official row has, to their landmarks, the most frequent first."""
    never_given: dict[str, int]
    """Official labels that no landmark has from us, likewise."""
    spelled_otherwise: tuple[tuple[str, str], ...]
    """Official label and ours where they differ by blanks alone; they count as the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFiles:
    """The two files of a split."""

    split: str
    official_landmarks: int
    our_landmarks: int
    common: int
    """Landmarks in both, which alone are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementResults:
    """All of a comparison."""

    metadata: dict[str, Json]
    """When, with which versions and settings."""
    files: tuple[ComparedFiles, ...]
    has_classes: bool
    """Whether the classes behind our labels are known, as they are of a build."""
    levels: tuple[LevelAgreement, ...]
    """The finest first."""
    suspects: dict[str, int]
    """Official rows that look wrong, by reason."""


def agreement_to_json(results: AgreementResults) -> str:
    """Returns results as a JSON text, NaN written as null."""
    content = nan_to_null({"format": _FORMAT, **dataclasses.asdict(results)})
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_estimates(workspace: Workspace) -> dict[str, dict[str, Estimate]]:
    """Reads the measures that a comparison wrote.

    Args:
        workspace: a build.

    Returns:
        By column of the labels, the finest first, and by measure; null is read as NaN.

    Raises:
        MissingInputError: there is no such file.
        InputError: it holds something else, or another format.
    """
    path = workspace.path(AGREEMENT_FILE)
    again = workspace.command("agree --official FILE --force")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise InputError(f"{path} must be of format {_FORMAT}; run {again}")
        return {
            level["column"]: {
                name: Estimate(
                    **{end: math.nan if x is None else float(x) for end, x in one.items()}
                )
                for name, one in level["estimates"].items()
            }
            for level in content["levels"]
        }
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is not there yet; run {again}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"cannot read {path}: {error}; run {again}") from error
