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
