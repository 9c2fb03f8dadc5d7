"""A model as ONNX, which programs without torch run; compared with torch before it is kept."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
