"""Landmarks of GLDv2 from Wikimedia's answers to their labels, with nobody reviewing."""

import json
from pathlib import Path

from hgld.benchmarks.labels.agreement import AGREEMENT_FILE
from hgld.engine.workspace import Workspace
from tests.worlds.commands.typed import invoke
from tests.worlds.wikimedia.lab import Lab

_STEPS = ("metadata", "scrape", "embed", "cluster", "propose")


def test_nobody_reviews_and_the_labels_are_the_official_ones(
    lab: Lab, shared: Path, workspace: Workspace
) -> None:
    metadata = shared / "gldv2_mini/metadata"
    workspace.root.mkdir()
    workspace.path("hgld.toml").write_text(
        f"""
        metadata.base_url = "{metadata}"
        scrape = {{ commons = "{lab.commons}", sparql = "{lab.sparql}", contact = "a@example.org" }}
        embed.encoder = "minilm"
        """
    )
    root = ["--root", str(workspace.root)]
    official = [
        part
        for split in ("train", "index")
        for part in ("--official", str(metadata / f"{split}_label_to_hierarchical.csv"))
    ]
    commands = [[step, *root] for step in _STEPS]
    commands.append(["review", *root, "--accept-proposals"])
    commands += [["annotate", *root], ["agree", *root, *official, "--min-accuracy", "0.95"]]
    for command in commands:
        done = invoke(*command)
        assert done.exit_code == 0, (command, done.output, done.exception)
    levels = json.loads(workspace.path(AGREEMENT_FILE).read_text("utf-8"))["levels"]
    found = {level["column"]: level["measures"]["accuracy"]["value"] for level in levels}
    # 422 of the 424 landmarks that have an official label; the other two get none.
    assert found["hierarchical_label"] >= 0.95
    assert found["natural_or_human_made"] >= 0.97
