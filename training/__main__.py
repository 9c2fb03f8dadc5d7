"""One of several processes that `torchrun` starts to train one model together.

torchrun --nproc-per-node 8 -m hgld.training --root build
torchrun --nnodes 2 --nproc-per-node 8 --rdzv-endpoint HOST:PORT -m hgld.training --root build

The build's folder must be the same for all machines. Settings are those of `[train]` in its
hgld.toml; `--set` states others.
"""

import argparse
import logging
import sys
import tomllib
from pathlib import Path

from hgld.engine.config import from_mapping, read_toml
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import HgldError, InputError
from hgld.training.config import TrainConfig
from hgld.training.recipes.reading import over_recipe
from hgld.training.run.loop import follow, run_train
from hgld.training.together import joined_by_torchrun


def main(arguments: list[str] | None = None) -> int:
    """Trains as the process that torchrun says this one is; returns the exit status."""
    parser = argparse.ArgumentParser(prog="torchrun -m hgld.training", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder of the build")
    parser.add_argument("--config", type=Path, help="settings file; default: hgld.toml there")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as a line of [train]"
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        config = _settings(given.root, given.config, given.set)
        with joined_by_torchrun(config) as (config, ranks):
            if ranks.rank == 0:
                run_train(Workspace(given.root), config, ranks)
            else:
                follow(given.root, config, ranks)
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
