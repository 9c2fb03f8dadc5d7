"""Stage `metadata`: turns GLDv2's CSV files into landmarks, images and attributions."""

from dataclasses import dataclass
from pathlib import Path

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.http.download import check_base
from hgld.metadata.attributions import attributions_of
from hgld.metadata.files import FILES, FOLDER, fetch_files
from hgld.metadata.rows import images_of, landmarks_of
from hgld.tables import ATTRIBUTIONS, IMAGES, LANDMARKS

STAGE = Stage(
    name="metadata",
    version=2,
    input_files=tuple(f"{FOLDER}/{name}" for name in FILES),
    outputs=(LANDMARKS, IMAGES, ATTRIBUTIONS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataConfig:
    """Settings of the stage `metadata`."""

    base_url: str = setting(
        "https://s3.amazonaws.com/google-landmark/metadata",
        "Where GLDv2's CSV files are: an http(s) address or a folder.",
        changes_rows=False,
    )
    credits: bool = setting(
        True,
        "Whether to fetch train_attribution.csv too, which has the author and license of each "
        "train image.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        check_base(self.base_url)


def run_metadata(workspace: Workspace, config: MetadataConfig) -> StageReport:
    """Fetches missing CSV files, and writes the tables.

    Args:
        workspace: the build.
        config: the settings.

    Returns:
        The report; the landmarks and images are in the order of the files.

    Raises:
        FetchError: a file is missing, or the base address cannot be reached.
        InputError: a file lacks a column, or contradicts itself or another file.
    """
    folder = workspace.path(FOLDER)
    fetch_files(workspace, config.base_url, credits_too=config.credits)
    try:
        return run_stage(
            workspace, STAGE, row_settings(config), lambda writer: _produce(writer, folder)
        )
    except InputError as error:
        mend = f"fix the base's file, or delete {folder} to fetch all again; then rerun"
        raise InputError(f"{error} ({mend})") from error


def _produce(writer: StageWriter, folder: Path) -> None:
    for split in ("train", "index"):
        if not writer.has(LANDMARKS, split):
            writer.write(LANDMARKS, split, landmarks_of(folder, split))
    for split in ("train", "index", "test"):
        if not writer.has(IMAGES, split):
            writer.write(IMAGES, split, images_of(folder, split))
    for number, rows in enumerate(attributions_of(folder)):
        writer.write(ATTRIBUTIONS, f"train-{number:05d}", rows)
