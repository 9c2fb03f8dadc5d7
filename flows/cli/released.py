"""Commands on labels that were made: `hgld subset`, `hgld pull`, `hgld publish`."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click

from hgld.engine.config import setting
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import InputError
from hgld.flows.build import annotate_steps
from hgld.flows.cli.options import BuildOptions, Command, required
from hgld.flows.cli.output import run_and_tell
from hgld.flows.steps import Sections
from hgld.http.patience import HttpPolicy
from hgld.tables import LabelOrigin

_HUB = "https://huggingface.co"
_NAMED = 10  # classes


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetOptions:
    """Options of `hgld subset`."""

    root: Path = setting(DEFAULT_ROOT, "Folder that holds the build.")
    per_class: int = required("Images of each class; all if fewer.")
    out: Path = required("The file to write, .parquet or .csv.")
    seed: int = setting(0, "Another seed chooses others.")
    split: str = setting("train", "train, index or test (the queries).")
    level: str = setting(
        "hierarchical_label", "A class is this, or landmark_id, or natural_or_human_made."
    )
    supercategory: tuple[str, ...] = setting((), "Only of this super-category.")
    landmarks: int = setting(0, "The most landmarks of each class; 0: all.")
    labels: LabelOrigin = setting(
        "classes", "Labels: classes, as published; reviewed, by a person; all, filled ones too."
    )
    min_confidence: float = setting(0.0, "Least of a label that no person decided, 0 to 1.")


@click.command("subset", cls=Command, options=SubsetOptions)
@click.argument("source", required=False)
def subset(options: SubsetOptions, source: str | None) -> None:
    """Chooses a few images of each class, the same ones everywhere, and writes their list.

    Of SOURCE: a release's folder or address, or Google's files; else of the build in --root.
    Reads annotations/; writes one file: split, image_id and the labels, which `hgld.load` reads.
    The landmarks of a class take turns, so that none with many images outweighs the others.
    """
    from hgld.loading import load
    from hgld.loading.subset import check_subset_path, choose_subset, write_subset

    check_subset_path(options.out)
    if source is not None and options.root != DEFAULT_ROOT:
        raise InputError(f"one source is read: give {source} or --root {options.root}")
    given = options.root if source is None else source
    names, level, most = list(options.supercategory), options.level, options.landmarks
    try:
        labelled = load(given, labels=options.labels, min_confidence=options.min_confidence)
        images = labelled[options.split]
        chosen = images.of(hierarchical_label=names) if names else images
        rows = choose_subset(
            chosen, options.per_class, seed=options.seed, level=level, most_landmarks=most
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    write_subset(options.out, rows)
    counts = Counter(map(str, rows[level].to_pylist()))
    landmarks = len(set(rows[images.levels[0]].to_pylist()))
    click.echo(
        f"{options.out}: {len(rows):,} images of {landmarks:,} landmarks in {len(counts):,} classes"
    )
    if few := sorted(name for name, count in counts.items() if count < options.per_class):
        listed = ", ".join(f"{name!r} {counts[name]:,}" for name in few[:_NAMED])
        more = ", ..." if len(few) > _NAMED else ""
        click.echo(f"{len(few):,} classes have fewer than {options.per_class:,}: {listed}{more}")
    for name in names:
        if not len(images.of(hierarchical_label=name)):
            click.echo(f"{name!r} has no image in {options.split}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """Options of `hgld pull`."""

    out: Path = required("The folder: new, empty, or with a release.")
    hub: str = setting(_HUB, "Address of the hub.")


@click.command("pull", cls=Command, options=PullOptions)
@click.argument("ref")
def pull(options: PullOptions, ref: str) -> None:
    """Brings a release here, every file as its SHA256SUMS says.

    REF is a folder, an http(s) address, or hf:OWNER/NAME[@REVISION] on the Hugging Face hub.
    Reads a release; writes one folder. What that has already is not fetched again, and a run that
    was stopped goes on, also in the middle of a file.
    """
    from hgld.annotations.release.sharing import pull_release

    moved, kept = pull_release(ref, options.out, HttpPolicy(), endpoint=options.hub)
    click.echo(f"{options.out}: {moved:,} files fetched, {kept:,} were there; all are whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions(BuildOptions):
    """Options of `hgld publish`."""

    to: str = required("A folder, or hf:OWNER/NAME.")
    hub: str = setting(_HUB, "Address of the hub.")


@click.command("publish", cls=Command, options=PublishOptions)
def publish(options: PublishOptions, sections: Sections) -> None:
    """Makes the release of a build, and sends it to where others fetch it.

    Reads annotations/ and the release that is there; writes annotations/ and what has changed of
    it. What that release says is where the new one's version and its list of changes go on from.
    """
    from hgld.annotations.release.released import RELEASE_FOLDER
    from hgld.annotations.release.sharing import publish_release, release_before

    to, hub, policy = options.to, options.hub, HttpPolicy()
    workspace = Workspace(options.root)
    workspace.require()
    before = release_before(to, workspace.path(".published"), policy, endpoint=hub)
    if before is not None:
        sections.setdefault("release", {})["previous"] = str(before.resolve())
    for step in annotate_steps(sections):
        run_and_tell(options.root, step)
    folder = workspace.path(RELEASE_FOLDER)
    moved, kept = publish_release(folder, to, policy, before=before, endpoint=hub)
    click.echo(f"{to}: {moved:,} files sent, {kept:,} were there")
