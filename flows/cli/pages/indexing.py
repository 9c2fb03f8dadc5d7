"""`hgld index`: pictures embedded by a run, for `hgld search`."""

from pathlib import Path
from typing import Annotated

import typer

from hgld.engine.config import from_mapping, setting_fields
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import IncompleteError, InputError, how_to_install
from hgld.flows.cli.options import Root, option_help
from hgld.training.config import TrainConfig
from hgld.training.index.config import IndexConfig
from hgld.training.index.places import default_index, picture_source, run_folder

_RUN = TrainConfig().name
_HELP = {field.name: field for field in setting_fields(IndexConfig)}


def _help(field: str, default: str = "") -> str:
    return option_help(_HELP[field].help_text, default or str(_HELP[field].default))


OfRun = Annotated[
    str,
    typer.Option(
        "--run",
        show_default=False,
        help=option_help("Run whose model embeds: its name, or a folder or file.", _RUN),
    ),
]
ImagesFolder = Annotated[
    Path | None,
    typer.Option("--images", help=option_help("Folder of pictures, and those under it.", "none")),
]
EmbeddedSplit = Annotated[
    str | None,
    typer.Option("--split", help=option_help("Split of the build: train, index, test.", "none")),
]
IndexOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help=option_help(
            "Folder of the index.", "index-NAME beside the model; NAME of the split or folder"
        ),
    ),
]
ShardImages = Annotated[
    int | None, typer.Option("--shard-images", help=_help("shard_images"), show_default=False)
]
Shards = Annotated[int | None, typer.Option("--shards", help=_help("shards", "not set"))]
Processes = Annotated[int | None, typer.Option("--nproc", help=_help("nproc"))]
Engine = Annotated[
    str | None, typer.Option("--engine", metavar="<processes|ray>", help=_help("engine"))
]
Workers = Annotated[int | None, typer.Option("--workers", help=_help("workers"))]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help=_help("batch_size"))]
EmbeddingPrecision = Annotated[
    str | None,
    typer.Option("--precision", metavar="<float32|bfloat16|float16>", help=_help("precision")),
]
Numbers = Annotated[
    str | None, typer.Option("--numbers", metavar="<float32|float16>", help=_help("numbers"))
]
OnDevice = Annotated[str | None, typer.Option("--device", help=_help("device"))]


def index_command(  # noqa: PLR0913 - typer makes an option of each
    root: Root = DEFAULT_ROOT,
    *,
    run: OfRun = _RUN,
    images: ImagesFolder = None,
    split: EmbeddedSplit = None,
    out: IndexOut = None,
    shard_images: ShardImages = None,
    shards: Shards = None,
    nproc: Processes = None,
    engine: Engine = None,
    workers: Workers = None,
    batch_size: BatchSize = None,
    precision: EmbeddingPrecision = None,
    numbers: Numbers = None,
    device: OnDevice = None,
) -> None:
    """Embeds a folder of pictures, or a split of the build, for `hgld search`.

    Reads a run in runs/, and pictures: of a folder, or images/; writes one folder: the embeddings
    as parquet shards and as an array for numpy, and index.json. Needs hgld[train].
    """
    typed = {
        "shard_images": shard_images,
        "shards": shards,
        "nproc": nproc,
        "engine": engine,
        "workers": workers,
        "batch_size": batch_size,
        "precision": precision,
        "numbers": numbers,
        "device": device,
    }
    given = {name: value for name, value in typed.items() if value is not None}
    config = from_mapping(IndexConfig, given, where="hgld index")
    workspace = Workspace(root)
    source = picture_source(workspace, images, split)
    place = run_folder(workspace, run)
    try:
        from hgld.training.index.making.run import run_index
    except ModuleNotFoundError as error:
        raise InputError(
            f"{workspace.command('index')} needs the package {error.name!r}: "
            f"{how_to_install('train')}"
        ) from error
    report = run_index(place, source, out or default_index(place, source), config)
    typer.echo(report.words())
    if report.index.failed:
        raise IncompleteError(
            f"{report.index.folder}: {report.index.failed:,} pictures could not be read and "
            f"nothing else was lost; the column `error` says why, and the same command tries again"
        )
