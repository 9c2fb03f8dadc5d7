"""The settings of an export, and the stages it has; light to import."""

from dataclasses import dataclass
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import ANNOTATIONS
from hgld.training.config import TrainConfig, model_files, train_stage

_LABELS = ANNOTATIONS["train"]

ExportTarget = Literal["onnx", "card"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """Settings of `hgld export`."""

    run: str = setting(TrainConfig().name, "Name of the training run whose model is exported.")
    to: ExportTarget = setting(
        "onnx",
        "onnx: model.onnx, which needs hgld[export], and the card. card: README.md alone, which "
        "says what the model is, what it was trained on and what it reached.",
    )

    def __post_init__(self) -> None:
        """Refuses what could only fail later."""
        check_settings(self)
        TrainConfig(name=self.run)  # checks that it can be a run's name

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
