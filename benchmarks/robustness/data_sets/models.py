"""Models as the suite takes them: files of embeddings, of any program or of a run of the build."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hgld.benchmarks.retrieval.methods import read_trained_run, training_words
from hgld.benchmarks.robustness.data_sets.embedding import BEFORE_TRAINING, embed_run
from hgld.engine.workspace import Workspace
from hgld.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenModel:
    """A model whose embeddings are measured."""

    name: str
    """What the reader is told."""
    files: dict[str, Path]
    """Of `train`, `test` and `index`."""
    others: Path | None = None
    """Folder with other pictures and feature std, as `embed_run` writes it."""
    about: str = ""
    """Where the embeddings are from, in a sentence."""
    has_seen_training: bool = False
    """Whether it was trained on the training images, as far as is known."""


def given_models(embeddings: Sequence[Sequence[str]], others: Sequence[str]) -> list[FrozenModel]:
    """Returns models whose embeddings any program made.

    Args:
        embeddings: `[NAME=]TRAIN`, `QUERY` and `INDEX`, once for each model.
        others: `NAME=FOLDER`.

    Raises:
        InputError: a folder has no name of embeddings.
    """
    folders = {name: Path(folder) for name, _, folder in (one.partition("=") for one in others)}
    models = []
    for first, queries, index in embeddings:
        given, is_named, training = first.rpartition("=")
        name = given if is_named else Path(training).resolve().parent.name
        models.append(
            FrozenModel(
                name=name,
                files={"train": Path(training), "test": Path(queries), "index": Path(index)},
                others=folders.get(name),
                about="Embeddings from files; whether their model was trained on the training "
                "images is not known here.",
            )
        )
    unknown = folders.keys() - {one.name for one in models}
    if unknown:
        raise InputError(
            f"--others must be NAME=FOLDER with a name of --embeddings, got {min(unknown)!r}; "
            f"there are {', '.join(one.name for one in models) or 'none'}"
        )
    return models


def run_models(workspace: Workspace, runs: Sequence[str], folder: Path) -> list[FrozenModel]:
    """Embeds a build's images with runs of it, where that is not done yet.

    Args:
        workspace: a build.
        runs: names of runs that have ended; `untrained` is the backbone before training.
        folder: to write to, a folder in it for each run.

    Raises:
        InputError: there is no such run.
    """
    return [
        FrozenModel(
            name=run,
            files=embed_run(workspace, run, folder / run),
            others=folder / run,
            about=_about(workspace, run),
            has_seen_training=run != BEFORE_TRAINING,
        )
        for run in runs
    ]


def require_own_names(models: Sequence[FrozenModel]) -> None:
    """Refuses models that a reader could not tell apart.

    Raises:
        InputError: two have one name.
    """
    names = [one.name for one in models]
    if len(set(names)) < len(names):
        raise InputError(
            f"each --embeddings and --run must have a name of its own, got {', '.join(names)}; "
            f"write --embeddings NAME=TRAIN QUERY INDEX"
        )


def _about(workspace: Workspace, run: str) -> str:
    if run == BEFORE_TRAINING:
        return "The backbone with ImageNet's weights: it has not seen an image of the build."
    trained = read_trained_run(workspace, run)
    how = training_words(trained.settings) if trained else "no record of its training"
    return (
        f"A run of the build ({how}): it was trained on the training images, and has not seen test "
        f"and index images."
    )
