"""Stage `hierarchy`: levels of a hierarchy of one's own, the second stage of the step `annotate`.

A level is a column of the landmarks, or comes from their class: the class itself, what it is a
subclass of (P279), or its cluster among the classes. Superclasses and clusters nest: what one level
joins, no coarser one parts.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import EMBEDDINGS, LANDMARK_LABELS, LEVELS, SUPERCLASSES, qid_number

logger = logging.getLogger(__name__)

_COLUMNS = ("hierarchical_label", "natural_or_human_made", "place", "country", "continent")
_SUPERCLASS = re.compile(r"superclass(?::([1-9]))?")
_CLUSTERS = re.compile(r"clusters:([1-9][0-9]{0,4})")

STAGE = Stage(name="hierarchy", version=1, inputs=(LANDMARK_LABELS,), outputs=(LEVELS,))


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyConfig:
    """Settings of the stage."""

    levels: tuple[str, ...] = setting(
        (),
        "Levels of a hierarchy of one's own, finest first: landmark, and then class, the deciding "
        "class; superclass, what that is a subclass of, or superclass:2 two steps up; clusters:20, "
        f"one of 20 groups of classes; or {', '.join(_COLUMNS)}. `hgld train --hierarchy own` "
        "learns them.",
    )

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
            ValueError: a level that there is not, or levels that do not go up from the landmark.
        """
        check_settings(self)
        if not self.levels:
            return
        first, *others = self.levels
        for one in others:
            if one not in {*_COLUMNS, "class"} and not (
                _SUPERCLASS.fullmatch(one) or _CLUSTERS.fullmatch(one)
            ):
                known = f"class, superclass:N, clusters:N, {', '.join(_COLUMNS)}"
                raise ValueError(f"levels above the landmark must be of {known}, got {one!r}")
        goes_up = _steps(others) == sorted({*_steps(others)})
        goes_up &= _sizes(others) == sorted({*_sizes(others)}, reverse=True)
        if first != "landmark" or not others or len({*others}) < len(others) or not goes_up:
            raise ValueError(
                f"levels must be landmark and then others, each once and the finest first, got "
                f"{', '.join(self.levels)}"
            )

    @property
    def stage(self) -> Stage:
        """The stage with the inputs that these levels need."""
        classes = (SUPERCLASSES,) if _steps(self.levels) else ()
        vectors = (EMBEDDINGS,) if _sizes(self.levels) else ()
        return replace(STAGE, inputs=(*STAGE.inputs, *classes, *vectors))


def run_hierarchy(workspace: Workspace, config: HierarchyConfig) -> StageReport:
    """Runs the stage; without levels its table is empty.

    Args:
        workspace: a build whose stage `annotate` has finished, and `embed` for clusters.
        config: the settings.

    Returns:
        The report; `rows` counts labels.

    Raises:
        MissingInputError: one of these has not finished.
        InputError: superclasses of more steps than the scrape asked for.
        ModuleNotFoundError: scipy, which clusters need, is missing.
    """

    def produce(writer: StageWriter) -> None:
        read = {one: workspace.read(one) for one in config.stage.inputs}
        more = (read.get(one, one.schema.empty_table()) for one in (SUPERCLASSES, EMBEDDINGS))
        writer.write(LEVELS, "", level_rows(read[LANDMARK_LABELS], config.levels[1:], *more))

    return run_stage(workspace, config.stage, row_settings(config), produce)


def level_rows(
    landmarks: pa.Table, levels: Sequence[str], superclasses: pa.Table, embeddings: pa.Table
) -> pa.Table:
    """Returns the labels of landmarks at some levels.

    Args:
        landmarks: rows of LANDMARK_LABELS.
        levels: those above the landmark, finest first, as in the settings.
        superclasses: rows of SUPERCLASSES; of use for `superclass`.
        embeddings: rows of EMBEDDINGS; of use for `clusters`.

    Returns:
        The rows of LEVELS, by level and then in the order of the landmarks.

    Raises:
        InputError: superclasses of more steps than the scrape asked for.
    """
    classes = landmarks["class_qid"].to_pylist()
    counts = Counter(one for one in classes if one is not None)
    names = (superclasses[f"superclass_{one}"].to_pylist() for one in ("qid", "label"))
    texts = dict(zip(*names, strict=True))
    texts |= dict(zip(classes, landmarks["supercategory"].to_pylist(), strict=True))
    made = {"class": {one: one for one in counts}}
    made |= _superclasses(counts, superclasses, _steps(levels))
    made |= _clusters(counts, embeddings, _sizes(levels))
    tables = [LEVELS.schema.empty_table()]
    for number, level in enumerate(levels, start=1):
        labels = landmarks[level] if level in _COLUMNS else _texts(classes, made[level], texts)
        columns = {
            "split": landmarks["split"],
            "landmark_id": landmarks["landmark_id"],
            "level": pa.array(np.full(len(landmarks), number, np.int8)),
            "name": pa.array([level] * len(landmarks), pa.string()),
            "label": labels,
        }
        tables.append(pa.table(columns, schema=LEVELS.schema))
        of_level = pc.count_distinct(labels).as_py(), labels.null_count, len(labels)
        logger.info(
            "hierarchy: %s: %s labels, none for %s of %s landmarks",
            *(level, *(f"{count:,}" for count in of_level)),
        )
    return pa.concat_tables(tables)


def _steps(levels: Sequence[str]) -> list[int]:
    """Returns how many steps of P279 each level of superclasses is above the class."""
    return [int(found[1] or 1) for found in map(_SUPERCLASS.fullmatch, levels) if found]


def _sizes(levels: Sequence[str]) -> list[int]:
    """Returns how many clusters each level of them has."""
    return [int(found[1]) for found in map(_CLUSTERS.fullmatch, levels) if found]


def _superclasses(
    counts: Mapping[str, int], superclasses: pa.Table, steps: Sequence[int]
) -> dict[str, dict[str, str]]:
    """Returns what each class is a subclass of, by level.

    Of several the classes that were joined so far take one together: that of most of their
    landmarks, then that of most landmarks at all, then the one of the smallest Q-id. Where there is
    none, the class or superclass below stands for itself.
    """
    if not steps:
        return {}
    above: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    names = ("class_qid", "depth", "superclass_qid")
    columns = (superclasses[name].to_pylist() for name in names)
    for one, depth, superclass in zip(*columns, strict=True):
        above[one, depth].append(superclass)
    deepest = max((depth for _, depth in above), default=0)
    if counts and max(steps) > deepest:
        raise InputError(
            f"levels ask for superclasses {max(steps)} steps up, and the scrape has {deepest}; set "
            f"superclass_depth = {max(steps)} in [scrape] and scrape again"
        )
    found, joined = {}, {one: one for one in counts}
    for step in range(1, max(steps) + 1):
        overall = Counter[str]()
        within: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for one, group in joined.items():
            for superclass in above[one, step]:
                overall[superclass] += counts[one]
                within[group][superclass] += counts[one]
        best = {
            group: max(votes, key=lambda one: (votes[one], overall[one], -qid_number(one)))
            for group, votes in within.items()
        }
        joined = {one: best.get(group, group) for one, group in joined.items()}
        found["superclass" if step == 1 else f"superclass:{step}"] = joined
    return found | {"superclass:1": found["superclass"]}


def _clusters(
    counts: Mapping[str, int], embeddings: pa.Table, sizes: Sequence[int]
) -> dict[str, dict[str, str]]:
    """Returns the cluster of each class, by level, named after its class of most landmarks.

    They are cuts of one tree (Ward's), which so nest.

    Source: Ward, Hierarchical grouping to optimize an objective function, JASA 1963.
    """
    if not sizes or not counts:
        return {f"clusters:{size}": {} for size in sizes}
    from scipy.cluster.hierarchy import cut_tree, ward

    rows = embeddings.filter(pc.is_in(embeddings["class_qid"], value_set=pa.array(counts)))
    classes = rows["class_qid"].to_pylist()
    vectors = np.asarray(rows["embedding"].to_pylist(), np.float64)  # (n, D)
    sizes_there = [min(size, len(classes)) for size in sizes]
    groups = np.zeros((1, len(sizes)), np.int64)  # of a single class, which makes no tree
    if len(classes) > 1:
        groups = cut_tree(ward(vectors), sizes_there)
    found = {}
    for size, column in zip(sizes, groups.T, strict=True):
        members: defaultdict[int, list[str]] = defaultdict(list)
        for one, group in zip(classes, column.tolist(), strict=True):
            members[group].append(one)
        found[f"clusters:{size}"] = {
            one: min(group, key=lambda each: (-counts[each], qid_number(each)))
            for group in members.values()
            for one in group
        }
    return found


def _texts(
    classes: Sequence[str | None], level: Mapping[str, str], texts: Mapping[str, str]
) -> pa.ChunkedArray:
    """Returns the label of each landmark by its class: a text, with its Q-id if two have it."""
    used = {*level.values()}
    several = Counter(texts[one] for one in used)
    named = {
        one: f"{texts[one]} ({one})" if several[texts[one]] > 1 else texts[one] for one in used
    }
    found = [named[level[one]] if one is not None and one in level else None for one in classes]
    return pa.chunked_array([pa.array(found, pa.string())])
