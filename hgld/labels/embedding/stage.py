"""Stage `embed`: the unique classes of all landmarks, and the vectors of their labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.embedding.encoders import (
    MiniLmEncoder,
    TextEncoder,
    find_open_clip,
    load_open_clip,
)
from hgld.labels.embedding.weights import (
    WEIGHTS_SETTINGS,
    cached_weights,
    file_weights,
    hub_weights,
    minilm_weights,
)
from hgld.tables import CLASSES, EMBEDDINGS, EXAMPLES, LABELS, qid_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAGE = Stage(name="embed", version=1, inputs=(CLASSES,), outputs=(LABELS, EMBEDDINGS, EXAMPLES))

# Everyday words, chosen to span what landmarks are and by no test on labels. The sides are those
# of H-GLDv2, which counts what grows or is farmed (garden, park, canal, farmland) as natural.
EXAMPLE_WORDS = {
    "natural": (
        *("mountain", "hill", "volcano", "valley", "canyon", "cliff", "cave", "rock formation"),
        *("glacier", "desert", "river", "stream", "waterfall", "lake", "pond", "wetland", "spring"),
        *("sea", "bay", "beach", "coast", "island", "forest", "tree", "meadow", "garden", "park"),
        *("nature reserve", "national park", "hiking trail", "canal", "farmland"),
    ),
    "human-made": (
        *("church", "mosque", "temple", "monastery", "castle", "palace", "house", "hotel", "tower"),
        *("skyscraper", "bridge", "dam", "road", "railway station", "airport", "harbour", "ship"),
        *("museum", "theatre", "library", "school", "hospital", "factory", "power plant", "shop"),
        *("market", "restaurant", "stadium", "monument", "statue", "fountain", "cemetery", "ruins"),
        *("archaeological site", "city", "village", "town square", "government building"),
        *("prison", "festival"),
    ),
}


_MOST_LABELS = 1_000_000  # a file of a million vectors takes 3 GB, of more it cannot be written


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConfig:
    """Settings of the stage."""

    encoder: Literal["open_clip", "minilm"] = setting(
        "open_clip",
        "What turns labels into vectors: open_clip, as H-GLDv2 did, needs hgld[cluster] and the "
        "Hugging Face hub; minilm needs hgld[offline] and no network.",
    )
    model: str = setting("ViT-L-14", "With open_clip: the name of the model.")
    weights: str = setting(
        "laion2b_s32b_b82k", "With open_clip: a tag of that model's weights, or a file."
    )
    prompt: str = setting(
        "A picture of a {label}", "The text that is encoded; {label} stands for the class's label."
    )
    labels_per_shard: int = setting(
        2_000, "Labels in a file; a run that was killed encodes at most so many again."
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: an unknown encoder, a prompt without `{label}`, a shard of no labels or too
                many, or a text with half a surrogate pair or a control character.
        """
        check_settings(self)
        if "{label}" not in self.prompt:
            raise ValueError(f"prompt must contain {{label}}, got {self.prompt!r}; add it")
        if not 1 <= self.labels_per_shard <= _MOST_LABELS:
            raise ValueError(
                f"labels_per_shard must be from 1 to {_MOST_LABELS:,}, got {self.labels_per_shard}"
            )
        for name in ("model", "weights", "prompt"):
            text = getattr(self, name)
            if not _is_unicode(text) or "\0" in text:
                raise ValueError(f"{name} must be text in Unicode without NUL, got {text!a}")


def run_embed(workspace: Workspace, config: EmbedConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `scrape` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes, their vectors and the example words.

    Raises:
        MissingInputError: no scrape, or an encoder whose extra is not installed.
        InputError: an open_clip model or weights that do not exist, do not fit or are damaged.
        FetchError: weights that cannot be fetched.
    """
    workspace.finished(CLASSES)  # before any weights are fetched for it
    settings = row_settings(config) | _known_weights(workspace, config)
    if not _is_done(workspace, settings):
        settings = row_settings(config) | _weights(config)
    return run_stage(
        workspace, STAGE, settings, lambda writer: _produce(workspace, config, writer, settings)
    )


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
    if config.encoder == "minilm":
        return minilm_weights() or kept
    if Path(config.weights).is_file():
        return kept | file_weights(Path(config.weights))
    return cached_weights(kept)


def _weights(config: EmbedConfig) -> dict[str, object]:
    """Tells of the weights to encode with, fetched where they are not here."""
    if config.encoder == "minilm":
        return minilm_weights() or {}  # where it is not installed, loading it says so
    if Path(config.weights).is_file():
        return file_weights(Path(config.weights))
    return hub_weights(find_open_clip(config.model, config.weights))


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
    """Loads the encoder that the settings name; `encoders` says what it may raise."""
    match config.encoder:
        case "open_clip":
            return load_open_clip(config.model, config.weights)
        case "minilm":
            return MiniLmEncoder()


def _produce(
    workspace: Workspace,
    config: EmbedConfig,
    writer: StageWriter,
    settings: Mapping[str, object],
) -> None:
    labels = unique_classes(workspace.read(CLASSES))
    starts = range(0, len(labels), config.labels_per_shard)
    missing = [start for start in starts if not writer.has(EMBEDDINGS, _shard(start, config))]
    examples_there = writer.has(EXAMPLES, "words")
    # Before anything is written: of a model that does not exist nothing is lost.
    encoder = None
    if missing or not examples_there:
        encoder = load_encoder(config)
        _require_same(settings, row_settings(config) | _weights(config))
    writer.write(LABELS, "classes", labels)
    if encoder is None:
        return
    # The examples come first, and also where there is no class: the cluster stage reads them.
    if not examples_there:
        writer.write(EXAMPLES, "words", _encoded_examples(encoder, config))
    with progress("embed: labels", len(labels)) as advance:
        advance(len(labels) - sum(min(config.labels_per_shard, len(labels) - s) for s in missing))
        for start in missing:
            part = labels.slice(start, config.labels_per_shard)
            texts = [_text(config, label) for label in part["class_label"].to_pylist()]
            vectors = _encode(encoder, texts, advance)
            columns = {"class_qid": part["class_qid"], "text": texts, "embedding": vectors}
            writer.write(EMBEDDINGS, _shard(start, config), pa.table(columns))


def _require_same(told: Mapping[str, object], loaded: Mapping[str, object]) -> None:
    """Refuses to write vectors of other weights than the stage says.

    Raises:
        InputError: they changed since, or the record of a file that was gone is not of these.
    """
    if told != loaded:
        raise InputError(
            f"the weights that were loaded are others than the run started with (SHA-256 "
            f"{loaded.get('weights_sha256')}, not {told.get('weights_sha256')}); rerun"
        )


def _shard(start: int, config: EmbedConfig) -> str:
    return f"embeddings-{start // config.labels_per_shard:05d}"


def _text(config: EmbedConfig, label: str) -> str:
    # Not str.format: a label or prompt may hold other braces.
    return config.prompt.replace("{label}", label)


def _encoded_examples(encoder: TextEncoder, config: EmbedConfig) -> pa.Table:
    pairs = [(word, side) for side, words in EXAMPLE_WORDS.items() for word in words]
    texts = [_text(config, word) for word, _ in pairs]
    sides = [side for _, side in pairs]
    vectors = _encode(encoder, texts, lambda _: None)
    return pa.table({"text": texts, "natural_or_human_made": sides, "embedding": vectors})


def _encode(
    encoder: TextEncoder, texts: Sequence[str], advance: Callable[[int], None]
) -> pa.ListArray:
    """Encodes each text once: equal labels of different Q-ids get exactly equal vectors."""
    unique = list(dict.fromkeys(texts))
    row = {text: number for number, text in enumerate(unique)}
    vectors = encoder.encode(unique, advance)[[row[text] for text in texts]]  # (n, D)
    advance(len(texts) - len(unique))
    return to_lists(vectors)


def to_lists(vectors: "NDArray[np.float32]") -> pa.ListArray:
    """Returns the rows of a float32 (n, D) array as an Arrow array of n lists."""
    n, width = vectors.shape
    return pa.ListArray.from_arrays(
        pa.array(range(0, (n + 1) * width, width), pa.int32()), pa.array(vectors.reshape(-1))
    )
