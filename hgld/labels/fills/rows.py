"""What became of each landmark that was asked about, as rows of FILLS."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from hgld.labels.fills.explaining import Explainer, why_unsure
from hgld.labels.fills.guessing.combining import Guesses
from hgld.labels.fills.guessing.subjects import KnownLandmarks, Subjects
from hgld.labels.fills.landmarks import Build
from hgld.tables import FILL_CHECKS, FILLS

_LEAST_RUNNER_UP = 0.9
"""Guesses less sure than this are told with what comes next."""
REVIEWED = "reviewed"


def told_guesses(
    subjects: Subjects,
    known: KnownLandmarks,
    guesses: Guesses,
    explainer: Explainer,
    precision: float,
) -> Iterator[dict[str, Any]]:
    """Yields of each landmark its guess, how sure it is, why, and why it is no label.

    Args:
        subjects: the landmarks that were asked about.
        known: what was learned from.
        guesses: theirs, in the same order.
        explainer: tells what speaks for a label.
        precision: how many labels have to be right, from 0 to 1.

    Yields:
        best_guess, confidence, evidence, method and `unsure`: why it is no label, or nothing.
    """
    parents = subjects.documents("parents")
    for row, name in enumerate(subjects.names):
        label = known.labels[guesses.front[row]]
        method, confidence = guesses.methods[row], float(guesses.confidence[row])
        said = explainer.of_name(name, label)
        if "parents" in method.kinds:
            said += explainer.of_parents(parents[row], label)
        if subjects.pictures:
            said += explainer.of_pictures(subjects.pictures[row])
        if confidence < _LEAST_RUNNER_UP and guesses.second[row] != guesses.front[row]:
            said.append(f"then {known.labels[guesses.second[row]].strip()}")
        unsure = why_unsure(confidence, method, precision)
        if row in guesses.refused:
            unsure = "what was likelier was refused, and how often the next is right is not known"
        yield {
            "best_guess": label,
            "confidence": confidence,
            "evidence": "; ".join([*said, *([unsure] if unsure else [])]),
            "method": method.name,
            "unsure": unsure,
        }


def fill_rows(build: Build, told: Iterator[Mapping[str, Any]]) -> pa.Table:
    """Returns the rows of FILLS.

    Args:
        build: what was asked about, and what persons said of it.
        told: what `told_guesses` yields of these landmarks.
    """
    rows = []
    for key, category, guess in zip(build.asked.keys, build.asked.categories, told, strict=True):
        row = {"split": key[0], "landmark_id": key[1], "category": category, "reviewer": None}
        accepted = build.decided.accepted.get(category or "")
        if accepted:
            label, side, reviewer = accepted
            rows.append(
                row
                | _labelled(label, side)
                | {"confidence": 1.0, "evidence": f"{reviewer} accepted it", "method": REVIEWED}
                | {"reviewer": reviewer}
            )
            continue
        label, side = guess["best_guess"], build.sides[guess["best_guess"]]
        unsure = {"status": "unsure", "hierarchical_label": None, "natural_or_human_made": None}
        told_of = {name: guess[name] for name in ("confidence", "evidence", "method")}
        rows.append(row | _labelled(label, side) | (unsure if guess["unsure"] else {}) | told_of)
    return pa.Table.from_pylist(rows, FILLS.schema)


def check_rows(build: Build, guesses: Guesses) -> pa.Table:
    """Returns the rows of FILL_CHECKS: guesses for held-out landmarks, labelled or refused."""
    return pa.Table.from_pylist(
        [
            {
                "split": build.known_keys[check.row][0],
                "landmark_id": build.known_keys[check.row][1],
                "hierarchical_label": build.known.truth[check.row] or None,
                "best_guess": check.guess,
                "confidence": check.confidence,
                "method": check.method,
            }
            for check in guesses.checks
        ],
        FILL_CHECKS.schema,
    )


def nothing_to_choose(build: Build) -> pa.Table:
    """Returns the rows of FILLS where there is no super-category yet."""
    why = "there is no super-category to choose from; decide on classes first"
    return pa.Table.from_pylist(
        [
            {"split": split, "landmark_id": landmark_id, "category": category, "status": "unsure"}
            | {"evidence": why, "method": "words"}
            for (split, landmark_id), category in zip(
                build.asked.keys, build.asked.categories, strict=True
            )
        ],
        FILLS.schema,
    )


def _labelled(label: str, side: str) -> dict[str, str]:
    return {
        "status": "ok",
        "hierarchical_label": label,
        "natural_or_human_made": side,
        "best_guess": label,
        "best_guess_side": side,
    }
