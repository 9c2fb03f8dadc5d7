"""Stage `look`: what the pictures of landmarks that no class gives a label say. Off by default.

Each picture of such a landmark votes for the super-category that CLIP finds it nearest to, and the
landmark gets what most of them say, if they agree enough and are sure enough (`voting`). Every
landmark that was looked at has a row, with its label or with why it has none. Some landmarks that
have a label by their classes are looked at as well (`checked`), so that it shows how often pictures
are right. It is one kind
of evidence for `fill`, beside the words of the landmark's name and its parents.

A picture that is damaged is left out and counted. Where all of a landmark's pictures are gone or
altered, its row has failed: the stage counts as incomplete, and a rerun looks again. A row whose
pictures, names and settings are those of an earlier run is taken over from it, so that a few more
decisions of a reviewer cost a look at few landmarks.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from hgld.engine.config import row_settings
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.labels.looks.clip import found_weights, known_weights
from hgld.labels.looks.config import STAGE, LookConfig, look_stage
from hgld.labels.looks.landmarks import find_unlabelled, read_names
from hgld.labels.looks.rows import RowMaker
from hgld.pictures import DECODING
from hgld.tables import PICTURE_VOTES

__all__ = ["STAGE", "LookConfig", "look_stage", "run_look"]


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
    names = read_names(workspace, config.names)
    chosen = row_settings(config) | {"decoding": DECODING}
    if config.names is not None:
        chosen["names"] = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    done = workspace.manifest(stage.name)
    settings = chosen | known_weights(config.model, config.weights, done)
    if not (done and done.settings == settings and _is_done(workspace, stage, settings)):
        settings = chosen | found_weights(config.model, config.weights)
    maker = RowMaker(config, names, settings)
    return run_stage(
        workspace, stage, settings, lambda writer: _produce(workspace, config, maker, writer)
    )


def _is_done(workspace: Workspace, stage: Stage, settings: Mapping[str, object]) -> bool:
    return stage_status(workspace, stage, settings).state == "done"


def _produce(
    workspace: Workspace, config: LookConfig, maker: RowMaker, writer: StageWriter
) -> None:
    for split in config.splits:
        found = find_unlabelled(
            workspace,
            split,
            clean=config.train == "clean",
            most_pictures=config.pictures,
            checked=config.checked,
        )
        starts = range(0, len(found.landmark_ids), config.landmarks_per_shard)
        shards = {start: f"{split}-{start // config.landmarks_per_shard:05d}" for start in starts}
        maker.take_over(_earlier_rows(workspace, writer, split, shards.values()))
        with progress(f"look: landmarks of {split}", len(found.landmark_ids)) as advance:
            for start, shard in shards.items():
                landmarks = found.part(start, start + config.landmarks_per_shard)
                # Although it is there, a row whose pictures may have been mended is made again.
                is_there = writer.has(PICTURE_VOTES, shard) and maker.has_all(landmarks)
                rows = list(maker.rows(landmarks, advance))
                if not is_there:
                    writer.write(
                        PICTURE_VOTES, shard, pa.Table.from_pylist(rows, PICTURE_VOTES.schema)
                    )


def _earlier_rows(
    workspace: Workspace, writer: StageWriter, split: str, shards: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """Yields the rows of a split that earlier runs made, ended or not, whatever their settings."""
    before = [path.stem for path in workspace.shards(PICTURE_VOTES)]
    for shard in sorted({*shards, *(name for name in before if name.startswith(f"{split}-"))}):
        table = writer.earlier(PICTURE_VOTES, shard)
        if table is not None and table.schema.names == PICTURE_VOTES.schema.names:
            yield from table.to_pylist()
