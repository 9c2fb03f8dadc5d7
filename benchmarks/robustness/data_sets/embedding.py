"""Embeds what the suite needs with a model: a build's images, other pictures, and feature std.

    python -m hgld.benchmarks.robustness.data_sets.embedding --root B --run NAME --out F

B is the folder of a build, F one to write to: `SPLIT.parquet`, the embeddings of the images of each
split, `other.parquet`, those of pictures of no landmark, and `spread-SPLIT.parquet`, the std of the
last feature map of all of them, as `read_embeddings` reads them. The suite itself does the same for
each `--run`. What is there and of the same model and images is not done again.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
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
from hgld.benchmarks.robustness.records import unit_key
from hgld.engine.config import from_mapping
from hgld.engine.files import file_digest, write_text
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.training.config import TrainConfig, model_files
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.recipes.reading import over_recipe

OTHER_KINDS = ("flower", "digit")
"""What the ids of the other pictures begin with."""
OTHER_PICTURES = 200
"""Of each kind."""
BEFORE_TRAINING = "untrained"
"""In the place of a run's name: the backbone as it is before training."""

_OTHER = "other"
_STAMP = "embedded.json"
_BATCH = 32
_MAP = 4  # (B, C, H, W)


def main(arguments: Sequence[str] | None = None) -> int:
    """Embeds and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True, help="folder of a build")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--run", default=BEFORE_TRAINING, help="name of a run; default: the backbone before one"
    )
    parser.add_argument("--recipe", default="gldv2-mini-cpu", help="names that backbone")
    parser.add_argument(
        "--pictures", type=int, default=OTHER_PICTURES, help="other pictures of each kind"
    )
    options = parser.parse_args(arguments)
    try:
        embed_run(
            Workspace(options.root),
            options.run,
            options.out,
            recipe=options.recipe,
            pictures=options.pictures,
        )
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def embed_run(
    workspace: Workspace,
    run: str,
    folder: Path,
    *,
    recipe: str = "gldv2-mini-cpu",
    pictures: int = OTHER_PICTURES,
) -> dict[str, Path]:
    """Embeds a build's images and other pictures with the model of a run.

    Of training and index those with a label are embedded, and of the test images all.

    Args:
        workspace: a build with annotations and images.
        run: name of a run that has ended, or `BEFORE_TRAINING`.
        folder: to write to; what is there of the same model and images is kept.
        recipe: whose backbone is meant before training.
        pictures: other ones of each kind.

    Returns:
        The file of each split.

    Raises:
        MissingInputError: the build has no annotations or images yet.
        InputError: there is no such run, or an image cannot be read.
    """
    splits = {split: _files(workspace, split) for split in IMAGE_FILES}
    others = [
        (f"{kind}-{number:04}", picture)
        for kind, make in zip(OTHER_KINDS, (flower_crops, digit_pictures), strict=True)
        for number, picture in enumerate(make(pictures))
    ]
    sets: dict[str, Mapping[str, AnyImage]] = {**splits, _OTHER: dict(others)}
    names = {name: list(images) for name, images in sets.items()}
    key = unit_key([_origin(workspace, run, recipe), names])
    if not _is_there(folder, key, list(sets)):
        model = _model(workspace, run, recipe)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _STAMP).unlink(missing_ok=True)
        for name, images in sets.items():
            embedded = embed_images(model, list(images.values()))
            _write(folder / f"{name}.parquet", names[name], embedded)
            spreads = embed_spreads(model, list(images.values()))
            _write(folder / f"spread-{name}.parquet", names[name], spreads)
        write_text(folder / _STAMP, json.dumps({"key": key}) + "\n")
    return {split: folder / f"{split}.parquet" for split in splits}


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


def _model(workspace: Workspace, run: str, recipe: str) -> EmbeddingModel:
    if run != BEFORE_TRAINING:
        return load_model(workspace.path(model_files(run)[0]))
    settings = over_recipe({"recipe": recipe})
    config = from_mapping(TrainConfig, settings, where=recipe)
    return build_model(config.model.before_training)


def _origin(workspace: Workspace, run: str, recipe: str) -> str:
    """Returns what tells one model from another.

    Raises:
        InputError: there is no such run.
    """
    if run == BEFORE_TRAINING:
        return f"before training {recipe}"
    path = workspace.path(model_files(run)[0])
    if not path.is_file():
        found = sorted(one.parent.name for one in workspace.root.glob(model_files("*")[0]))
        raise InputError(
            f"there is no model of a run {run!r} in {workspace.root}, got "
            f"{', '.join(found) or 'none'}; train it first: hgld train --name {run}"
        )
    return file_digest(path)


def _is_there(folder: Path, key: str, names: Sequence[str]) -> bool:
    files = [folder / f"{start}{name}.parquet" for name in names for start in ("", "spread-")]
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp == {"key": key}) and all(path.is_file() for path in files)


def _files(workspace: Workspace, split: str) -> dict[str, AnyImage]:
    """Returns the pictures of a split that are there, by image id."""
    table = workspace.read(IMAGE_FILES[split], ["image_id", "path", "status"])
    table = table.filter(pc.equal(table["status"], "ok")).sort_by("image_id")
    if split != "test":
        labelled = workspace.read(ANNOTATIONS[split], ["image_id"])["image_id"]
        table = table.filter(pc.is_in(table["image_id"], labelled.combine_chunks()))
    paths = [workspace.root / str(path) for path in table["path"].to_pylist()]
    return dict(zip(table["image_id"].to_pylist(), paths, strict=True))


def _write(path: Path, image_ids: Sequence[str], vectors: Tensor) -> None:
    flat = pa.array(vectors.flatten().numpy())
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    pq.write_table(pa.table({"image_id": list(image_ids), "embedding": column}), path)


if __name__ == "__main__":
    sys.exit(main())
