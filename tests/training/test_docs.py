import json
import re
import tomllib
from pathlib import Path

from hgld.engine.config import from_mapping, setting_fields
from hgld.training.config import TrainConfig
from hgld.training.methods import Happier

PAGE = Path(__file__).parents[2] / "docs/training.md"


def _blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    return found


def test_the_settings_of_the_page_are_taken() -> None:
    (text,) = _blocks("toml")
    config = from_mapping(TrainConfig, tomllib.loads(text)["train"], where="the page")
    assert config.method == Happier(alpha=2.0)
    assert (config.memory_size, config.colour_jitter) == (4096, 0.4)


def test_every_method_is_on_the_page() -> None:
    told = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.M)
    (method,) = [one for one in setting_fields(TrainConfig) if one.name == "method"]
    assert sorted(told) == sorted(method.choices)


def test_the_figures_of_the_methods_are_those_that_were_measured() -> None:
    report = json.loads((PAGE.parents[1] / "benchmarks/results/training.json").read_text())
    before, after = (
        next(one["measures"]["h_ap"] for one in report["methods"] if one["group"] == group)
        for group in ("untrained", "happier")
    )
    told = f"from {100 * before['mean']:.1f} to {100 * after['mean']:.1f} ± "
    assert f"{told}{100 * after['deviation']:.1f}" in PAGE.read_text()


def test_the_figures_of_the_changes_are_those_that_were_measured() -> None:
    report = json.loads((PAGE.parents[1] / "benchmarks/results/training.json").read_text())
    changes = {one["title"]: one for one in report["changes"]}
    told = PAGE.read_text().partition("## What each change gave\n")[2]
    rows = [line.strip("| ").split(" | ") for line in told.splitlines() if re.match(r"\| \w", line)]
    for title, cell in rows[1:]:
        assert cell == f"{100 * changes[title]['gains']['h_ap']['mean']:+.1f}", title
    plain = changes["As published"]["measures"]["h_ap"]["mean"]
    before = [one["before"]["h_ap"] for one in report["runs"] if one["group"] == "plain"]
    words = f"{100 * plain:.1f} after {100 * sum(before) / len(before):.1f} before training"
    assert words in " ".join(told.split())
