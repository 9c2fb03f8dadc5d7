"""Commands on labels that were made: `hgld subset`."""

from pathlib import Path
from typing import Annotated

import typer

from hgld.engine.workspace import DEFAULT_ROOT
from hgld.errors import InputError
from hgld.flows.cli.options import Root, option_help

SubsetSource = Annotated[
    str | None,
    typer.Argument(
        help=option_help(
            "A release's folder or address, a shard, or Google's files, in place of a build.",
            "the build in --root",
        )
    ),
]
PerClass = Annotated[
    int, typer.Option(help=option_help("Images of each class; all where there are fewer.", "none"))
]
Out = Annotated[
    Path, typer.Option(help=option_help("The file to write, .parquet or .csv.", "none"))
]
ChoiceSeed = Annotated[
    int, typer.Option(help=option_help("Another seed chooses others.", "0"), show_default=False)
]
OfSplit = Annotated[
    str,
    typer.Option(
        help=option_help("train, index or test (the queries).", "train"), show_default=False
    ),
]
ClassLevel = Annotated[
    str,
    typer.Option(
        help=option_help(
            "What a class is: hierarchical_label, landmark_id or natural_or_human_made.",
            "hierarchical_label",
        ),
        show_default=False,
    ),
]
OnlySupercategories = Annotated[
    list[str] | None,
    typer.Option("--supercategory", help=option_help("Only of this; again for each.", "all")),
]
MostLandmarks = Annotated[
    int,
    typer.Option(
        help=option_help("The most landmarks of each class.", "0, all"), show_default=False
    ),
]


def subset_command(  # noqa: PLR0913 - typer makes an option of each
    source: SubsetSource = None,
    *,
    root: Root = DEFAULT_ROOT,
    per_class: PerClass,
    out: Out,
    seed: ChoiceSeed = 0,
    split: OfSplit = "train",
    level: ClassLevel = "hierarchical_label",
    supercategory: OnlySupercategories = None,
    landmarks: MostLandmarks = 0,
) -> None:
    """Chooses a few images of each class, the same ones everywhere, and writes their list.

    Reads annotations/; writes one file: split, image_id and the labels, which `hgld.load` reads.
    The landmarks of a class take turns, so that none with many images outweighs the others.
    """
    from hgld.loading import load
    from hgld.loading.subset import SubsetChoice, check_subset_path, choose_subset, write_subset

    check_subset_path(out)
    if source is not None and root != DEFAULT_ROOT:
        raise InputError(f"one source is read: give {source} or --root {root}")
    try:
        choice = SubsetChoice(per_class=per_class, seed=seed, level=level, landmarks=landmarks)
        images = load(root if source is None else source)[split]
        if supercategory:
            images = images.of(hierarchical_label=supercategory)
        chosen = choose_subset(images, choice)
    except ValueError as error:
        raise InputError(str(error)) from error
    write_subset(out, chosen.rows)
    few = [one for one in chosen.classes if one.images < per_class]
    typer.echo(
        f"{out}: {len(chosen.rows):,} images of {sum(one.landmarks for one in chosen.classes):,} "
        f"landmarks in {len(chosen.classes):,} classes"
    )
    if few:
        listed = ", ".join(f"{one.name!r} {one.images:,}" for one in few[:10])
        more = ", ..." if len(few) > 10 else ""  # noqa: PLR2004 - as many as a line holds
        typer.echo(f"{len(few):,} classes have fewer than {per_class:,}: {listed}{more}")
