"""Shards of an index made by actors of Ray Data, here or on a cluster that shares the folder.

Where an actor is killed, Ray starts another and gives it the shard again.
"""

import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hgld.errors import HgldError, InputError, how_to_install
from hgld.training.index.making.plan import IndexPlan, load_plan
from hgld.training.index.making.work import ShardTold, shard_maker


def make_by_ray(plan: IndexPlan, told: ShardTold) -> None:
    """Makes the shards of a saved plan by `nproc` actors of Ray Data.

    Ray is started here, unless it runs already or `RAY_ADDRESS` names a cluster.

    Args:
        plan: what there is to make.
        told: is told of each shard that is done.

    Raises:
        InputError: Ray is not installed, an actor fails, or too many are killed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise InputError(
            f"--engine ray needs the package {error.name!r}: {how_to_install('ray')}"
        ) from error
    is_ours = not ray.is_initialized()
    count = min(plan.config.nproc, len(plan.tasks))
    if is_ours:
        cpus = None if "RAY_ADDRESS" in os.environ else count
        ray.init(
            num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():  # of Ray about its own settings
            warnings.simplefilter("ignore", DeprecationWarning)
            context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.raise_original_map_exception = True
        actor: Any = _ShardActor  # which Ray's types take for a function alone
        numbers = [{"task": place} for place in range(len(plan.tasks))]
        made = ray.data.from_items(numbers, override_num_blocks=len(numbers)).map(
            actor,
            fn_constructor_args=(str(plan.folder.resolve()), plan.config.device),
            compute=ray.data.ActorPoolStrategy(size=count),
            num_cpus=1,
            num_gpus=1 if torch.cuda.is_available() else 0,
        )
        for row in made.iter_rows():
            told(row["shard"], row["done"], row["problems"])
    except ray.exceptions.RayError as error:
        if isinstance(cause := getattr(error, "cause", None), HgldError):
            raise cause from error
        raise InputError(
            f"Ray ended with {type(error).__name__}: {str(error).strip().splitlines()[-1]}; what "
            f"is done is kept, and the same command goes on"
        ) from error
    finally:
        if is_ours:
            ray.shutdown()


class _ShardActor:
    """Makes one shard after the other with a model that it loads once."""

    def __init__(self, folder: str, device: str) -> None:
        plan = load_plan(Path(folder))
        self._maker = shard_maker(plan, None, device)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, int]:
        task = self._maker.plan.tasks[row["task"]]
        done, problems = self._maker.make_one(task)
        return {"shard": task.number, "done": done, "problems": problems}
