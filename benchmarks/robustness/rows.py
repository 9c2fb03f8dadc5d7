"""The table of rows that everything here is measured on: features, labels, logits, groups.

It is read from a parquet or `.npz` file of anybody, joined from embeddings and labels, or comes
along with a package. Columns of a file (arrays of an `.npz`):

    embedding   numbers, of one length
    label       the class of a row, text or whole number
    group       what belongs together, such as a landmark: its rows never come into different parts
                of a split, and intervals draw it as a whole; without it each row is a group
    kind        a coarser class, for the H-AP of a retrieval; may be missing
    split       train, index, query, or the name of a far set, whose rows need no label; without it
                all rows are train
    logits      of the model's own classifier, a column for each label of train in their order
    std         standard deviation of each channel over the feature map
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.engine.files import file_digest
from hgld.errors import InputError
from hgld.loading import load
from hgld.loading.labelled import LabelledSplit
from hgld.training.index.embedding_files import read_embeddings

Features = NDArray[np.float32]
Numbers = NDArray[np.int64]

SPLITS = ("train", "index", "query")
"""Every other split is a far set."""
PARTS = ("abstention", "failures", "out_of_distribution", "self_labelling")
"""What is measured on a table."""
LEAST_ROWS = 8
"""Of a class: smaller ones are left out where a class must be in every part of a split."""

_VECTORS = ("embedding", "logits", "std")
_TEXTS = ("label", "group", "kind", "split")


class UnfitRowsError(ValueError):
    """What is to be measured needs more rows, or others, than a table has."""


@dataclass(frozen=True)
class Rows:
    """Rows of frozen features."""

    features: Features
    """(N, D), finite."""
    labels: Numbers
    """(N,) from 0, numbered alike in all splits of a table; -1 of a far row."""
    groups: Numbers
    """(N,) from 0, numbered alike in all splits."""
    kinds: Numbers | None = None
    """(N,) coarser labels."""
    logits: Features | None = None
    """(N, C) of the model's own classifier."""
    spreads: Features | None = None
    """(N, S) std of each channel over the feature map."""

    def __len__(self) -> int:
        """Returns N."""
        return len(self.features)

    def take(self, rows: NDArray[Any]) -> "Rows":
        """Returns some of the rows: positions, or a mask; labels keep their numbers."""
        taken: dict[str, Any] = {k: v if v is None else v[rows] for k, v in vars(self).items()}
        return Rows(**taken)

    def joined(self, other: "Rows") -> "Rows":
        """Returns the rows of both; a column that one of them lacks is left out."""
        found: dict[str, Any] = {}
        for name, one in vars(self).items():
            pair = one, getattr(other, name)
            found[name] = None if any(each is None for each in pair) else np.concatenate(pair)
        return Rows(**found)

    def of_labels(self, names: Numbers) -> "Rows":
        """Returns the rows of some labels, which become their places among these."""
        rows = self.take(np.isin(self.labels, names))
        return dataclasses.replace(rows, labels=np.searchsorted(names, rows.labels))

    @property
    def large_labels(self) -> Numbers:
        """The labels of `LEAST_ROWS` rows and more, sorted."""
        return np.flatnonzero(np.bincount(self.labels) >= LEAST_ROWS)

    @property
    def unit(self) -> NDArray[np.float64]:
        """The features (N, D), scaled to unit length; a row of zeros stays."""
        return _unit(self.features)

    def split(
        self, shares: Sequence[float], random: np.random.Generator, *, each_label: bool = True
    ) -> list[Numbers]:
        """Splits rows at random, so that each group is in one part.

        Args:
            shares: of each part, above 0, summing to 1.
            random: what decides.
            each_label: whether each label is in each part; all rows of a group have one label.

        Returns:
            The sorted positions of each part; of each label's groups the share is met within one
            group, and every part has at least one.

        Raises:
            UnfitRowsError: a label has fewer groups than there are parts.
        """
        labels = self.labels if each_label else np.zeros_like(self.labels)
        part_of = np.full(self.groups.max(initial=-1) + 1, -1)
        for label in np.unique(labels):
            own = random.permutation(np.unique(self.groups[labels == label]))
            if len(own) < len(shares):
                raise UnfitRowsError(
                    f"each class must have a group for each of the {len(shares)} parts, got "
                    f"{len(own)} for class {label}; leave small classes out"
                )
            # One each, and the others by their shares.
            counts = np.ones(len(shares), np.int64)
            for _ in range(len(own) - len(shares)):
                counts[np.argmax(np.array(shares) * len(own) - counts)] += 1
            part_of[own] = np.repeat(np.arange(len(shares)), counts)
        return [np.flatnonzero(part_of[self.groups] == part) for part in range(len(shares))]

    def held_out(self, seed: int) -> tuple["Rows", "Rows"]:
        """Returns rows that train, and those that choose: a fifth of the groups, whole.

        Raises:
            UnfitRowsError: fewer than two groups.
        """
        names = np.random.default_rng(seed).permutation(np.unique(self.groups))
        if len(names) < 2:  # noqa: PLR2004 - one to train on, one to choose by
            raise UnfitRowsError(f"groups must be two or more, got {len(names)}; give more rows")
        chooses = np.isin(self.groups, names[: max(round(0.2 * len(names)), 1)])
        return self.take(~chooses), self.take(chooses)

    @property
    def levels(self) -> Numbers:
        """(N, L) labels for a retrieval, finest first: groups, labels, kinds."""
        coarse = [] if self.kinds is None else [self.kinds]
        return np.stack([self.groups, self.labels, *coarse], axis=1)


@dataclass(frozen=True)
class RowTable:
    """All rows of one model or data set.

    Attributes:
        name: what the reader is told.
        splits: `train`, and those of `index`, `query` and far sets that there are.
        about: where it is from.
        is_trained_on_train: whether the model was trained on the rows of `train`: of these no
            failure and no query is measured then.
        parts: what is measured.
    """

    name: str
    splits: Mapping[str, Rows]
    about: str = ""
    is_trained_on_train: bool = False
    parts: tuple[str, ...] = PARTS

    @property
    def far(self) -> dict[str, Rows]:
        """The far sets, by name."""
        return {name: rows for name, rows in self.splits.items() if name not in SPLITS}

    @property
    def described(self) -> dict[str, object]:
        """What results say of it."""
        rows = {split: len(own) for split, own in self.splits.items()}
        return {"about": self.about, "rows": rows, "is_trained_on_train": self.is_trained_on_train}

    @property
    def unseen(self) -> Rows:
        """The labelled rows that the model was not trained on, as far as is known."""
        if not self.is_trained_on_train:
            return self.splits["train"]
        others = self.searched
        if others is None:
            raise UnfitRowsError("a model trained on train must have rows of index or query")
        return others

    @property
    def searched(self) -> Rows | None:
        """The rows of index and query, as far as they are there."""
        found = [self.splits[name] for name in ("index", "query") if name in self.splits]
        return reduce(Rows.joined, found) if found else None


def read_rows(path: Path, name: str = "") -> RowTable:
    """Reads a table of rows from a parquet or `.npz` file; see this module for its columns.

    Args:
        path: the file.
        name: of the table; by default that of the file.

    Raises:
        InputError: the file cannot be read, lacks a column, or has numbers that cannot be used.
    """
    wanted = (*_VECTORS, *_TEXTS)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                columns = {one: file[one] for one in wanted if one in file}
        else:
            table = pq.read_table(path)
            columns = {one: _column(table, one) for one in wanted if one in table.column_names}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}; give a parquet or .npz file") from error
    where = f"{path.name}, SHA-256 {file_digest(path)[:12]}"
    return table_of_columns(columns, name or path.stem, where)


def table_of_columns(columns: Mapping[str, NDArray[Any]], name: str, where: str) -> RowTable:
    """Makes a table of the columns that `read_rows` describes.

    Args:
        columns: by name, each of N rows.
        name: of the table.
        where: what an error calls them.

    Raises:
        InputError: as for `read_rows`.
    """
    if not {"embedding", "label"} <= columns.keys():
        raise InputError(f"{where} must have columns embedding and label, got {list(columns)}")
    count = len(columns["embedding"])
    for one, values in columns.items():
        is_vector = one in _VECTORS
        if values.ndim != 1 + is_vector or len(values) != count:
            raise InputError(f"{one} of {where} must have {count} rows, got shape {values.shape}")
        if is_vector and not np.isfinite(values).all():
            raise InputError(f"{one} of {where} must be finite; leave out the rows that are not")
    split = columns.get("split", np.full(count, "train")).astype(str)
    is_labelled = np.isin(split, SPLITS)
    vectors = {one: columns[one].astype(np.float32) for one in _VECTORS if one in columns}
    texts = {
        one: _numbers(columns[one], is_labelled, f"{one} of {where}")
        for one in ("label", "group", "kind")
        if one in columns
    }
    groups = texts.get("group", np.arange(count))
    # A far row is a group of its own.
    groups = np.where(groups < 0, groups.max() + 1 + np.arange(count), groups)
    pairs = np.unique(np.stack([groups, texts["label"]])[:, is_labelled], axis=1)
    if len(np.unique(pairs[0])) < pairs.shape[1]:
        raise InputError(f"every group of {where} must have one label; rows of one have several")
    more = (texts.get("kind"), vectors.get("logits"), vectors.get("std"))
    every = Rows(vectors["embedding"], texts["label"], groups, *more)
    names = [*SPLITS, *sorted(set(split.tolist()) - set(SPLITS))]
    splits = {one: every.take(split == one) for one in names if one in split}
    if "train" not in splits or len(np.unique(splits["train"].labels)) < 2:  # noqa: PLR2004
        raise InputError(f"{where} must have rows of train, of at least two labels")
    return RowTable(name, splits, f"From {where}.")


def embedded_table(
    labels: str, files: Mapping[str, Path], name: str, far: Mapping[str, Path] | None = None
) -> RowTable:
    """Joins embeddings of any program with labels that `hgld.load` reads.

    Args:
        labels: a build, a release, Google's files or a table of one's own.
        files: of `train`, `query` and `index`, as `hgld benchmark --embeddings` takes them.
        name: of the table.
        far: by the name of a far set a parquet file with `embedding`.

    Raises:
        InputError: a file cannot be read or lacks an image.
    """
    data = load(labels)
    parts: list[dict[str, NDArray[Any]]] = []
    for split, path in files.items():
        ids = data[split].image_ids()
        vectors = read_embeddings(path, ids, split=split).numpy()
        parts.append({"embedding": vectors, **label_columns(data[split], split)})
    for kind, path in (far or {}).items():
        vectors = _column(pq.read_table(path, columns=["embedding"]), "embedding")
        nothing = dict.fromkeys(parts[0], np.full(len(vectors), None))
        parts.append({**nothing, "embedding": _unit(vectors), "split": np.full(len(vectors), kind)})
    try:
        columns = {one: np.concatenate([part[one] for part in parts]) for one in parts[0]}
    except ValueError as error:
        raise InputError(f"the embeddings of {name} must be of one model: {error}") from error
    return table_of_columns(columns, name, f"embeddings of {name} and labels of {data.where}")


def label_columns(rows: LabelledSplit, split: str) -> dict[str, NDArray[Any]]:
    """Returns split, group, label and kind of labelled images, as a table of rows has them.

    The landmarks of train are numbered apart from those of index and query. With one level there
    is no group.
    """
    names = ("group", "label", "kind") if len(rows.levels) > 1 else ("label",)
    levels = rows.to_arrow(list(rows.levels))
    columns = dict(zip(names, map(_texts, levels.columns), strict=False))
    if "group" in columns:
        space = "train" if split == "train" else "index"
        columns["group"] = np.array([f"{space} {one}" for one in columns["group"]], dtype=object)
    return {**columns, "split": np.full(len(levels), split)}


def packaged_tables() -> list[RowTable]:
    """Returns the tables that come along with packages: no download, no build.

    scikit-learn's written digits; the taxonomy's WordNet nouns encoded by MiniLM
    (the extra `offline`), with its words for no kind of place as a far set; and digits of which
    half are moved by half a pixel, blurred and noisy; and an example without rows, made volumes.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    both = ("failures", "out_of_distribution")
    made = (
        ("digits", "scikit-learn", both, {"embedding": digits.data, "label": digits.target}),
        ("nouns", "the taxonomy's WordNet nouns, by MiniLM", both, _nouns()),
        ("digits, changed", "scikit-learn", ("self_labelling",), _changed_digits()),
    )
    found = [
        dataclasses.replace(table_of_columns(columns, name, where), parts=parts)
        for name, where, parts, columns in made
    ]
    volumes = "An example: volumes of three organs, two alike but for their place, made by seed."
    return [*found, RowTable("made volumes", {}, volumes, parts=("segmentation",))]


def _nouns() -> dict[str, NDArray[Any]]:
    from hgld.labels.embedding.encoders import MiniLmEncoder
    from hgld.labels.taxonomy.rows import SHIPPED, read_csv_rows

    nouns, unspecific = (read_csv_rows(SHIPPED / f"{one}.csv") for one in ("wordnet", "unspecific"))
    phrases = [one["phrase"] for one in unspecific if one["action"] == "ignore"]
    labels = [one["hierarchical_label"] for one in nouns] + [None] * len(phrases)
    texts = [one["noun"].replace("_", " ") for one in nouns] + phrases
    return {
        "embedding": MiniLmEncoder().encode(texts),
        "label": np.array(labels, dtype=object),
        "split": np.repeat(["train", "words for no place"], [len(nouns), len(phrases)]),
    }


def _changed_digits() -> dict[str, NDArray[Any]]:
    """Makes a source of digits and a target of changed ones.

    Features are the first 32 principal components of the unchanged half's pixels: of pixels
    themselves, those hardly ever black there would drown the others once they are standardised.
    """
    from scipy.ndimage import gaussian_filter, shift
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    loaded, random = load_digits(), np.random.default_rng(0)
    order = random.permutation(len(loaded.target))
    half, measured = len(order) // 2, len(order) // 4
    sides = 0.5 * np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])
    steps = sides[random.integers(4, size=len(order) - half)]
    pairs = zip(loaded.images[order[half:]], steps, strict=True)
    moved = np.stack([shift(one, step, order=1) for one, step in pairs])
    blurred = gaussian_filter(moved, (0, 0.4, 0.4))
    changed = np.clip(blurred + random.normal(0, 2, blurred.shape), 0, 16).reshape(-1, 64)
    own = loaded.data[order[:half]]
    reduction = PCA(32, random_state=0).fit(own)
    counts = [half, len(order) - half - measured, measured]
    return {
        "embedding": reduction.transform(np.concatenate([own, changed])),
        "label": loaded.target[order],
        "split": np.repeat(["train", "index", "query"], counts),
    }


def _unit(features: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = features.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float64).tiny))


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name].combine_chunks()
    if name not in _VECTORS:
        return _texts(column)
    if column.null_count or len(set(pc.list_value_length(column).to_pylist())) > 1:
        raise ValueError(f"{name} must hold a list of one length in every row")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), -1)


def _texts(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    return np.array(column.to_pylist(), dtype=object)


def _numbers(values: NDArray[Any], is_labelled: NDArray[np.bool_], where: str) -> Numbers:
    """Numbers the labels of the rows that have one, in their order; of the others it is -1."""
    own = values[is_labelled].tolist()
    unknown = sum(one is None or one == "" for one in own)
    if unknown:
        raise InputError(
            f"{where} must be there in every row of train, index and query, got {unknown} without; "
            f"leave them out, or make them a far set by a split of another name"
        )
    numbers = np.full(len(values), -1, dtype=np.int64)
    numbers[is_labelled] = np.unique(np.array(own), return_inverse=True)[1]
    return numbers
