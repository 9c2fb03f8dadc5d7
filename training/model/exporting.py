"""What `hgld export` writes of a run: its settings, its stages, and the card of a model.

Light to import. The card says what a model is, what it was trained on, what it reached and how to
load it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS
from hgld.training.config import TrainConfig, model_files, require_run_name, train_stage

_LABELS = ANNOTATIONS["train"]

ExportTarget = Literal["onnx", "card"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """Settings of `hgld export`."""

    run: str = setting(TrainConfig().name, "Name of the training run whose model is exported.")
    to: ExportTarget = setting(
        "onnx",
        "onnx: model.onnx, which needs hgld[export], and the card. card: only README.md, which "
        "says what the model is, what it was trained on and what it reached.",
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        check_settings(self)
        require_run_name("run", self.run)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that the settings ask for."""
        stages = (onnx_stage(self.run), card_stage(self.run))
        return stages if self.to == "onnx" else stages[1:]


def onnx_file(run: str) -> str:
    """Returns where a run's model lies as ONNX, relative to the workspace."""
    return f"runs/{run}/model.onnx"


def card_file(run: str) -> str:
    """Returns where the card of a run's model lies, relative to the workspace."""
    return f"runs/{run}/README.md"


def onnx_stage(run: str) -> Stage:
    """Returns the stage that writes a run's model as ONNX."""
    return Stage(
        name=f"export-{run}",
        version=1,
        input_files=model_files(run),
        output_files=(onnx_file(run),),
    )


def card_stage(run: str) -> Stage:
    """Returns the stage that writes the card of a run's model, of what is known of it by then."""
    return Stage(
        name=f"card-{run}",
        version=1,
        input_files=(
            *model_files(run),
            f"runs/{run}/metrics.jsonl",
            # What these stages were made from, and so whether it was this model.
            *(
                f"stages/{name}.json"
                for name in (train_stage(run).name, _LABELS.stage, "benchmark")
            ),
            "annotations/releases.json",
            "benchmarks/results.csv",
        ),
        output_files=(card_file(run),),
    )


class Measured(NamedTuple):
    """A metric of a model, beside that of its backbone before training."""

    metric: str
    before: str
    after: str
    """Both in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is known of a model; what is not is empty, and the card says so."""

    run: str
    model: Mapping[str, Any]
    """Its `config.json`."""
    settings: Mapping[str, object]
    """Of the training that ended with it, those that decide its weights."""
    finished_at: str
    data: Mapping[str, str]
    """SHA-256 of each table that it was trained on."""
    release: str
    """Version of the release that has these labels."""
    hours: float | None
    """Of the steps of training, as its log has them."""
    measured: Sequence[Measured]
    measured_on: str
    """What the metrics were measured on, in words."""


def model_card_text(card: ModelCard) -> str:
    """Returns a card as Markdown, with the head that the Hugging Face hub reads."""
    model = card.model
    config = model["model"]
    head = [
        "---",
        "library_name: hgld",
        "pipeline_tag: image-feature-extraction",
        "license: other",
        "tags: [image-retrieval, landmarks, hierarchical-retrieval]",
        "---",
    ]
    parts = [
        "\n".join(head),
        f"# {card.run}\n\n{_summary(model, config)}",
        f"## Use\n\n{_use(model)}",
        f"## Trained on\n\n{_data(card)}",
        f"## Recipe\n\n{_recipe(card)}",
        f"## Reached\n\n{_reached(card)}",
        f"## Licence\n\n{_LICENCE}",
    ]
    return "\n\n".join(parts) + "\n"


def training_hours(log: Iterable[str], batch_size: int) -> float | None:
    """Returns how long the steps of a run took, without its start and its checkpoints.

    Args:
        log: the lines of its `metrics.jsonl`, each with the steps done and the images a second
            since the line before.
        batch_size: images of a step.

    Returns:
        Hours; None where a line is none, or there is no line.

    Example:
        >>> lines = ['{"step": 50, "images_per_s": 10}', '{"step": 100, "images_per_s": 20}']
        >>> training_hours(lines, 72)  # 50 steps in 360 s, and 50 in 180 s
        0.15
    """
    seconds, done = 0.0, 0
    try:
        for line in log:
            values = json.loads(line)
            if "images_per_s" in values:  # other lines tell of something else than steps
                seconds += (values["step"] - done) * batch_size / values["images_per_s"]
                done = values["step"]
    except (ValueError, TypeError, LookupError, ZeroDivisionError):
        return None
    return seconds / 3600 if done else None


_LICENCE = """\
The weights were learned from photographs, each of which has a licence of its own
(`credits-*.parquet` of the labels' release names their makers), and start from weights that
somebody else may have published under theirs. Which terms follow for these weights is for whoever
passes them on to say; hgld, which made them, is under Apache-2.0."""


def _summary(model: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    width, size = model["embedding_dim"], model["image_size"]
    match config.get("scales"):
        case [_, _, *_] as scales:
            seen = (
                f", which it sees at {' and '.join(f'{one:g}' for one in scales)} times that size"
            )
        case _:
            seen = ""
    return (
        f"An image of a landmark to a unit vector of {width} numbers: the nearer two are, the "
        f"likelier they are of one landmark, or else of one kind of landmark. Backbone "
        f"`{config['backbone']}`, images of {size} x {size} pixels{seen}: of a picture, the middle "
        f"square of {config['crop_pct']} of the shorter side."
    )


def _use(model: Mapping[str, Any]) -> str:
    size = model["image_size"]
    return f"""\
```python
import hgld

model = hgld.load_model("the folder of this file")
print(hgld.embed_images(model, ["picture.jpg"]).shape)  # (1, {model["embedding_dim"]})
```

`model.safetensors` (SHA-256 `{model["weights_sha256"]}`) and
`config.json` are all it needs; nothing in them is run as code. A `model.onnx` beside them does
without torch: it takes `images`, uint8 (N, 3, {size}, {size}) from 0 to 255, RGB, and gives
`embeddings`, float32 (N, {model["embedding_dim"]})."""


def _data(card: ModelCard) -> str:
    if not card.data:
        return "Not known here: no training that ended in this build wrote these weights."
    release = (
        f"The labels of release {card.release}."
        if card.release
        else "The labels are of no release that is known here."
    )
    return f"{release}\n\n{_table(('table', 'SHA-256 of its rows'), card.data.items())}"


def _recipe(card: ModelCard) -> str:
    if not card.settings:
        return _table(("setting", "value"), card.model["model"].items())
    hours = "not known" if card.hours is None else f"{card.hours:.3g} hours"
    took = f"Ended {card.finished_at}. Time of its steps: {hours}."
    return f"{took}\n\n{_table(('setting', 'value'), card.settings.items())}"


def _reached(card: ModelCard) -> str:
    if not card.measured:
        return "No benchmark has measured this model yet: `hgld benchmark` does."
    table = _table(("%", "before training", "after"), card.measured, code=False)
    return f"{card.measured_on}\n\n{table}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], *, code: bool = True) -> str:
    """Returns a table of Markdown; what stands in it is shown as it is."""
    lines = [head, ["---"] * len(head)]
    lines += [[_cell(value, code=code) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _cell(value: object, *, code: bool) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|").replace("`", "'")
    # Where a person's files lie is nobody's business.
    text = Path(text).name if Path(text).is_absolute() else text
    return f"`{text}`" if code and text else text
