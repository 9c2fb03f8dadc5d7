"""What `hgld export` writes of a run: the model as ONNX, and its card.

Programs without torch run ONNX; it is compared with torch before it is kept. The card says what a
model is, what it was trained on, what it reached and how to load it.
"""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hgld.engine.progress import progress
from hgld.errors import InputError, needing
from hgld.plots.pages import page_template
from hgld.training.model.backbone import hub_weights
from hgld.training.model.config import ModelConfig, first_line
from hgld.training.model.embedding import EmbeddingModel

INPUT_NAME = "images"
OUTPUT_NAME = "embeddings"
LARGEST_DIFFERENCE = 1e-4
"""Of a number of an embedding from torch's; above it a model is not kept. Rounding gives 2e-6."""

_MOST_IMAGES = 65_536
# Protocol buffers end there.
_MOST_BYTES = 2**31 - 2**20


def export_onnx(model: EmbeddingModel, path: Path, *, metadata: Mapping[str, str]) -> float:
    """Writes a model as ONNX and compares what it gives with what the model gives.

    The file takes `images`, uint8 (N, 3, S, S) from 0 to 255, and gives `embeddings`, float32
    (N, D) of unit norm: the normalisation of the pixels is inside, the resize of a picture is not.
    N is free, S is not; with `resize = "longest"` it takes (N, 3, H, W) up to S. The same model
    gives the same bytes, with the same versions of torch and onnxscript.

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
    with needing("export", "an export to ONNX"):
        onnx, *_ = map(import_module, ("onnx", "onnxruntime", "onnxscript"))
    with progress("export: trace, write, compare", 3) as advance:
        proto = _traced(model.eval())
        advance(1)
        for key, value in metadata.items():
            proto.metadata_props.add(key=key, value=value)
        proto.doc_string = (
            f"{INPUT_NAME}: uint8 (N, 3, height, width), RGB from 0 to 255, of a picture that is "
            f"decoded at its full size and upright: {model.config.resize_words}; {OUTPUT_NAME}: "
            f"float32 (N, {model.embedding_dim}), unit norm"
        )
        onnx.checker.check_model(proto)
        path.write_bytes(proto.SerializeToString(deterministic=True))
        advance(1)
        # Of batches other than the one that was traced.
        batches = ((1, *_shape(model.config)), (5, *_shape(model.config, share=1 / 3)))
        difference = max(_difference(model, path, *batch) for batch in batches)
        advance(1)
    if not difference <= LARGEST_DIFFERENCE:  # of NaN neither
        raise InputError(
            f"the model as ONNX gives embeddings that differ by {difference:.2g} from torch's, and "
            f"must by no more than {LARGEST_DIFFERENCE:g}; it is not kept. Install another version "
            f"of onnxscript or onnxruntime, and rerun"
        )
    return difference


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
    example = torch.zeros(2, 3, *_shape(model.config), dtype=torch.uint8)
    free = {0: torch.export.Dim("N", min=1, max=_MOST_IMAGES)}
    if model.config.resize == "longest":
        sides = {2: "H", 3: "W"}
        free |= {
            at: torch.export.Dim(name, min=1, max=model.image_size) for at, name in sides.items()
        }
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's own, of what it uses of torch
            program: Any = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_shapes={"images": free},
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


def _shape(config: ModelConfig, *, share: float = 0.75) -> tuple[int, int]:
    """Returns height and width of a picture, where they are free of one with such proportions."""
    size = config.image_size
    return (max(2, round(share * size)), size) if config.resize == "longest" else (size, size)


def _difference(model: EmbeddingModel, path: Path, count: int, height: int, width: int) -> float:
    """Returns the largest difference of a number, on a batch of so many pictures."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = _pictures(count, height, width)
    (found,) = session.run([OUTPUT_NAME], {INPUT_NAME: images.numpy()})
    with torch.inference_mode():
        expected: Tensor = model(images)
    return float((torch.from_numpy(found) - expected).abs().max())


def _pictures(count: int, height: int, width: int) -> Tensor:
    """Returns random pictures, every other one of a few large patches, as photographs have them."""
    generator = torch.Generator().manual_seed(count)
    shape = (count, 3, height, width)
    noise = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    coarse = torch.randint(0, 256, (count, 3, 4, 4), generator=generator, dtype=torch.uint8)
    noise[1::2] = torch.nn.functional.interpolate(coarse, size=(height, width))[1::2]
    return noise


class Measured(NamedTuple):
    """A metric of a model, beside that of the same model without training."""

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
    template = page_template("hgld.training.model", "card.md.j2", cell=_cell)
    values = {field.name: getattr(card, field.name) for field in dataclasses.fields(card)}
    config = card.model["model"]
    origin = hub_weights(config["backbone"]) if config.get("weights") == "hub" else None
    words = ModelConfig(**config).resize_words
    return template.render(values, config=config, origin=origin, resize_words=words) + "\n"


def _cell(value: object, *, code: bool) -> str:
    """Returns a cell of a table of Markdown; what stands in it is shown as it is."""
    text = " ".join(str(value).split()).replace("|", "\\|").replace("`", "'")
    # Where a person's files lie is nobody's business.
    text = Path(text).name if Path(text).is_absolute() else text
    return f"`{text}`" if code and text else text
