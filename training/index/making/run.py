"""`hgld index`: a folder of pictures, or a split of a build, becomes an index."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import writing
from hgld.engine.progress import Advance, progress
from hgld.errors import InputError
from hgld.training.index.config import IndexConfig
from hgld.training.index.embeddings import model_digest
from hgld.training.index.folder import EmbeddedIndex
from hgld.training.index.making.claims import sole_writer
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.placing import array_is_whole, place_index, standing_index
from hgld.training.index.making.plan import (
    NEXT,
    IndexPlan,
    clear_for_work,
    is_made,
    look_at,
    shard_tasks,
    with_earlier,
)
from hgld.training.index.making.processes import make_by_processes
from hgld.training.index.making.shards import EmbeddingRecipe
from hgld.training.index.making.work import shard_maker
from hgld.training.model.devices import choose_device
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What a run of `hgld index` did."""

    index: EmbeddedIndex
    embedded: int
    """Pictures that were embedded by this run, those of the shards it goes on with not counted."""

    def words(self) -> str:
        """Returns it in one line."""
        counts = self.index.counts()
        lost = "".join(f", {counts[what]:,} {what}" for what in ("bad", "failed") if counts[what])
        return (
            f"{self.index.folder}: {len(self.index):,} embeddings of {self.index.dimensions} "
            f"numbers, {self.embedded:,} of them made now{lost}"
        )


def run_index(run: Path, source: PictureSource, out: Path, config: IndexConfig) -> IndexReport:
    """Embeds pictures into a folder, or goes on where a stopped run was.

    What is there already is taken over: shards that are whole, and in those that a change touches
    every picture that is the same. An index that stands stays until the new one is whole.

    Args:
        run: folder of a training run, or file of a model.
        source: the pictures.
        out: the folder of the index.
        config: how.

    Returns:
        What was done. A picture that cannot be embedded is a row that says why.

    Raises:
        InputError: no model, no pictures, another index in the folder, no device, no room.
        MissingInputError: the images of the split have not been fetched yet.
        DamagedError: the model, or the records of the split, are not as they were written.
        WorkspaceBusyError: another command makes this index.
    """
    choose_device(config.device)
    model = load_model(run)
    rows = source.listing()
    recipe = EmbeddingRecipe(
        model=model_digest(model),
        image_size=model.config.image_size,
        precision=config.precision,
        numbers=config.numbers,
        dimensions=model.embedding_dim,
    )
    _require_folder(out)
    with sole_writer(out):
        before = standing_index(out)
        if before is not None:
            _require_same_source(before, source)
        standing = clear_for_work(out, look_at(out))
        tasks = shard_tasks(recipe, rows, config)
        left = [task for task in tasks if not is_made(task, standing)]
        listed, earlier = with_earlier(rows, recipe, standing, source)
        plan = IndexPlan(
            folder=out,
            run=run.resolve(),
            source=source,
            recipe=recipe,
            config=config,
            tasks=tuple(left),
            earlier=earlier,
            rows=listed,
        )
        if before is not None and not left and _is_of(before, plan, [one.key for one in tasks]):
            # Of a run that was killed at its very end, or stopped on its way to another index.
            shutil.rmtree(out / NEXT, ignore_errors=True)
            return IndexReport(index=before, embedded=0)
        embedded = _make(plan, model, len(tasks)) if left else 0
        return IndexReport(index=place_index(plan, tasks, standing.whole), embedded=embedded)


def _make(plan: IndexPlan, model: EmbeddingModel, count: int) -> int:
    """Makes the shards that are not there; returns how many pictures were embedded for it."""
    config, total = plan.config, plan.to_embed()
    logger.info(
        "index: %d of %d shards to make, %d pictures to embed, %d are the same as before",
        *(len(plan.tasks), count, total),
        sum(task.stop - task.start for task in plan.tasks) - total,
    )
    plan.save()
    with progress("embed pictures", total) as advance:
        tally = _Tally(advance)
        if config.engine == "ray":
            from hgld.training.index.making.ray_data import make_by_ray

            make_by_ray(plan, tally.told)
        elif config.nproc > 1:
            make_by_processes(plan, tally.told)
        else:
            shard_maker(plan, model, config.device).make_all(tally.told)
    return tally.embedded


class _Tally:
    """Counts pictures by shard, so that one made a second time for a process that died is one."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._done: dict[int, tuple[int, int]] = {}

    @property
    def embedded(self) -> int:
        return sum(done - problems for done, problems in self._done.values())

    def told(self, shard: int, done: int, problems: int) -> None:
        before = self._done.get(shard, (0, 0))
        more, worse = max(done - before[0], 0), max(problems - before[1], 0)
        self._done[shard] = (before[0] + more, before[1] + worse)
        if more:
            self._advance(more, worse)


def _is_of(before: EmbeddedIndex, plan: IndexPlan, keys: list[str]) -> bool:
    """Says whether an index is what the plan would make it."""
    is_same = [shard.key for shard in before.shards] == keys and before.run == plan.run
    return is_same and before.source == plan.source.folder and array_is_whole(before)


def _require_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"--out must be a folder, got the file {out}; choose another")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)


def _require_same_source(before: EmbeddedIndex, source: PictureSource) -> None:
    """Refuses to make another index where one stands, unless its pictures have moved.

    Raises:
        InputError: it is of other pictures.
    """
    if (before.source, before.split) == (source.folder, source.split):
        return
    if before.split == source.split and not before.source.exists():
        return
    there = PictureSource(folder=before.source, split=before.split)
    raise InputError(
        f"{before.folder} is an index of {there}, not of {source}; choose another --out, or "
        f"delete it"
    )
