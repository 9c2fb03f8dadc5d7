"""Commands on labels that were made: `hgld subset`, `hgld pull`, `hgld publish`."""

from pathlib import Path
from typing import Annotated

import typer

from hgld.annotations.release.released import RELEASE_FOLDER
from hgld.annotations.release.sharing import HUB, publish_release, pull_release, release_before
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import InputError
from hgld.flows.cli.options import Root, option_help
from hgld.flows.cli.running import run_and_tell
from hgld.flows.steps import Sections, annotate_order
from hgld.http.patience import HttpPolicy
from hgld.tables import LabelOrigin

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
OfLabels = Annotated[
    LabelOrigin,
    typer.Option(
        help=option_help(
            "Which labels: classes, as published; reviewed, those that a person decided; all, also "
            "those that are filled where no class gives one.",
            "classes",
        ),
        show_default=False,
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        help=option_help("Least confidence of a label that no person decided, 0 to 1.", "0"),
        show_default=False,
    ),
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
    labels: OfLabels = "classes",
    min_confidence: MinConfidence = 0.0,
) -> None:
    """Chooses a few images of each class, the same ones everywhere, and writes their list.

    Reads annotations/; writes one file: split, image_id and the labels, which `hgld.load` reads.
    The landmarks of a class take turns, so that none with many images outweighs the others.
    """
    from hgld.loading import load
    from hgld.loading.subset import (
        SubsetChoice,
        check_subset_path,
        choose_subset,
        spelled_names,
        write_subset,
    )

    check_subset_path(out)
    if source is not None and root != DEFAULT_ROOT:
        raise InputError(f"one source is read: give {source} or --root {root}")
    try:
        choice = SubsetChoice(per_class=per_class, seed=seed, level=level, landmarks=landmarks)
        given = root if source is None else source
        images = load(given, labels=labels, min_confidence=min_confidence)[split]
        asked = spelled_names(images, supercategory) if supercategory else []
        if asked:
            images = images.of(hierarchical_label=asked)
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
    for name in asked:
        if not len(images.of(hierarchical_label=name)):
            typer.echo(f"{name!r} has no image in {split}")


_REF = "A folder, an http(s) address, or hf:OWNER/NAME[@REVISION] on the Hugging Face hub."
Ref = Annotated[str, typer.Argument(help=option_help(_REF, "none"))]
Into = Annotated[
    Path, typer.Option(help=option_help("The folder: new, empty, or with a release.", "none"))
]
HubAddress = Annotated[
    str, typer.Option("--hub", help=option_help("Address of the hub.", HUB), show_default=False)
]
Target = Annotated[
    str,
    typer.Option(help=option_help("A folder, or hf:OWNER/NAME.", "none")),
]


def pull_command(ref: Ref, *, out: Into, hub: HubAddress = HUB) -> None:
    """Brings a release here, every file as its SHA256SUMS says.

    Reads a release; writes one folder. What that has already is not fetched again, and a run that
    was stopped goes on, also in the middle of a file.
    """
    report = pull_release(ref, out, HttpPolicy(), endpoint=hub)
    typer.echo(f"{out}: {report.words('fetched')}; all as SHA256SUMS says")


def publish_command(root: Path, sections: Sections, *, to: Target, hub: HubAddress = HUB) -> None:
    """Makes the release of a build, and sends it to where others fetch it.

    Reads annotations/ and the release that is there; writes annotations/ and what has changed of
    it. What that release says is where the new one's version and its list of changes go on from.
    """
    workspace, policy = Workspace(root), HttpPolicy()
    workspace.require()
    before = release_before(to, workspace.path(".published"), policy, endpoint=hub)
    if before is not None:
        sections.setdefault("release", {})["previous"] = str(before.resolve())
    for name in annotate_order(sections):
        run_and_tell(root, name, sections)
    folder = workspace.path(RELEASE_FOLDER)
    report = publish_release(folder, to, policy, before=before, endpoint=hub)
    typer.echo(f"{to}: {report.words('sent')}")
