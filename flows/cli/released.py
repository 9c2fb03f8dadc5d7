"""Commands on labels that were made: `hgld subset`, `hgld pull`, `hgld publish`."""

from collections import Counter
from pathlib import Path

import click

from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import InputError
from hgld.flows.build import (
    annotate_steps,
)
from hgld.flows.cli.options import PATH, StepCommand, root_option
from hgld.flows.cli.output import run_and_tell
from hgld.flows.steps import (
    Sections,
)
from hgld.http.patience import HttpPolicy
from hgld.tables import LabelOrigin

HUB = "https://huggingface.co"

_hub = click.option("--hub", default=HUB, show_default=True, help="Address of the hub.")


@click.command("subset", params=[root_option()])
@click.argument("source", required=False)
@click.option("--per-class", type=int, required=True, help="Images of each class; all if fewer.")
@click.option("--out", type=PATH, required=True, help="The file to write, .parquet or .csv.")
@click.option("--seed", default=0, show_default=True, help="Another seed chooses others.")
@click.option(
    "--split", default="train", show_default=True, help="train, index or test (the queries)."
)
@click.option(
    "--level",
    default="hierarchical_label",
    show_default=True,
    help="What a class is: hierarchical_label, landmark_id or natural_or_human_made.",
)
@click.option(
    "--supercategory", multiple=True, show_default="all", help="Only of this; again for each."
)
@click.option(
    "--landmarks", default=0, show_default="all", help="The most landmarks of each class."
)
@click.option(
    "--labels",
    type=click.Choice(["classes", "reviewed", "all"]),
    default="classes",
    show_default=True,
    help="Which labels: classes, as published; reviewed, those that a person decided; all, also "
    "those that are filled where no class gives one.",
)
@click.option(
    "--min-confidence",
    default=0.0,
    show_default=True,
    help="Least confidence of a label that no person decided, 0 to 1.",
)
def subset(  # noqa: PLR0913 - an argument for each option
    root: Path,
    *,
    source: str | None,
    per_class: int,
    out: Path,
    seed: int,
    split: str,
    level: str,
    supercategory: tuple[str, ...],
    landmarks: int,
    labels: LabelOrigin,
    min_confidence: float,
) -> None:
    """Chooses a few images of each class, the same ones everywhere, and writes their list.

    Of SOURCE: a release's folder or address, or Google's files; else of the build in --root.
    Reads annotations/; writes one file: split, image_id and the labels, which `hgld.load` reads.
    The landmarks of a class take turns, so that none with many images outweighs the others.
    """
    from hgld.loading import load
    from hgld.loading.subset import check_subset_path, choose_subset, write_subset

    check_subset_path(out)
    if source is not None and root != DEFAULT_ROOT:
        raise InputError(f"one source is read: give {source} or --root {root}")
    try:
        given = root if source is None else source
        images = load(given, labels=labels, min_confidence=min_confidence)[split]
        if supercategory:
            images = images.of(hierarchical_label=list(supercategory))
        rows = choose_subset(images, per_class, seed=seed, level=level, most_landmarks=landmarks)
    except ValueError as error:
        raise InputError(str(error)) from error
    write_subset(out, rows)
    counts = Counter(map(str, rows[level].to_pylist()))
    click.echo(
        f"{out}: {len(rows):,} images of {len(set(rows[images.levels[0]].to_pylist())):,} "
        f"landmarks in {len(counts):,} classes"
    )
    if few := sorted(name for name, count in counts.items() if count < per_class):
        listed = ", ".join(f"{name!r} {counts[name]:,}" for name in few[:10])
        more = ", ..." if len(few) > 10 else ""  # noqa: PLR2004 - as many as a line holds
        click.echo(f"{len(few):,} classes have fewer than {per_class:,}: {listed}{more}")
    for name in supercategory:
        if not len(images.of(hierarchical_label=name)):
            click.echo(f"{name!r} has no image in {split}")


@click.command("pull")
@click.argument("ref")
@click.option("--out", type=PATH, required=True, help="The folder: new, empty, or with a release.")
@_hub
def pull(ref: str, out: Path, hub: str) -> None:
    """Brings a release here, every file as its SHA256SUMS says.

    REF is a folder, an http(s) address, or hf:OWNER/NAME[@REVISION] on the Hugging Face hub.
    Reads a release; writes one folder. What that has already is not fetched again, and a run that
    was stopped goes on, also in the middle of a file.
    """
    from hgld.annotations.release.sharing import pull_release

    moved, kept = pull_release(ref, out, HttpPolicy(), endpoint=hub)
    click.echo(f"{out}: {moved:,} files fetched, {kept:,} were there; all as SHA256SUMS says")


@click.command("publish", cls=StepCommand)
@click.option("--to", required=True, help="A folder, or hf:OWNER/NAME.")
@_hub
def publish(root: Path, sections: Sections, to: str, hub: str) -> None:
    """Makes the release of a build, and sends it to where others fetch it.

    Reads annotations/ and the release that is there; writes annotations/ and what has changed of
    it. What that release says is where the new one's version and its list of changes go on from.
    """
    from hgld.annotations.release.released import RELEASE_FOLDER
    from hgld.annotations.release.sharing import publish_release, release_before

    workspace, policy = Workspace(root), HttpPolicy()
    workspace.require()
    before = release_before(to, workspace.path(".published"), policy, endpoint=hub)
    if before is not None:
        sections.setdefault("release", {})["previous"] = str(before.resolve())
    for step in annotate_steps(sections):
        run_and_tell(root, step)
    folder = workspace.path(RELEASE_FOLDER)
    moved, kept = publish_release(folder, to, policy, before=before, endpoint=hub)
    click.echo(f"{to}: {moved:,} files sent, {kept:,} were there")
