"""What DVC and pooch notice of the same damages, run by an interpreter that has them.

DVC tracks the tables of a build as outputs of a stage that copies them: after each damage `dvc
status` is asked, then `dvc repro` is run, which is what whoever builds with it would do. pooch is
asked to fetch each file, whose SHA-256 it knows, once more. Nothing of `hgld` is imported here.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_STAGE = """\
stages:
  tables:
    cmd: rm -rf build && cp -a {source} build
    outs: [build]
"""


def try_peers(python: Path, damages: Sequence[dict[str, str]], damaged: Path) -> dict[str, Any]:
    """Damages files of DVC's and pooch's and counts what they notice and heal, by way.

    Args:
        python: an interpreter with DVC and pooch.
        damages: what `write_damaged` returned.
        damaged: where it wrote, with the undamaged files in `clean/`.

    Raises:
        RuntimeError: a peer cannot be run.
    """
    (damaged / "damages.json").write_text(json.dumps(list(damages)), encoding="utf-8")
    command = [str(python), str(Path(__file__)), str(damaged), str(damaged / "dvc")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a path of the user's
    if done.returncode:
        raise RuntimeError(f"the peers ended with {done.returncode}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(arguments: Sequence[str]) -> None:
    damaged, folder = Path(arguments[0]).resolve(), Path(arguments[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    damages = json.loads((damaged / "damages.json").read_text(encoding="utf-8"))
    told = {"dvc": _with_dvc(damaged, damages, folder), "pooch": _with_pooch(damaged, damages)}
    sys.stdout.write(json.dumps(told) + "\n")


def _with_dvc(damaged: Path, damages: Sequence[dict[str, str]], folder: Path) -> dict[str, Any]:
    (folder / "dvc.yaml").write_text(_STAGE.format(source=damaged / "clean"), encoding="utf-8")
    for command in (["init", "--no-scm", "-q"], ["config", "cache.type", "copy"], ["repro", "-q"]):
        _dvc(command, folder)
    found: dict[str, Counter[str]] = {}
    for damage in damages:
        _place(damage, damaged, folder / "build")
        is_noticed = "up to date" not in _dvc(["status"], folder)
        _dvc(["repro", "-q"], folder)
        is_healed = _content(folder / "build") == _content(damaged / "clean")
        outcome = ("noticed, " if is_noticed else "unnoticed, ") + (
            "healed" if is_healed else "not healed"
        )
        found.setdefault(damage["how"], Counter())[outcome] += 1
        if not is_healed:  # begin with the clean files again
            shutil.rmtree(folder / "build")
            _dvc(["checkout", "-q"], folder)
    version = _dvc(["--version"], folder).strip()
    return {"version": version, "by_way": {way: dict(counts) for way, counts in found.items()}}


def _dvc(words: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def _with_pooch(damaged: Path, damages: Sequence[dict[str, str]]) -> dict[str, Any]:
    import pooch  # type: ignore[import-not-found]  # of the other interpreter

    found: dict[str, Counter[str]] = {}
    at = damaged / "pooch"
    for damage in damages:
        shutil.copytree(damaged / "clean", at)
        _place(damage, damaged, at)
        for name in _content(damaged / "clean"):
            source = damaged / "clean" / name
            pooch.retrieve(
                str(source),
                known_hash=pooch.file_hash(str(source)),
                fname=source.name,
                path=(at / name).parent,
                downloader=lambda url, output, _pooch: shutil.copyfile(url, output),
            )
        is_healed = _content(at) == _content(damaged / "clean")
        outcome = "healed" if is_healed else "not healed"
        found.setdefault(damage["how"], Counter())[outcome] += 1
        shutil.rmtree(at)
    version = pooch.__version__
    return {"version": version, "by_way": {way: dict(counts) for way, counts in found.items()}}


def _place(damage: dict[str, str], damaged: Path, target: Path) -> None:
    """Brings a build into the state of a damage: what changed is copied, with its times."""
    changed = damaged / damage["folder"]
    if damage["how"] == "deleted":
        (target / damage["relative"]).unlink()
    for path in changed.rglob("*"):
        if path.is_file():
            # Into the file that is there, as what rots does: neither its inode nor its time change.
            place = target / path.relative_to(changed)
            stat = path.stat()
            place.write_bytes(path.read_bytes())
            os.utime(place, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    _main(sys.argv[1:])
