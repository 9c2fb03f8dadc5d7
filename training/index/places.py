"""Where a run, its indexes and their pictures lie, from what is typed; light to import."""

from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.tables import IMAGE_FILES
from hgld.training.index.making.listing import PictureSource

_PREFIX = "index-"


def run_folder(workspace: Workspace, run: str) -> Path:
    """Returns the folder of a run: that of this name in the build, or one elsewhere, or a file.

    Raises:
        MissingInputError: there is none; the text names those of the build.
    """
    own = workspace.path(f"runs/{run}")
    if own.exists():
        return own
    if Path(run).exists():
        return Path(run)
    there = sorted(path.name for path in workspace.path("runs").glob("*") if path.is_dir())
    runs = f"runs there: {', '.join(there)}" if there else "there is no run yet"
    raise MissingInputError(
        f"{own} is not there ({runs}); name a run with --run, or make one with "
        f"{workspace.command('train')}"
    )


def picture_source(workspace: Workspace, images: Path | None, split: str | None) -> PictureSource:
    """Returns what is to be embedded: a folder of pictures, or a split of the build.

    Raises:
        InputError: none of the two is given, or both, or no such split.
    """
    if (images is None) == (split is None):
        what = "one of the two is" if images is not None else "what to embed must be"
        raise InputError(
            f"{what} given: --images FOLDER for the pictures of a folder, or --split train, index "
            f"or test for those of {workspace.root}"
        )
    if images is not None:
        return PictureSource(folder=images.resolve())
    if split not in IMAGE_FILES:
        raise InputError(f"--split must be train, index or test, got {split!r}")
    return PictureSource(folder=workspace.root.resolve(), split=split)


def default_index(run: Path, source: PictureSource) -> Path:
    """Returns where the index of some pictures lies if no other place is named.

    Example:
        >>> default_index(Path("build/runs/happier"), PictureSource(folder=Path("/my/photos")))
        PosixPath('build/runs/happier/index-photos')
    """
    folder = run if run.is_dir() or not run.suffix else run.parent
    return folder / f"{_PREFIX}{source.split or source.folder.name}"


def indexes_of(run: Path) -> list[Path]:
    """Returns the indexes that lie beside the model of a run."""
    folder = run if run.is_dir() else run.parent
    return sorted(path.parent for path in folder.glob(f"{_PREFIX}*/index.json"))


def sole_index(workspace: Workspace, run: str) -> Path:
    """Returns the only index of a run.

    Raises:
        MissingInputError: there is none; the text says what makes one.
        InputError: there are several; the text names them.
    """
    own = workspace.path(f"runs/{run}")
    folder = own if own.exists() else Path(run)
    match indexes_of(folder):
        case [only]:
            return only
        case []:
            raise MissingInputError(
                f"there is no index of {own} to search, and --index names none; "
                f"{workspace.command('index --split index')} makes one of the build's index "
                f"images, and `hgld index --images FOLDER` of the pictures of a folder"
            )
        case several:
            listed = ", ".join(map(str, several))
            raise InputError(f"{own} has several indexes; name one with --index: {listed}")
