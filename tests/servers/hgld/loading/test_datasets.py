"""The block of docs/use.md on Hugging Face datasets, in a process with a cache of its own."""

import sys
from pathlib import Path

import hgld
from tests.hgld.loading.test_docs import block
from tests.hgld.loading.world import write_annotated
from tests.worlds.commands.typed import run


def test_datasets_keeps_every_split_and_loads_one_shard(tmp_path: Path) -> None:
    write_annotated(tmp_path / "build")
    data = hgld.load(tmp_path / "build")
    ends = (
        "print([list(labels[name]['image_id']) for name in ('train', 'index', 'test')])\n"
        "print(labels['train'][0]['classes'])\n"
    )
    # Where its cache lies is read when it is imported.
    more = {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    program = block("Hugging Face datasets") + ends
    printed = run([sys.executable, "-W", "error", "-c", program], tmp_path, more)
    *_, counts, ids, classes = printed.splitlines()
    assert counts.endswith(" 8 10")
    assert ids == str([data[name].image_ids() for name in ("train", "index", "query")])
    assert classes == "[{'class_qid': 'Q1', 'class_label': 'church building'}]"
