"""A small build for tests: drawn pictures, their labels, and a run with a tiny backbone."""

import dataclasses
from collections.abc import Sequence

import pyarrow as pa
from PIL import Image, ImageDraw

from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, IMAGE_FILES, LANDMARK_LABELS, OVERLAP
from hgld.training.config import train_stage
from hgld.training.model.config import ModelConfig
from tests.worlds.builders import picture_row, table_of, write_stage

CONFIG = BenchmarkConfig(device="cpu", workers=0)
MODEL = ModelConfig(backbone="test_resnet", weights="random", image_size=32)

# landmark_id: super-category, top level, category
LANDMARKS = {
    11: ("bridge", "human-made", "http://commons.wikimedia.org/wiki/Category:Bridge_of_the_Gods"),
    12: ("bridge", "human-made", "http://commons.wikimedia.org/wiki/Category:Crespi_d%27Adda"),
    21: ("castle / fort", "human-made", "http://commons.wikimedia.org/wiki/Category:Eltz"),
    31: ("ocean area ", "natural", None),
    32: ("lake", "natural", "not an address"),
}
# landmark_id: place, country, continent
PLACED = {
    11: ("Skamania", "United States", "North America"),
    12: (None, "Italy", "Europe"),
    21: ("Wierschem", "Germany", "Europe"),
    31: (None, None, None),
    32: (None, None, "Europe"),
}
# landmark_id: Q-ids of its countries, year of its inception, styles. Of 21 it is the 1100s.
SINCE: dict[int, tuple[list[str], int | None, list[str]]] = {
    11: (["Q30"], 1926, []),
    12: (["Q38"], 1100, ["Baroque", "Gothic"]),
    21: (["Q183"], 1100, ["Gothic"]),
    31: (["Q38", "Q183", "Q39"], None, []),
    32: ([], -44, []),
}
SEEN_IN_TRAINING = (12, 31)
# Tests of escaping put it in the place of a super-category.
HOSTILE = "<script src=http://evil.example/x.js>alert('x')</script>\u202e&\"'"


def write_build(workspace: Workspace, *, supercategory: str = "lake", train_views: int = 0) -> None:
    """Writes annotations, pictures and their records.

    Three test images of each landmark, the last of which has no index image, and in each split an
    image that no benchmark can use, for want of a file.

    Args:
        workspace: an empty build.
        supercategory: of landmark 32.
        train_views: training images of each; 0: no training split.
    """
    annotations, excluded = [], list[dict[str, object]]()
    splits = [("index", list(LANDMARKS)[:-1], 3), ("test", list(LANDMARKS), 3)]
    splits += [("train", list(LANDMARKS), train_views)] if train_views else []
    for split, landmarks, count in splits:
        names = [(id_, f"{split[0]}{id_}{view:02d}") for id_ in landmarks for view in range(count)]
        files = [
            picture_row(workspace, image_id, draw(workspace, split, landmark_id, image_id))
            for landmark_id, image_id in names
        ]
        dataset = IMAGE_FILES[split]
        write_stage(workspace, [(dataset, table_of(dataset, files))])
        rows = [annotation(id_, image_id, supercategory) for id_, image_id in names]
        rows.append(rows[0] | {"image_id": f"{split}-fileless"})
        annotations.append((ANNOTATIONS[split], table_of(ANNOTATIONS[split], rows)))
        excluded.append({"split": split, "image_id": f"{split}-none", "reason": "no_landmark"})
        excluded.append(excluded[-1] | {"image_id": f"{split}-unlabelled", "landmark_id": 99})
    annotations += [(FILLED[split], table_of(FILLED[split], [])) for split in ("index", "test")]
    annotations.append((EXCLUDED, table_of(EXCLUDED, excluded)))
    write_stage(workspace, [*annotations, *tables_of_landmarks(SEEN_IN_TRAINING)])


def tables_of_landmarks(seen: Sequence[int] = ()) -> list[tuple[Dataset, pa.Table]]:
    """Returns what is known of landmarks.

    Args:
        seen: which of `LANDMARKS` training has too.
    """
    like: dict[str, object] = {"rule": "only_label", "provenance": {"status": "ok"}}
    landmarks = []
    for landmark_id, (countries, year, styles) in SINCE.items():
        _, country, continent = PLACED[landmark_id]
        row = like | {"split": "index", "landmark_id": landmark_id, "continent": continent}
        row |= {"countries": countries, "styles": styles, "style_names": styles}
        if country and countries:
            row |= {"country": country, "country_qid": countries[0]}
        precision = "decade" if landmark_id == 21 else "year"
        landmarks.append(row | {"inception_year": year, "inception_precision": precision})
    pairs = [{"train_landmark_id": 1, "index_landmark_id": one, "why": "same_item"} for one in seen]
    both = {LANDMARK_LABELS.path: landmarks, OVERLAP.path: pairs}
    return [(one, table_of(one, both[one.path])) for one in (LANDMARK_LABELS, OVERLAP)]


def annotation(landmark_id: int, image_id: str, supercategory: str) -> dict[str, object]:
    label, top, category = LANDMARKS[landmark_id]
    return {
        "image_id": image_id,
        "landmark_id": landmark_id,
        "supercategory": label,
        "hierarchical_label": supercategory if landmark_id == 32 else label,
        "natural_or_human_made": top,
        **dict(zip(("place", "country", "continent"), PLACED[landmark_id], strict=True)),
        "category": category,
        "provenance": {"status": "ok"},
    }


def draw(workspace: Workspace, split: str, landmark_id: int, image_id: str) -> str:
    """Draws a picture whose look comes from its landmark, and returns where."""
    relative = f"images/{split}/{image_id}.jpg"
    file = workspace.path(relative)
    file.parent.mkdir(parents=True, exist_ok=True)
    view = int(image_id[-2:]) + (50 if split == "test" else 0)
    image = Image.new("RGB", (48, 40), (landmark_id * 37 % 256, landmark_id * 91 % 256, 90))
    pen = ImageDraw.Draw(image)
    pen.rectangle((view % 20, 5, 20 + view % 20, 30), fill=(landmark_id * 5 % 256, view * 4, 200))
    image.save(file, quality=90)
    return relative


def write_run(workspace: Workspace, name: str = "happier", *, seed: int = 1) -> None:
    """Writes a model as a run of training would, its weights moved off their start."""
    import torch

    from hgld.training.model.embedding import build_model
    from tests.worlds.training_runs import save_model

    model = build_model(dataclasses.replace(MODEL, embedding_dim=8), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    save_model(model, workspace.path(f"runs/{name}"))


def finish_training(build: Workspace, run: str, seed: int) -> None:
    """Has a run's model be the one that a finished training left."""
    stage = train_stage(run)
    stage = Stage(name=stage.name, version=stage.version, output_files=stage.output_files)
    contents = {file: build.path(file).read_bytes() for file in stage.output_files}
    settings = {"name": run, "seed": seed, "method": {"name": "happier"}, "batch_size": 10}

    def produce(writer: StageWriter) -> None:
        for file, content in contents.items():
            with writer.file(file) as path:
                path.write_bytes(content)

    run_stage(build, stage, settings, produce)
    line = '{"step": 36, "images_per_s": 10}'
    build.path(f"runs/{run}/metrics.jsonl").write_text(line, encoding="utf-8")
