"""What `hgld export` writes of a run: the model as ONNX, and its card.

Programs without torch run ONNX; it is compared with torch before it is kept. The card says what a
model is, what it was trained on, what it reached and how to load it.
"""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hgld.engine.progress import progress
from hgld.errors import InputError, how_to_install
from hgld.training.model.config import first_line
from hgld.training.model.embedding import EmbeddingModel

INPUT_NAME = "images"
OUTPUT_NAME = "embeddings"
LARGEST_DIFFERENCE = 1e-4
"""Of a number of an embedding from torch's; above it a model is not kept. Rounding gives 2e-6."""

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_MOST_IMAGES = 65_536
_BATCHES = (1, 5)
"""Images of the batches that are compared: others than the one that was traced."""
# Protocol buffers end there.
_MOST_BYTES = 2**31 - 2**20


def export_onnx(model: EmbeddingModel, path: Path, *, metadata: Mapping[str, str]) -> float:
    """Writes a model as ONNX and compares what it gives with what the model gives.

    The file takes `images`, uint8 (N, 3, S, S) from 0 to 255, and gives `embeddings`, float32
    (N, D) of unit norm: the normalisation of the pixels is inside. N is free, S is not. The same
    model gives the same bytes, with the same versions of torch and onnxscript.

    Args:
        model: on the CPU; left in evaluation mode.
        path: the file to write, in place: rename it when this has returned.
        metadata: texts that the file carries along.

    Returns:
        The largest difference of a number from torch's, on random pictures.

    Raises:
        InputError: a package is missing, the model cannot be written as ONNX, or what was written
            gives something else than the model.
        OSError: there is no room, or the file system refuses.
    """
    onnx = _packages()["onnx"]
    with progress("export: trace, write, compare", 3) as advance:
        proto = _traced(model.eval())
        advance(1)
        for key, value in metadata.items():
            proto.metadata_props.add(key=key, value=value)
        proto.doc_string = (
            f"{INPUT_NAME}: uint8 (N, 3, {model.image_size}, {model.image_size}), RGB from 0 to "
            f"255, upright; {OUTPUT_NAME}: float32 (N, {model.embedding_dim}), unit norm"
        )
        onnx.checker.check_model(proto)
        path.write_bytes(proto.SerializeToString(deterministic=True))
        advance(1)
        difference = max(_difference(model, path, count) for count in _BATCHES)
        advance(1)
    if not difference <= LARGEST_DIFFERENCE:  # of NaN neither
        raise InputError(
            f"the model as ONNX gives embeddings that differ by {difference:.2g} from torch's, and "
            f"must by no more than {LARGEST_DIFFERENCE:g}; it is not kept. Install another version "
            f"of onnxscript or onnxruntime, and rerun"
        )
    return difference


def _packages() -> dict[str, Any]:
    """Returns the packages that are needed, by name.

    Raises:
        InputError: one is not installed.
    """
    import importlib

    try:
        return {name: importlib.import_module(name) for name in _PACKAGES}
    except ModuleNotFoundError as error:
        raise InputError(
            f"an export to ONNX needs the package {error.name!r}: {how_to_install('export')}"
        ) from error


def _traced(model: EmbeddingModel) -> Any:  # noqa: ANN401 - a message of protocol buffers
    """Returns a model as ONNX, without the paths of source files that the exporter writes down.

    Raises:
        InputError: it has a part that ONNX does not, or is too large.
    """
    size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    if size > _MOST_BYTES:
        raise InputError(
            f"a file of ONNX holds at most 2 GB, and the model's weights have {size:,}"
        )
    example = torch.zeros(2, 3, model.image_size, model.image_size, dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's own, of what it uses of torch
            program: Any = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_shapes={"images": {0: torch.export.Dim("N", min=1, max=_MOST_IMAGES)}},
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        raise InputError(
            f"backbone {model.config.backbone!r} cannot be written as ONNX: {first_line(cause)}"
        ) from error
    proto = program.model_proto
    graph = proto.graph
    for one in (proto, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        one.ClearField("metadata_props")
    return proto


def _difference(model: EmbeddingModel, path: Path, count: int) -> float:
    """Returns the largest difference of a number, on a batch of so many pictures."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    images = _pictures(count, model.image_size)
    (found,) = session.run([OUTPUT_NAME], {INPUT_NAME: images.numpy()})
    with torch.inference_mode():
        expected: Tensor = model(images)
    return float((torch.from_numpy(found) - expected).abs().max())


def _pictures(count: int, size: int) -> Tensor:
    """Returns random pictures, every other one of a few large patches, as photographs have them."""
    generator = torch.Generator().manual_seed(count)
    noise = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    coarse = torch.randint(0, 256, (count, 3, 4, 4), generator=generator, dtype=torch.uint8)
    noise[1::2] = torch.nn.functional.interpolate(coarse, size=(size, size))[1::2]
    return noise


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
