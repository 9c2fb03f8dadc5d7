"""The commands of docs/training.md, typed one after the other."""

import dataclasses
import json
import shlex

from hgld.engine.workspace import Workspace
from hgld.training.model.saved import load_model
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.commands.typed import said
from tests.worlds.training_runs import TINY


def test_the_commands_of_the_page_train(tiny_build: Workspace) -> None:
    stated = dataclasses.asdict(TINY) | {"epochs": 1, "validation_share": 0.4}
    for of_the_command in ("name", "image_size"):
        del stated[of_the_command]
    kept = {key: value for key, value in stated.items() if isinstance(value, int | float | str)}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in kept.items()]
    tiny_build.path("hgld.toml").write_text("[train]\n" + "".join(lines))
    first, hierarchies, *_ = fenced(ROOT / "docs/training.md", "bash")
    # The last measures two runs: `tests/flows/test_hierarchies.py`.
    for command in [*first.splitlines(), *hierarchies.splitlines()[:-1]]:
        words = shlex.split(command)[1:]
        words += ["--image-size", "32"] if "--recipe" in words else []
        said(*words, folder=tiny_build.root.parent)
    assert load_model(tiny_build.path("runs/larger")).image_size == 64
    assert tiny_build.path("runs/mini/run.html").exists()
