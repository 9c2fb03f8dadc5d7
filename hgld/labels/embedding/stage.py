"""Stage `embed`: the unique classes of all landmarks, and the vectors of their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.dataset import rows_digest
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import CACHE_FOLDER, VectorCache, cache_key, to_lists
from hgld.labels.embedding.checkpoints import find_open_clip, load_open_clip
from hgld.labels.embedding.encoders import MiniLmEncoder, TextEncoder
from hgld.labels.embedding.prompts import label_vectors, prompted
from hgld.labels.embedding.weights import (
    WEIGHTS_SETTINGS,
    TextPrecision,
    cached_weights,
    clip_weights_here,
    hub_weights,
    local_folder,
    minilm_weights,
    require_same_weights,
)
from hgld.labels.embedding.words import taxonomy_words
from hgld.tables import CLASSES, EMBEDDINGS, LABELS, WORDS, qid_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAGE = Stage(
    name="embed",
    version=2,  # words of the taxonomy, and vectors that do not depend on their batch
    inputs=(CLASSES,),
    outputs=(LABELS, EMBEDDINGS, WORDS),
)

_MOST_LABELS = 1_000_000  # a file of a million vectors takes 3 GB, of more it cannot be written


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConfig:
    """Settings of the stage."""

    encoder: Literal["open_clip", "minilm"] = setting(
        "open_clip",
        "What turns labels into vectors: open_clip, as H-GLDv2 did, needs hgld[cluster] and the "
        "Hugging Face hub; minilm needs hgld[offline] and no network.",
    )
    model: str = setting(
        "ViT-L-14",
        "With open_clip: the name of the model, or local-dir: and a folder with its "
        "open_clip_config.json and weights.",
    )
    weights: str = setting(
        "laion2b_s32b_b82k", "With open_clip: a tag of that model's weights, or a file."
    )
    precision: TextPrecision = setting(
        "float32",
        "With open_clip: number format of the weights; bfloat16 is two to four times as fast, and "
        "its vectors are those of float32 to a cosine of 0.9999.",
    )
    prompt: str = setting(
        "A picture of a {label}", "The text that is encoded; {label} stands for the class's label."
    )
    prompts: tuple[str, ...] = setting(
        (),
        "Several prompts in place of the one: a label's vector is the mean of its vectors under "
        "each, at unit norm.",
    )
    taxonomy: Path | None = setting(
        None,
        "Folder with a taxonomy of your own, whose words are encoded for the proposals in place of "
        "those of the shipped one. Its words count, wherever it lies.",
        changes_rows=False,
    )
    labels_per_shard: int = setting(
        2_000, "Labels in a file; a run that was killed encodes at most so many again."
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: an unknown encoder, a prompt without `{label}` or twice, bfloat16 of an
                encoder that has none, a shard of no labels or too many, or a text with half a
                surrogate pair or a control character.
        """
        check_settings(self)
        texts = {"model": self.model, "weights": self.weights, "prompt": self.prompt}
        texts |= {f"prompts[{place}]": prompt for place, prompt in enumerate(self.prompts)}
        for name, text in texts.items():
            if name.startswith("prompt") and "{label}" not in text:
                raise ValueError(f"{name} must contain {{label}}, got {text!r}; add it")
            if not _is_unicode(text) or "\0" in text:
                raise ValueError(f"{name} must be text in Unicode without NUL, got {text!a}")
        if len(set(self.prompts)) < len(self.prompts):
            raise ValueError(f"prompts must each be given once, got {list(self.prompts)}")
        if self.encoder == "minilm" and self.precision != "float32":
            raise ValueError(f"precision must be float32 with minilm, got {self.precision!r}")
        if not 1 <= self.labels_per_shard <= _MOST_LABELS:
            raise ValueError(
                f"labels_per_shard must be from 1 to {_MOST_LABELS:,}, got {self.labels_per_shard}"
            )

    @property
    def templates(self) -> tuple[str, ...]:
        """The prompts that count."""
        return self.prompts or (self.prompt,)


def run_embed(workspace: Workspace, config: EmbedConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `scrape` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes, their vectors and the words of the taxonomy.

    Raises:
        MissingInputError: no scrape, or an encoder whose extra is not installed.
        InputError: an open_clip model or weights that do not exist, do not fit or are damaged, or
            give what is no vector; or a folder that holds no taxonomy.
        FetchError: weights that cannot be fetched.
    """
    workspace.finished(CLASSES)  # before any weights are fetched for it
    words = taxonomy_words(config.taxonomy)
    # A taxonomy of a user's own is told under the name of its setting, which `hgld status` reads.
    told = row_settings(config) | {
        "taxonomy" if config.taxonomy else "shipped_words": rows_digest(words)
    }
    settings = told | _known_weights(workspace, config)
    if not _is_done(workspace, settings):
        settings = told | _weights(config)
    vectors = _LabelVectors(workspace, config, settings)
    return run_stage(workspace, STAGE, settings, lambda writer: vectors.write(words, writer))


def _is_done(workspace: Workspace, settings: Mapping[str, object]) -> bool:
    done = workspace.manifest(STAGE.name)
    # Both ways: the status compares what is told now, and not what was told then alone.
    if done is None or done.settings != settings:
        return False
    return stage_status(workspace, STAGE, settings).state == "done"


def _known_weights(workspace: Workspace, config: EmbedConfig) -> dict[str, object]:
    """Tells of the weights to encode with, with no library and no network, as far as that goes.

    Where nothing is there to look at, what the last run with these settings recorded counts: its
    vectors are no others for that.
    """
    done = workspace.manifest(STAGE.name)
    names = ("encoder", "model", "weights")
    is_same = done and all(done.settings.get(name) == getattr(config, name) for name in names)
    recorded = done.settings if done and is_same else {}
    kept = {name: recorded[name] for name in WEIGHTS_SETTINGS if name in recorded}
    here = _weights_here(config)
    if here is not None:
        return kept | here
    return kept if config.encoder == "minilm" else cached_weights(kept)


def _weights(config: EmbedConfig) -> dict[str, object]:
    """Tells of the weights to encode with, fetched where they are not here."""
    here = _weights_here(config)
    if here is not None:
        return here
    if config.encoder == "minilm":
        return {}  # it is not installed, which loading it says
    return hub_weights(find_open_clip(config.model, config.weights))


def _weights_here(config: EmbedConfig) -> dict[str, object] | None:
    """Tells of weights that no hub is asked for; None of others, and where there are none."""
    if config.encoder == "minilm":
        return minilm_weights()
    return clip_weights_here(config.model, config.weights)


def _is_unicode(text: str) -> bool:
    """Says whether a text has no half of a surrogate pair, as an argument that is no UTF-8 has."""
    return text.encode(errors="replace").decode() == text


def unique_classes(classes: pa.Table) -> pa.Table:
    """Counts the landmarks of each class.

    Args:
        classes: rows of CLASSES, in any order; a repeated row counts once.

    Returns:
        A LABELS table, by the number of the Q-id. A class that was seen under two labels (an
        edit between two answers) gets the first of them in the alphabet.
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
    """Loads the encoder that the settings name; `run_embed` says what it may raise."""
    match config.encoder:
        case "open_clip":
            return load_open_clip(config.model, config.weights, config.precision)
        case "minilm":
            return MiniLmEncoder()


@dataclass(frozen=True, slots=True)
class _LabelVectors:
    """The vectors of labels: kept ones, and the others encoded."""

    workspace: Workspace
    config: EmbedConfig
    settings: Mapping[str, object]
    """Of the stage, with what is told of the weights."""

    def write(self, words: pa.Table, writer: StageWriter) -> None:
        """Writes everything that the stage writes."""
        labels = unique_classes(self.workspace.read(CLASSES))
        texts = [*labels["class_label"].to_pylist(), *words["phrase"].to_pylist()]
        cache = self._cache()
        known = cache.read(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        # Before anything is written: of a model that does not exist nothing is lost.
        encoder = self._load() if missing else None
        writer.write(LABELS, "classes", labels)
        if encoder:
            known |= self._encode(encoder, missing, cache)
        writer.write(WORDS, "words", self._table(words, "phrase", known))
        for start in range(0, len(labels), self.config.labels_per_shard):
            part = labels.slice(start, self.config.labels_per_shard)
            name = f"embeddings-{start // self.config.labels_per_shard:05d}"
            table = self._table(part, "class_label", known)
            writer.write(EMBEDDINGS, name, table.select(EMBEDDINGS.schema.names))

    def _cache(self) -> VectorCache:
        names = ("encoder", "encoder_packages", "weights_sha256")
        told = {name: self.settings[name] for name in names if name in self.settings}
        # Where the model lies is no part of it, and the prompts are those that count.
        model = "" if local_folder(self.config.model) else self.config.model
        told |= {"model": model, "precision": self.config.precision}
        key = cache_key(told | {"prompts": list(self.config.templates)})
        return VectorCache(self.workspace.path(CACHE_FOLDER), key)

    def _load(self) -> TextEncoder:
        """Loads the encoder, and refuses vectors of other weights than the stage says.

        Raises:
            InputError: they changed since, or the record of a file that was gone is not of these.
        """
        encoder = load_encoder(self.config)
        require_same_weights(self.settings, _weights(self.config))
        return encoder

    def _encode(
        self, encoder: TextEncoder, labels: Sequence[str], cache: VectorCache
    ) -> "dict[str, NDArray[np.float32]]":
        """Encodes labels and keeps them, part by part: a run that is killed loses little."""
        size, templates = self.config.labels_per_shard, self.config.templates
        found: dict[str, NDArray[np.float32]] = {}
        with progress("embed: texts", len(labels) * len(templates)) as advance:
            for start in range(0, len(labels), size):
                part = labels[start : start + size]
                vectors = label_vectors(encoder, part, templates, advance)
                cache.add(part, vectors)
                found.update(zip(part, vectors, strict=True))
        return found

    def _table(
        self, rows: pa.Table, column: str, known: "Mapping[str, NDArray[np.float32]]"
    ) -> pa.Table:
        """Returns rows with what was encoded of a column of theirs, and its vectors."""
        import numpy as np

        labels = rows[column].to_pylist()
        templates = self.config.templates
        texts = ["\n".join(prompted(each, label) for each in templates) for label in labels]
        vectors = np.stack([known[label] for label in labels])
        return rows.append_column("text", pa.array(texts)).append_column(
            "embedding", to_lists(vectors)
        )
