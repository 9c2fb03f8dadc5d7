"""Stage `embed`: the distinct classes of all landmarks, and the vectors of their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.dataset import rows_digest
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.embedding.cache import CACHE_FOLDER, VectorCache, cache_key, to_lists
from hgld.labels.embedding.encoders import MiniLmEncoder, TextEncoder, prompted
from hgld.labels.embedding.weights import load_open_clip, with_weights
from hgld.labels.embedding.words import taxonomy_words
from hgld.tables import CLASSES, EMBEDDINGS, LABELS, WORDS, qid_numbers

STAGE = Stage(
    name="embed",
    version=2,  # added the words of the taxonomy; vectors do not depend on their batch
    inputs=(CLASSES,),
    outputs=(LABELS, EMBEDDINGS, WORDS),
)

PART = 2_000
"""Labels per file, and texts per write of the cache: after a kill, at most this many are encoded
again."""
_NORM_ERROR = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConfig:
    """Settings of the stage."""

    encoder: Literal["open_clip", "minilm"] = setting(
        "open_clip",
        "Encoder of the labels: open_clip, as in H-GLDv2, needs hgld[cluster] and the Hugging Face "
        "hub; minilm needs hgld[offline] and no network.",
    )
    model: str = setting("ViT-L-14", "With open_clip: the name of the model.")
    weights: str = setting(
        "laion2b_s32b_b82k", "With open_clip: a tag of that model's weights, or a file."
    )
    prompt: str = setting(
        "A picture of a {label}", "The text to encode; {label} stands for the class's label."
    )
    taxonomy: Path | None = setting(
        None,
        "Folder of your own taxonomy, with all tables of the shipped one, for the words and the "
        "proposals. Only its lines matter, not its path.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: an unknown encoder, a prompt without `{label}`, or a text with half a
                surrogate pair or NUL.
        """
        check_settings(self)
        if "{label}" not in self.prompt:
            raise ValueError(f"prompt must contain {{label}}, got {self.prompt!r}; add it")
        for name in ("model", "weights", "prompt"):
            text = getattr(self, name)
            # An argument that is not UTF-8 has half a surrogate pair.
            if "\0" in text or text.encode(errors="replace").decode() != text:
                raise ValueError(f"{name} must be text in Unicode without NUL, got {text!a}")


def run_embed(workspace: Workspace, config: EmbedConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `scrape` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes, their vectors and the words of the taxonomy.

    Raises:
        MissingInputError: no scrape, or an encoder whose extra is not installed.
        InputError: the open_clip model or weights do not exist, do not fit or are damaged, vectors
            do not have unit norm, or the folder holds no taxonomy.
        FetchError: the weights cannot be fetched.
    """
    workspace.finished(CLASSES)  # before any weights are fetched
    words = taxonomy_words(config.taxonomy)
    # A user's own taxonomy is recorded under the name of its setting, which `hgld status` reads.
    told = "taxonomy" if config.taxonomy else "shipped_words"
    settings = with_weights(workspace, STAGE, {**row_settings(config), told: rows_digest(words)})
    names = ("encoder", "encoder_packages", "model", "weights_sha256", "prompt")
    key = cache_key({name: settings.get(name) for name in names})
    cache = VectorCache(workspace.path(CACHE_FOLDER), key)
    return run_stage(workspace, STAGE, settings, lambda one: _produce(one, config, words, cache))


def unique_classes(classes: pa.Table) -> pa.Table:
    """Counts the landmarks of each class.

    Args:
        classes: rows of CLASSES, in any order; a repeated row counts once.

    Returns:
        A LABELS table, by the number of the Q-id. A class with two labels (edited between two
        answers) gets the alphabetically first one.
    """
    pairs = classes.select(["split", "landmark_id", "class_qid"])
    pairs = pairs.group_by(pairs.column_names, use_threads=False).aggregate([])
    counts = pairs.group_by("class_qid", use_threads=False).aggregate([([], "count_all")])
    labels = classes.select(["class_qid", "class_label", "label_language"])
    labels = labels.sort_by([("class_label", "ascending"), ("label_language", "ascending")])
    whole_row = pc.ScalarAggregateOptions(skip_nulls=False)
    first = labels.group_by("class_qid", use_threads=False).aggregate(
        [("class_label", "first", whole_row), ("label_language", "first", whole_row)]
    )
    counts = counts.take(pc.index_in(first["class_qid"], value_set=counts["class_qid"]))
    table = pa.table(
        {
            "class_qid": first["class_qid"],
            "class_label": first["class_label_first"],
            "label_language": first["label_language_first"],
            "landmarks": counts["count_all"],
            "number": qid_numbers(first["class_qid"]),
        }
    )
    return table.sort_by("number").drop_columns(["number"])


def load_encoder(config: EmbedConfig) -> TextEncoder:
    """Loads the encoder that the settings name; raises the errors of `run_embed`."""
    match config.encoder:
        case "open_clip":
            return load_open_clip(config.model, config.weights)
        case "minilm":
            return MiniLmEncoder()


def _produce(writer: StageWriter, config: EmbedConfig, words: pa.Table, cache: VectorCache) -> None:
    labels = unique_classes(writer.workspace.read(CLASSES))
    texts = [*labels["class_label"].to_pylist(), *words["phrase"].to_pylist()]
    known = cache.read(texts)
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    if missing:
        known |= _encode(load_encoder(config), config.prompt, missing, cache)
    writer.write(LABELS, "classes", labels)
    writer.write(WORDS, "words", _with_vectors(words, "phrase", config.prompt, known))
    for start in range(0, len(labels), PART):
        table = _with_vectors(labels.slice(start, PART), "class_label", config.prompt, known)
        table = table.select(EMBEDDINGS.schema.names)
        writer.write(EMBEDDINGS, f"embeddings-{start // PART:05d}", table)


def _encode(
    encoder: TextEncoder, prompt: str, labels: Sequence[str], cache: VectorCache
) -> dict[str, NDArray[np.float32]]:
    """Encodes and caches labels in parts, so that a kill loses little.

    Raises:
        InputError: the encoder gives a vector that does not have unit norm.
    """
    found: dict[str, NDArray[np.float32]] = {}
    with progress("embed: texts", len(labels)) as advance:
        for start in range(0, len(labels), PART):
            part = labels[start : start + PART]
            vectors = encoder.encode([prompted(prompt, label) for label in part], advance)
            is_unit = abs(np.linalg.norm(vectors, axis=1) - 1) < _NORM_ERROR  # False for NaN
            if not is_unit.all():
                raise InputError(
                    f"the encoder must give vectors of unit norm, but does not for "
                    f"{part[int(is_unit.argmin())]!r}; its weights are damaged, use others"
                )
            cache.add(part, vectors)
            found.update(zip(part, vectors, strict=True))
    return found


def _with_vectors(
    rows: pa.Table, column: str, prompt: str, known: dict[str, NDArray[np.float32]]
) -> pa.Table:
    """Adds the encoded text of a column, and its vector, to the rows."""
    labels = rows[column].to_pylist()
    texts = pa.array([prompted(prompt, label) for label in labels])
    vectors = to_lists(np.stack([known[label] for label in labels]))
    return rows.append_column("text", texts).append_column("embedding", vectors)
