"""What a figure depends on, for whoever asks why two of them differ.

The protocol must be the same for figures to be ranked: which pictures search which, and what there
is to find. What a method does to a picture, how it was trained and with what it was made may differ
from row to row of a leaderboard, and explains why its figures do.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.retrieval.config import EmbeddingFiles
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import UNTRAINED, best_first, metrics_of, read_results
from hgld.errors import InputError
from hgld.metrics import EvaluationSettings
from hgld.training.data.labels import LabelledImages
from hgld.training.index.embedding_files import embedding_dataset
from hgld.training.index.folder import FACTS_KEY, WHOLE_PICTURES
from hgld.training.model.config import facts_digest

Facts = Mapping[str, Any]
UNKNOWN = "not recorded"
_COSTS_ONLY = ("memory_bytes", "recall_at", "average_precision_at", "mistake_severity_at")
_OF_THE_DAY = ("date", "git_commit")
_SHOWN = 16


def protocol_facts(protocol: Protocol) -> dict[str, Any]:
    """Returns what must be the same for figures to be ranked together, by name.

    Labels count by which pictures share them, and not by what they are called. Pictures count by
    their ids: what their files hold is a fact of whoever embeds them.
    """
    data = protocol.data
    rule = EvaluationSettings()
    relevance = {name: getattr(rule, name) for name in rule.__slots__ if name not in _COSTS_ONLY}
    return {
        "data_set": data.name if data else "test and index images of a build",
        "levels": [level.title for level in protocol.queries.levels],
        "queries": _images_fact(protocol.queries),
        "index": _images_fact(protocol.index),
        "labels": _labels_fact(protocol.queries, protocol.index),
        "boxes": facts_digest(data.boxes)[:_SHOWN] if data and data.boxes else WHOLE_PICTURES,
        "truths": facts_digest(repr(data.truths))[:_SHOWN] if data and data.truths else "by labels",
        "each_searches_all_others": protocol.is_one_set,
        "distractors": protocol.distractors,
        "relevance": relevance,
        "similarity": "cosine in float32, metrics in float64",
    }


def _images_fact(images: LabelledImages) -> str:
    return f"{len(images):,} images, {facts_digest(sorted(images.image_ids.to_pylist()))[:_SHOWN]}"


def _labels_fact(queries: LabelledImages, index: LabelledImages) -> str:
    """Returns a digest of which images share a label, level by level."""
    orders = [pc.sort_indices(one.image_ids).to_numpy() for one in (queries, index)]
    labels = np.concatenate([queries.labels.numpy()[orders[0]], index.labels.numpy()[orders[1]]])
    numbered = []
    for level in labels.T:
        # Numbered in the order in which they first come, whatever they were called.
        _, first, number = np.unique(level, return_index=True, return_inverse=True)
        numbered.append(np.argsort(np.argsort(first))[number].tolist())
    return facts_digest(numbered)[:_SHOWN]


def first_difference(one: Facts, other: Facts) -> str:
    """Returns the first fact that two do not have alike, empty where all are.

    Example:
        >>> first_difference({"levels": ["a"], "index": "9"}, {"levels": ["a"], "queries": "3"})
        'index'
    """
    return next((key for key in {**one, **other} if one.get(key) != other.get(key)), "")


def read_facts(path: Path) -> dict[str, Any]:
    """Returns what a file of embeddings, or a folder of them, says of itself.

    Returns:
        `picture`, `picture_digest` and `protocol`, as far as they are there; nothing of an `.npy`,
        and of a file that says nothing or cannot be read. A folder says what its first file does.

    Raises:
        InputError: what it says is no JSON object.
        FetchError: it is at an object store that cannot be reached.
    """
    try:
        source = embedding_dataset(path)
        return dict(json.loads((source.schema.metadata or {}).get(FACTS_KEY.encode(), "{}")))
    except (OSError, pa.ArrowException):
        return {}
    except (ValueError, TypeError) as error:
        raise InputError(f"{FACTS_KEY} of {path} must be a JSON object; leave it out") from error


def require_facts(source: EmbeddingFiles, protocol: Facts) -> dict[str, Any]:
    """Returns what was done to the pictures of embeddings; nothing where they do not say.

    Raises:
        InputError: queries and index were embedded in different ways, or a file is for another
            protocol. The text names the first fact that differs.
    """
    queries, index = map(read_facts, (source.query, source.index))
    pictures = [one.get("picture", {}) for one in (queries, index)]
    if all(pictures) and (key := first_difference(*pictures)):
        raise InputError(
            f"embeddings of queries and index must be made alike, and {key} is "
            f"{pictures[0].get(key)} in {source.query} and {pictures[1].get(key)} in "
            f"{source.index}; make both with one model and the same settings"
        )
    # Only of queries a part may be cut out.
    whole = {**protocol, "boxes": WHOLE_PICTURES}
    for path, facts, expected in ((source.query, queries, protocol), (source.index, index, whole)):
        for key, value in facts.get("protocol", {}).items():
            if expected.get(key) != value:
                raise InputError(
                    f"{path} cannot be ranked here: its {key} is {value}, and that of this "
                    f"protocol {expected.get(key, UNKNOWN)}; embed for this protocol"
                )
    known = queries if pictures[0] else index
    return {key: known[key] for key in ("picture", "picture_digest") if key in known}


def explain(one: Path, other: Path) -> Table:
    """Says why two figures differ: every fact that is not the same, the protocol first.

    Args:
        one: a folder with the results of a benchmark, or embeddings.
        other: another one. Methods of the same name are compared, or else the best of each.

    Returns:
        A table for a terminal, whose caption says whether the figures can be compared.

    Raises:
        InputError: one is neither.
    """
    first, second = map(_read_subject, (one, other))
    shared = [(name, name) for name in first.methods if name in second.methods]
    pairs = shared or [(next(iter(first.methods)), next(iter(second.methods)))]
    compared: list[tuple[str, Facts, Facts]]
    compared = [("", {"protocol": first.protocol}, {"protocol": second.protocol})]
    for mine, theirs in pairs:
        called = mine if mine == theirs else f"{mine} and {theirs}"
        compared.append((called, first.methods[mine], second.methods[theirs]))
    compared.append(("", {"measured": first.measured}, {"measured": second.measured}))
    differing: dict[tuple[str, str, str], list[str]] = {}
    for called, *both in compared:
        flat, others = map(_flat, both)
        for key in (one for one in {**flat, **others} if flat.get(one) != others.get(one)):
            difference = (key, flat.get(key, UNKNOWN), others.get(key, UNKNOWN))
            differing.setdefault(difference, []).append(called)
    table = Table(title="Why two figures differ")
    for head in ("what differs", str(one), str(other)):
        table.add_column(escape(head), overflow="fold")
    for (key, *values), names in differing.items():
        is_of_all = names == [""] or len(names) == len(pairs) > 1
        what = key if is_of_all else f"{key}, {', '.join(names)}"
        table.add_row(*map(escape, (what, *values)))
    table.caption = _verdict(first.protocol, second.protocol, is_same=not differing)
    return table


def _verdict(one: Facts, other: Facts, *, is_same: bool) -> str:
    if not one or not other:
        return "a protocol is not recorded: whether figures can be ranked together is not known"
    if key := first_difference(one, other):
        return f"not to be ranked together: the protocols differ, first in {key}"
    if is_same:
        return "nothing that is recorded differs: of a CPU, figures are the same to the last bit"
    return "one protocol: figures can be ranked together, and differ by what is above"


class _Subject(NamedTuple):
    """Results or embeddings, of which a figure is to be explained."""

    protocol: Facts
    methods: Mapping[str, Facts]
    """By name, the best first and those without training last, with their figures."""
    measured: Facts


def _read_subject(path: Path) -> _Subject:
    if not path.exists():
        raise InputError(f"{path} must be results or embeddings, and is not there")
    if not (path / "results.csv").exists():
        facts = read_facts(path)
        return _Subject(facts.pop("protocol", {}), {path.name: facts}, {})
    results = read_results(path)
    leading = metrics_of(results)[0]
    methods: dict[str, Facts] = {}
    for one in sorted(best_first(results, leading), key=lambda one: one.kind in UNTRAINED):
        figure = results.row(one.name, leading.key).mean
        methods[one.name] = {leading.name: figure, "seeds": [*one.runs.values()], **one.facts}
    # The day and the commit explain nothing by themselves.
    known = {key: one for key, one in results.metadata.items() if key not in _OF_THE_DAY}
    return _Subject(results.protocol, methods, {**known, "left_out": {**results.left_out}})


def _flat(facts: Facts) -> dict[str, str]:
    """Returns facts within facts by their path, as text.

    Example:
        >>> _flat({"picture": {"resize": "crop", "scales": [1.0, 1.4]}, "threads": 2})
        {'picture: resize': 'crop', 'picture: scales': '1.0, 1.4', 'threads': '2'}
    """
    found: dict[str, str] = {}
    for key, value in facts.items():
        only = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(only, dict):
            found |= {f"{key}: {inner}": text for inner, text in _flat(only).items()}
        else:
            found[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found
