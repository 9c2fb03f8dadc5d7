"""Commands on finished labels: `hgld subset`, `hgld pull`, `hgld publish`."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click
import pyarrow.compute as pc

from hgld.engine.config import setting
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import InputError
from hgld.flows.build import annotate_steps
from hgld.flows.cli.options import BuildOptions, Command, required
from hgld.flows.cli.output import run_and_tell
from hgld.flows.steps import Sections
from hgld.http.patience import HttpPolicy
from hgld.tables import LabelOrigin, of_split

_NAMED = 10  # most classes that a message lists


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetOptions:
    """Options of `hgld subset`."""

    root: Path = setting(DEFAULT_ROOT, "Folder of the build.")
    per_class: int = required("Images of each class; all if there are fewer.")
    out: Path = required("The file to write, .parquet or .csv.")
    seed: int = setting(0, "A different seed chooses different images.")
    split: str = setting("train", "train, index or test (the queries).")
    level: str = setting(
        "hierarchical_label", "Level of the classes: this, landmark_id or natural_or_human_made."
    )
    supercategory: tuple[str, ...] = setting((), "Only this super-category.")
    where: str = setting(
        "",
        "Only landmarks for which this holds, in SQL: \"country = 'Egypt' and inception < 1500\"; "
        "needs hgld[query].",
    )
    landmarks: int = setting(0, "Maximum landmarks of each class; 0: all.")
    labels: LabelOrigin = setting(
        "classes", "Labels: classes, as published; reviewed, by a person; all, with filled ones."
    )
    min_confidence: float = setting(0.0, "Lowest confidence, 0 to 1, if no person decided.")


@click.command("subset", cls=Command, options=SubsetOptions)
@click.argument("source", required=False)
def subset(options: SubsetOptions, source: str | None) -> None:
    """Chooses a few images of each class, the same on every machine, and lists them in a file.

    SOURCE is the folder or URL of a release, or Google's files; default is the build in --root.
    Reads annotations/; writes one file: split, image_id and the labels, which `hgld.load` reads.
    The landmarks of a class take turns, so that those with many images do not dominate.
    """
    from hgld.loading import load
    from hgld.loading.subset import check_subset_path, choose_subset, landmarks_where, write_subset

    check_subset_path(options.out)
    if source is not None and options.root != DEFAULT_ROOT:
        raise InputError(f"give one source: {source} or --root {options.root}, not both")
    given = options.root if source is None else source
    names, level, most = list(options.supercategory), options.level, options.landmarks
    try:
        labelled = load(given, labels=options.labels, min_confidence=options.min_confidence)
        images = labelled[options.split]
        chosen = images.of(hierarchical_label=names) if names else images
        if options.where:
            found = landmarks_where(labelled.landmarks, options.where)
            space = "train" if images.name == "train" else "index"
            ids = of_split(found, space)["landmark_id"].combine_chunks()
            chosen = chosen.where(pc.field("landmark_id").isin(ids))
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
        click.echo(
            f"{len(few):,} classes have fewer than {options.per_class:,} images: {listed}{more}"
        )
    for name in names:
        if not len(images.of(hierarchical_label=name)):
            click.echo(f"{name!r} has no images in {options.split}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """Options of `hgld pull`."""

    out: Path = required("The folder to write: new, empty, or with a release.")


@click.command("pull", cls=Command, options=PullOptions)
@click.argument("ref")
def pull(options: PullOptions, ref: str) -> None:
    """Fetches a release, and checks every file against SHA256SUMS.

    REF is a folder, an http(s) URL, an object store (s3://bucket/prefix, gs://bucket/prefix), or
    hf:OWNER/NAME[@REVISION] on the Hugging Face Hub, or the hub in HF_ENDPOINT. Reads a release;
    writes one folder. Files already there are not fetched again, and an interrupted run resumes.
    """
    from hgld.annotations.release.sharing import pull_release

    moved, kept = pull_release(ref, options.out, HttpPolicy())
    click.echo(f"{options.out}: {moved:,} files fetched, {kept:,} already there; all are intact")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions(BuildOptions):
    """Options of `hgld publish`."""

    to: str = required("A folder, s3://bucket/prefix, gs://bucket/prefix or hf:OWNER/NAME.")


@click.command("publish", cls=Command, options=PublishOptions)
def publish(options: PublishOptions, sections: Sections) -> None:
    """Makes the release of a build, and publishes it: a folder, an object store, or the HF Hub.

    Reads annotations/ and the release published there, from which the new version and list of
    changes continue; writes annotations/, and sends the files that changed.
    """
    from hgld.annotations.release.released import RELEASE_FOLDER
    from hgld.annotations.release.sharing import publish_release, release_before

    to, policy = options.to, HttpPolicy()
    workspace = Workspace(options.root)
    workspace.require()
    before = release_before(to, workspace.path(".published"), policy)
    if before is not None:
        sections.setdefault("release", {})["previous"] = str(before.resolve())
    for step in annotate_steps(sections):
        run_and_tell(options.root, step)
    folder = workspace.path(RELEASE_FOLDER)
    moved, kept = publish_release(folder, to, policy, before=before)
    click.echo(f"{to}: {moved:,} files sent, {kept:,} already there")
