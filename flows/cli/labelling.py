"""The commands of the label step, which take more than their settings."""

from pathlib import Path
from typing import Annotated

import typer

from hgld.engine.config import from_mapping
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.cli.options import Force, option_help
from hgld.flows.cli.output import print_rows
from hgld.flows.cli.running import quiet_stage_log, run_and_tell, tell_reports
from hgld.flows.steps import Sections
from hgld.labels.clustering.config import ClusterConfig
from hgld.labels.fills.config import FillConfig
from hgld.review.log.decisions import read_decisions


def cluster_command(  # noqa: PLR0913, PLR0917 - an argument for each option
    root: Path,
    sections: Sections,
    labels: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "A list instead of a build: CSV with the column label, and perhaps qids (with | "
                "between them) and count. Also embeds and proposes.",
                "not set",
            )
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=option_help("With --labels: the folder to write.", "not set")),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            metavar="<open_clip|minilm>",
            help=option_help(
                "With --labels: what turns them into vectors.", "minilm, if it is installed"
            ),
        ),
    ] = "",
    scan: Annotated[
        str,
        typer.Option(
            metavar="N,N,...",
            help=option_help(
                "Compares these numbers of clusters, writes labels/scan/, and ends.", "not set"
            ),
        ),
    ] = "",
    force: Force = False,
) -> None:
    """Groups the classes with K-Means, or another method; on a bare list proposes as well.

    Reads labels/; writes labels/clusters/, labels/centres/ and labels/cluster_changes/. With
    --labels, reads that file and writes clusters.parquet. Needs hgld[cluster].
    """
    if (labels is None) != (out is None):
        raise InputError("--labels and --out go together: the list, and the folder to write")
    if encoder and labels is None:
        raise InputError("--encoder goes with --labels; of a build, hgld embed --encoder encodes")
    if labels is not None and out is not None:
        if encoder:
            sections.setdefault("embed", {})["encoder"] = encoder
        from hgld.flows.lists.label_list import cluster_list

        quiet_stage_log()
        reports, result = cluster_list(labels, out, sections)
        tell_reports(reports)
        typer.echo(f"proposals    {result}")
    elif scan:
        _scan(Workspace(root), scan, sections)
    else:
        run_and_tell(root, "cluster", sections, force=force)


def _scan(workspace: Workspace, numbers: str, sections: Sections) -> None:
    """Compares numbers of clusters, and prints the table that it writes."""
    from hgld.labels.clustering.scan import scan_clusters, write_scan

    try:
        counts = [int(number) for number in numbers.split(",")]
    except ValueError as error:
        raise InputError(f"--scan must be numbers such as 20,40,78,150, got {numbers!r}") from error
    config = from_mapping(ClusterConfig, sections.get("cluster", {}), where="[cluster]")
    labels = {
        qid: one.hierarchical_label
        for qid, one in read_decisions(workspace).items()
        if one.hierarchical_label is not None
    }
    rows = scan_clusters(workspace, config, counts, labels)
    print_rows(rows)
    for path in write_scan(rows, workspace.path("labels/scan")):
        typer.echo(f"wrote {path}")


def propose_command(root: Path, sections: Sections, force: Force = False) -> None:
    """Proposes a super-category for each class, with the evidence, from what is decided so far.

    Reads labels/, scrape/ and review/decisions.jsonl; writes review/decided/,
    review/fill_decisions/, labels/proposals/ and labels/cluster_proposals/. Needs hgld[cluster].
    """
    run_and_tell(root, "propose", sections, force=force)


def fill_command(
    root: Path,
    sections: Sections,
    labelled: Annotated[
        Path | None,
        typer.Option(
            help=option_help(
                "Two lists instead of a build: CSV with category, hierarchical_label and "
                "natural_or_human_made (blank: known to have none), to learn from.",
                "not set",
            )
        ),
    ] = None,
    categories: Annotated[
        Path | None,
        typer.Option(
            help=option_help("With --labelled: CSV with category, to label.", "not set"),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=option_help("With --labelled: the folder to write.", "not set")),
    ] = None,
    force: Force = False,
) -> None:
    """Labels landmarks that no class gives a label by their names, parents and pictures.

    Reads metadata/, scrape/, review/ and labels/; writes labels/fills/ and labels/fill_checks/.
    With --labelled, reads those files and writes fills.parquet. Needs hgld[cluster].
    """
    lists = (labelled, categories, out)
    if all(one is None for one in lists):
        run_and_tell(root, "fill", sections, force=force)
        return
    if labelled is None or categories is None or out is None:
        raise InputError(
            "--labelled, --categories and --out go together: what to learn from, what to label, "
            "and the folder to write"
        )
    from hgld.flows.lists.fill_list import fill_list

    config = from_mapping(FillConfig, sections.get("fill", {}), where="[fill]")
    typer.echo(f"fills        {fill_list(labelled, categories, out, config)}")
