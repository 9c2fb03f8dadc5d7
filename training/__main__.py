"""One of several processes that `torchrun` starts to train one model together.

torchrun --nproc-per-node 8 -m hgld.training --root build
torchrun --nnodes 2 --nproc-per-node 8 --rdzv-endpoint HOST:PORT -m hgld.training --root build

The build's folder must be the same for all machines. Settings are those of `[train]` in its
hgld.toml; `--set` states others. Where one process ends, torchrun ends all.
"""

import argparse
import dataclasses
import logging
import os
import signal
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from hgld.engine.config import from_mapping, read_toml
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import InputError, exit_status
from hgld.training.config import TrainConfig
from hgld.training.model.embed import choose_device
from hgld.training.recipes import over_recipe
from hgld.training.run.loop import follow
from hgld.training.run.stage import run_train
from hgld.training.run.state import Ranks

TIMEOUT = timedelta(minutes=30)
"""After which a process that hangs ends all: the others wait as long while the first measures the
run on held-out landmarks, so that it is more than the ten minutes of NCCL."""


@exit_status
def main(arguments: list[str] | None = None) -> None:
    """Trains as the process that torchrun says this one is."""
    parser = argparse.ArgumentParser(prog="torchrun -m hgld.training", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder of the build")
    parser.add_argument("--config", type=Path, help="settings file; default: hgld.toml there")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as a line of [train]"
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    config = _settings(given.root, given.config, given.set)
    _train_together(given.root, config)


def _settings(root: Path, path: Path | None, lines: list[str]) -> TrainConfig:
    file = root / "hgld.toml" if path is None else path
    sections = read_toml(file) if path is not None or file.exists() else {}
    try:
        stated = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"--set must be lines of TOML, such as 'epochs=3' or 'method=\"nsm\"', got {lines}: "
            f"{error}"
        ) from error
    section = {**sections.get("train", {}), **stated}
    return from_mapping(TrainConfig, over_recipe(section), where="[train]")


def _train_together(root: Path, config: TrainConfig) -> None:
    """Joins the processes that `torchrun` has started, and trains as one of them.

    Raises:
        InputError: torchrun did not start this process, or there is nothing to share.
    """
    if config.frozen:
        raise InputError("[train] frozen = true takes one process, and minutes: run `hgld train`")
    told = [os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if None in told:
        raise InputError(
            "hgld.training is started by torchrun: `torchrun --nproc-per-node 2 -m hgld.training "
            "--root build`; one process is `hgld train`"
        )
    rank, count, local = (int(value) for value in told if value is not None)
    place = choose_device(config.device).type
    if place == "cuda":
        config = dataclasses.replace(config, device=f"cuda:{local}")
        torch.cuda.set_device(local)  # where processes exchange what is no tensor
    distributed.init_process_group("nccl" if place == "cuda" else "gloo", timeout=TIMEOUT)
    ranks = Ranks(rank, count)
    # torchrun passes it on to all, and kills them 30 s later: until then the first ends its step,
    # for which it needs the others, and keeps it.
    signal.signal(signal.SIGTERM, lambda *_: ranks.stopping.set())
    try:
        # The last bits of a sum depend on them; a process may be given fewer than the first.
        threads = ranks.shared({"threads": torch.get_num_threads()})["threads"]
        torch.set_num_threads(int(str(threads)))
        if rank == 0:
            run_train(Workspace(root), config, ranks)
        else:
            follow(root, config, ranks)
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
