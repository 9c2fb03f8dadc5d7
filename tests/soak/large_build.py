"""What does a build cost that has nothing to do, when it has millions of rows?

The small world with so many more train images in its tables, all of them annotated, and more
pictures in a tar. `hgld` is timed as typed, from the start of Python on.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hgld.benchmarks.speed.measuring import measure_in_turns
from hgld.engine.files import file_digest, write_text
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, IMAGES
from tests.worlds.gldv2.files import add_tar, picture, tar_bytes
from tests.worlds.small_build import finish_build, write_inputs

_LANDMARKS = 8  # of the small world's train images
_TYPED = "import sys; from hgld.flows.cli.commands import main; main()"


def measure_noop(folder: Path, rows: int, pictures: int, rounds: int) -> dict[str, Any]:
    """Makes a build with so many rows and times what does nothing.

    Args:
        folder: an empty folder with some hundred MB of room.
        rows: train images in the tables, beside the small world's own.
        pictures: on the disk, beside its own.
        rounds: how often each command is timed, after one that is not.

    Returns:
        Rows, files and bytes of the build, and seconds of each command; as a baseline those of
        SHA-256 over the same files, and of a Python that does nothing but load `hgld`.
    """
    workspace = write_inputs(folder)
    source = folder / "source"
    _add_rows(source / "metadata/train.csv", rows)
    _add_pictures(source, pictures)
    settings = workspace.path("hgld.toml")
    text = settings.read_text(encoding="utf-8")
    text = text.replace("images_per_shard = 16", 'train = "all"')
    text = text.replace("train_tars = 2", "train_tars = 3")
    write_text(settings, text)
    started = time.perf_counter()
    finish_build(workspace)
    made_s = time.perf_counter() - started
    # A replay makes its tables each time, on purpose; whoever scraped has nothing left to ask.
    write_text(settings, text.replace("replay = true", 'contact = "you@example.org"'))
    files = [path for path in workspace.root.rglob("*") if path.is_file() and path.suffix != ".jpg"]
    ways: dict[str, Callable[[], object]] = {
        **{
            f"hgld {name}": partial(_run_noop, workspace, name)
            for name in ("build", "status", "verify", "images")
        },
        "SHA-256 of all files": lambda: [file_digest(path) for path in files],
        "import hgld": partial(subprocess.run, [sys.executable, "-c", "import hgld"], check=True),
    }
    for run in ways.values():
        run()
    timed = measure_in_turns(ways, rounds)
    return {
        "rows": {
            "metadata/images": workspace.read(IMAGES, ["split"]).num_rows,
            "annotations/data": workspace.read(ANNOTATIONS["train"], ["image_id"]).num_rows,
        },
        "pictures": pictures,
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "made_s": round(made_s, 1),
        "seconds": {
            way: {name: found[name] for name in ("median_s", "spread_s")}
            for way, found in timed.items()
        },
    }


def _add_rows(path: Path, rows: int) -> None:
    """Appends images to `train.csv`, whose ids no other image has."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"f{one:015x},,{one % _LANDMARKS + 1}\n" for one in range(rows))


def _add_pictures(source: Path, pictures: int) -> None:
    """Adds a tar of pictures that no table knows."""
    ids = (hashlib.sha256(f"more {number}".encode()).hexdigest()[:16] for number in range(pictures))
    files = {f"{'/'.join(one[:3])}/{one}.jpg": picture(1) for one in ids}
    add_tar(source, "train", 2, tar_bytes(files))


def _run_noop(workspace: Workspace, name: str) -> None:
    command = [sys.executable, "-c", _TYPED, name, "--root", str(workspace.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or ": done" in done.stdout:
        raise RuntimeError(f"hgld {name} had something to do: {done.stdout}{done.stderr}")
