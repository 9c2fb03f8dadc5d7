"""The cards of a release: README.md (as Hugging Face reads it), DATASHEET.md and CITATION.cff."""

import json
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

from hgld.annotations.release.cards.statements import (
    BIASES,
    COLLECTION,
    COLUMN_TEXTS,
    KEYWORDS,
    LIMITATIONS,
    PROTOCOL,
    SENSITIVE,
    SOCIAL_IMPACT,
    SOURCES,
    TOOLS,
    USE_CASES,
    decided_words,
    imputed_words,
    missing_words,
)
from hgld.annotations.release.facts import ReleaseFacts
from hgld.annotations.release.released import relative_to_release
from hgld.engine.dataset import Dataset, shard_pattern
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    CREDITS,
    EXCLUDED,
    FILLED,
    HIERARCHY,
    LANDMARK_LABELS,
)

_TEMPLATES = Path(__file__).parent / "templates"
_MORE_CONFIGS: Mapping[str, Dataset] = {
    "landmarks": LANDMARK_LABELS,
    "hierarchy": HIERARCHY,
    "excluded": EXCLUDED,
    "bad": BAD_ANNOTATIONS,
    "credits": CREDITS,
}
# As Hugging Face counts: https://huggingface.co/docs/hub/datasets-cards
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_PAPERS = (
    (
        "Hierarchical Average Precision Training for Pertinent Image Retrieval",
        2022,
        (
            "Ramzi, Elias",
            "Audebert, Nicolas",
            "Thome, Nicolas",
            "Rambour, Clément",
            "Bitot, Xavier",
        ),
    ),
    (
        "Optimization of Rank Losses for Image Retrieval",
        2025,
        (
            *("Ramzi, Elias", "Audebert, Nicolas", "Rambour, Clément", "Araujo, André"),
            *("Bitot, Xavier", "Thome, Nicolas"),
        ),
    ),
    (
        (
            "Google Landmarks Dataset v2: A Large-Scale Benchmark for Instance-Level Recognition "
            "and Retrieval"
        ),
        2020,
        ("Weyand, Tobias", "Araujo, André", "Cao, Bingyi", "Sim, Jack"),
    ),
)


def dataset_card(facts: ReleaseFacts) -> str:
    """Returns README.md: what Hugging Face reads, and then what people do."""
    return f"---\n{_front_matter(facts)}---\n\n{_filled('card.md', facts)}"


def datasheet(facts: ReleaseFacts) -> str:
    """Returns DATASHEET.md.

    Source: Gebru et al., Datasheets for Datasets, Communications of the ACM, 2021.
    """
    return _filled("datasheet.md", facts)


def citation(facts: ReleaseFacts) -> str:
    """Returns CITATION.cff, of version 1.2.0 of the Citation File Format."""
    config = facts.config
    lines = [
        "cff-version: 1.2.0",
        "message: If you use these labels, please cite them together with the papers below.",
        f"title: {_quoted(config.title)}",
        "type: dataset",
        f"version: {facts.version}",
        *([f"date-released: {facts.date}"] if facts.date else []),
        f"license: {config.license}",
        *([f"url: {_quoted(config.url)}"] if config.url else []),
        f"abstract: {_quoted(config.description)}",
        "authors:",
        *(f"  - name: {_quoted(name)}" for name in config.creators),
        "references:",
    ]
    for title, year, authors in _PAPERS:
        lines += [f"  - title: {_quoted(title)}", "    type: article", f"    year: {year}"]
        lines.append("    authors:")
        for author in authors:
            family, given = author.split(", ")
            lines.append(f"      - {{ family-names: {_quoted(family)}, given-names: {given} }}")
    return "\n".join([*lines, ""])


def _front_matter(facts: ReleaseFacts) -> str:
    config = facts.config
    total = sum(facts.release["counts"]["images"].values())
    size = next((name for most, name in _SIZES if total < most), "10M<n<100M")
    lines = [
        *_license_lines(facts),
        f"pretty_name: {_quoted(config.title)}",
        "language:",
        "- en",
        "task_categories:",
        "- image-feature-extraction",
        "size_categories:",
        f"- {size}",
        "tags:",
        *(f"- {word.lower().replace(' ', '-')}" for word in KEYWORDS),
        "configs:",
        "- config_name: default",
        "  default: true",
        "  data_files:",
    ]
    # By patterns and without sizes, so that a part of the shards is a data set, too.
    for split, dataset in ANNOTATIONS.items():
        if facts.shards(split):
            lines += [f"  - split: {split}", f"    path: {_pattern(dataset)}"]
    filled = [split for split in FILLED if facts.shards(split, "filled")]
    if filled:
        lines += ["- config_name: filled", "  data_files:"]
    for split in filled:
        lines += [f"  - split: {split}", f"    path: {_pattern(FILLED[split])}"]
    for name, dataset in _MORE_CONFIGS.items():
        if _has_rows(facts, name):
            lines += [f"- config_name: {name}", "  data_files:"]
            lines += ["  - split: rows", f"    path: {_pattern(dataset)}"]
    return "\n".join([*lines, ""])


def _has_rows(facts: ReleaseFacts, config: str) -> bool:
    """Says whether a table has rows: `datasets` loads none without."""
    counts = facts.release["counts"]
    rows = {
        "landmarks": sum(counts["landmarks"].values()),
        "hierarchy": counts["labels"],
        "excluded": sum(counts["excluded"].values()),
        "bad": sum(counts["bad"].values()),
        "credits": sum(name.startswith("credits-") for name in facts.files),
    }
    return bool(rows[config])


def _license_lines(facts: ReleaseFacts) -> list[str]:
    config = facts.config
    if config.license.startswith("CC"):
        return [f"license: {config.license.lower()}"]
    link = f"license_link: {config.license_url}"
    return ["license: other", f"license_name: {config.license.lower()}", link]


def _filled(template: str, facts: ReleaseFacts) -> str:
    """Returns a template with all that it says of the release."""
    config, counts = facts.config, facts.release["counts"]
    contact = f" Questions and mistakes: {config.contact}." if config.contact else ""
    publisher = config.publisher or ", ".join(config.creators)
    filled = sum(counts["filled"].values())
    tables = [
        *(["`filled` (its splits are those of the default)"] if filled else []),
        *(f"`{name}`" for name in _MORE_CONFIGS if _has_rows(facts, name)),
    ]
    values = {
        "title": config.title,
        "description": config.description,
        "version": facts.version,
        "released": f", {facts.date}" if facts.date else "",
        "creators": ", ".join(config.creators),
        "publisher": publisher,
        "license": f"[{config.license}]({config.license_url})",
        "maintenance": config.maintenance + contact,
        "where": f" at <{config.url}>" if config.url else "",
        "collection": COLLECTION,
        "protocol": " ".join(PROTOCOL),
        "tools": " ".join(TOOLS),
        "biases": _items(BIASES),
        "limitations": _items(LIMITATIONS),
        "use_cases": _items(USE_CASES),
        "social_impact": SOCIAL_IMPACT,
        "sensitive": " ".join(SENSITIVE),
        "sources": _items(f"[{text}]({address})" for address, text in SOURCES.items()),
        "missing": missing_words(facts),
        "imputed": imputed_words(facts),
        "decided": decided_words(facts),
        "days": " to ".join(facts.days) if facts.days else "on unknown days",
        "images": _items(f"{split}: {count:,} images" for split, count in counts["images"].items()),
        "labels": f"{counts['labels']:,}",
        "landmarks": f"{sum(counts['landmarks'].values()):,}",
        "configurations": ", ".join(tables),
        "credited": ", in `credits`" if _has_rows(facts, "credits") else "",
        "decisions": _items(f"`{name}`: {count:,}" for name, count in facts.decisions.items()),
        "columns": "\n".join(
            f"| `{field.name}` | {_type_words(str(field.type))} | {COLUMN_TEXTS[field.name]} |"
            for field in ANNOTATIONS["train"].schema
        ),
    }
    text = (_TEMPLATES / template).read_text(encoding="utf-8")
    return string.Template(text).substitute(values)


def _type_words(kind: str) -> str:
    return kind if len(kind) < len("timestamp[ms, tz=UTC]") else kind.partition("<")[0]


def _items(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _pattern(dataset: Dataset) -> str:
    return shard_pattern(relative_to_release(dataset.path))


def _quoted(text: str) -> str:
    """Returns a text as YAML reads it, whatever is in it: as JSON, which YAML contains."""
    return json.dumps(text, ensure_ascii=False)
