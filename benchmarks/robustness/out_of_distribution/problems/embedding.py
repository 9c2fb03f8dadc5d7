"""Embeds what the suite needs beside the embeddings of a build: other pictures, and feature std.

    python -m hgld.benchmarks.robustness.out_of_distribution.problems.embedding --root B --out F

B is the folder of a build, F one to write to: `other.parquet`, the embeddings of pictures of no
landmark, and `spread-SPLIT.parquet`, the std of the last feature map of the pictures of each split
and of the others, as `read_embeddings` reads them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from hgld.benchmarks.robustness.out_of_distribution.problems.other_pictures import (
    digit_pictures,
    flower_crops,
)
from hgld.engine.config import from_mapping
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError
from hgld.tables import IMAGE_FILES
from hgld.training.config import TrainConfig, model_files
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.recipes.reading import over_recipe

OTHER_KINDS = ("flower", "digit")
"""What the ids of the other pictures begin with."""
_BATCH = 32
_MAP = 4  # (B, C, H, W)


def main(arguments: Sequence[str] | None = None) -> int:
    """Embeds and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True, help="folder of a build")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--run", help="name of a run; default: the backbone before training")
    parser.add_argument("--recipe", default="gldv2-mini-cpu", help="names that backbone")
    parser.add_argument("--pictures", type=int, default=200, help="other pictures of each kind")
    options = parser.parse_args(arguments)
    workspace = Workspace(options.root)
    try:
        if options.run:
            model = load_model(workspace.path(model_files(options.run)[0]))
        else:
            settings = over_recipe({"recipe": options.recipe})
            config = from_mapping(TrainConfig, settings, where=options.recipe)
            model = build_model(config.model.before_training)
        others = {
            f"{kind}-{number:04}": picture
            for kind, make in zip(OTHER_KINDS, (flower_crops, digit_pictures), strict=True)
            for number, picture in enumerate(make(options.pictures))
        }
        options.out.mkdir(parents=True, exist_ok=True)
        pictures: dict[str, dict[str, AnyImage]] = {"other": dict(others)}
        pictures |= {split: _files(workspace, split) for split in IMAGE_FILES}
        embedded = embed_images(model, list(others.values()), scales=(1.0,))
        _write(options.out / "other.parquet", list(others), embedded)
        for split, images in pictures.items():
            spreads = embed_spreads(model, list(images.values()))
            _write(options.out / f"spread-{split}.parquet", list(images), spreads)
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


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
    dataset = EvalImages(images, model.image_size, model.config.crop_pct)
    found = []
    with torch.inference_mode(), progress("feature std", len(dataset)) as advance:
        model.eval()
        for pixels in load_batches(dataset, batch_size=_BATCH):
            features = model.backbone((pixels / 255 - model.mean) / model.std)
            if features.ndim != _MAP:
                raise InputError(
                    f"the backbone must give a map (B, C, H, W), got {tuple(features.shape)}; the "
                    f"std of features is that of a convolutional network"
                )
            found.append(spread_of(features))
            advance(len(pixels))
    return torch.cat(found) if found else torch.empty(0, model.embedding_dim)


def spread_of(features: Tensor) -> Tensor:
    """Returns the standard deviation over positions, of a map (B, C, H, W), as (B, C).

    Example:
        >>> spread_of(torch.tensor([[[[1.0, 3.0]]]])).tolist()
        [[1.0]]
    """
    return features.float().std(dim=(2, 3), correction=0)


def _files(workspace: Workspace, split: str) -> dict[str, AnyImage]:
    table = workspace.read(IMAGE_FILES[split], ["image_id", "path", "status"])
    table = table.filter(pc.equal(table["status"], "ok")).sort_by("image_id")
    paths = [workspace.root / str(path) for path in table["path"].to_pylist()]
    return dict(zip(table["image_id"].to_pylist(), paths, strict=True))


def _write(path: Path, image_ids: Sequence[str], vectors: Tensor) -> None:
    flat = pa.array(vectors.flatten().numpy())
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    pq.write_table(pa.table({"image_id": list(image_ids), "embedding": column}), path)


if __name__ == "__main__":
    sys.exit(main())
