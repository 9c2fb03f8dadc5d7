"""Croissant: the release described for programs that load data sets.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

import json
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

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

_Json = dict[str, Any]

_PARQUET = "application/x-parquet"
_CR = "http://mlcommons.org/croissant/"
_CONTEXT: _Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "containedIn": "cr:containedIn",
    "description": {"@container": "@language"},
    "isArray": "cr:isArray",
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": _CR,
    "rai": f"{_CR}RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FILLED = {f"filled_{split}": dataset for split, dataset in FILLED.items()}
_KEYS = {
    **dict.fromkeys((*ANNOTATIONS, *_FILLED), ("image_id",)),
    "landmarks": ("split", "landmark_id"),
    "hierarchy": ("hierarchical_label_id",),
    "excluded": ("split", "image_id"),
    "bad": ("split", "image_id"),
    "credits": ("image_id",),
}
_RECORDS: dict[str, tuple[Dataset, str]] = {
    **{
        split: (dataset, f"The images of {split} that have a label.")
        for split, dataset in ANNOTATIONS.items()
    },
    **{
        record: (dataset, "More such images: their label is filled, since no class gives one.")
        for record, dataset in _FILLED.items()
    },
    "landmarks": (LANDMARK_LABELS, "Every landmark, with its label or why it has none."),
    "hierarchy": (HIERARCHY, "The labels in use, and how much hangs on each."),
    "excluded": (EXCLUDED, "The images that have no label, and why."),
    "bad": (BAD_ANNOTATIONS, "The images whose pictures cannot be used, and why."),
    "credits": (CREDITS, "Who made the train images, and under which licence."),
}


def croissant(facts: ReleaseFacts) -> str:
    """Returns croissant.json, of version 1.1: with provenance, down to who decided on a label."""
    described = _described(facts) | _provenance(facts)
    records = _record_sets(facts)
    for record in records:
        for field in record["field"]:
            if field["name"] == "hierarchical_label" and record["@id"] in {*_ANNOTATED}:
                field["annotation"] = _reviewer(record["@id"])
    return json.dumps(described | {"recordSet": records}, indent=2, ensure_ascii=False) + "\n"


_ANNOTATED = (*ANNOTATIONS, *_FILLED, "landmarks")


def _described(facts: ReleaseFacts) -> _Json:
    """Returns all but the record sets."""
    config = facts.config
    found: _Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": config.title,
        "description": config.description,
        "conformsTo": f"{_CR}1.1",
        "license": config.license_url,
        "version": facts.version,
        "citeAs": f"{', '.join(config.creators)}: {config.title}, version {facts.version}.",
        "keywords": list(KEYWORDS),
        "creator": [{"@type": "sc:Organization", "name": name} for name in config.creators],
        **_responsible(facts),
        "distribution": _distribution(facts),
    }
    if facts.date:
        found["datePublished"] = facts.date
    if config.publisher:
        found["publisher"] = {"@type": "sc:Organization", "name": config.publisher}
    if config.url:
        found["url"] = config.url
    return found


def _responsible(facts: ReleaseFacts) -> _Json:
    """Returns what the extension for responsible AI asks for."""
    found: _Json = {
        "rai:dataCollection": COLLECTION,
        "rai:dataCollectionType": ["Web Scraping", "Secondary Data Analysis"],
        "rai:dataCollectionMissingData": missing_words(facts),
        "rai:dataImputationProtocol": imputed_words(facts),
        "rai:dataAnnotationProtocol": list(PROTOCOL),
        "rai:dataAnnotationAnalysis": [decided_words(facts)],
        "rai:machineAnnotationTools": list(TOOLS),
        "rai:dataBiases": list(BIASES),
        "rai:dataLimitations": list(LIMITATIONS),
        "rai:dataUseCases": list(USE_CASES),
        "rai:dataSocialImpact": SOCIAL_IMPACT,
        "rai:personalSensitiveInformation": list(SENSITIVE),
        "rai:dataReleaseMaintenancePlan": facts.config.maintenance,
    }
    if facts.days:
        found["rai:dataCollectionTimeFrame"] = list(facts.days)
    return found


def _provenance(facts: ReleaseFacts) -> _Json:
    """Returns where the data set came from, and who decided on how many of its labels."""
    people = [
        {
            "@type": "prov:Person",
            "@id": f"#reviewer-{number}",
            "sc:name": name,
            "sc:description": f"Decided on {count:,} landmarks' labels, or on their classes.",
        }
        for number, (name, count) in enumerate(facts.deciders.items(), start=1)
        if name
    ]
    unseen = facts.deciders.get("", 0)
    program = {
        "@type": "prov:SoftwareAgent",
        "@id": "#hgld",
        "sc:name": "hgld",
        "sc:description": f"Proposed or filled {unseen:,} landmarks' labels that nobody looked at.",
    }
    return {
        "prov:wasDerivedFrom": [
            {"@id": address, "sc:description": text} for address, text in SOURCES.items()
        ],
        "prov:wasAttributedTo": [*people, *([program] if unseen else [])],
    }


def _reviewer(record: str) -> _Json:
    """Returns the annotation of a label: for each row, who it is attributed to."""
    return {
        "@type": "cr:Field",
        "@id": f"{record}/hierarchical_label/reviewer",
        "name": "reviewer",
        "description": "Who decided on the label, or the class it follows from; empty: nobody did.",
        "dataType": "sc:Text",
        "equivalentProperty": "prov:wasAttributedTo",
        "source": _source(record, "reviewer"),
    }


def _distribution(facts: ReleaseFacts) -> list[_Json]:
    """Returns each file with its digest; and what makes one table of its shards."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": PurePosixPath(name).name,
            "contentUrl": name,
            "contentSize": f"{record.size} B",
            "encodingFormat": _PARQUET if name.endswith(".parquet") else "text/csv",
            "sha256": record.sha256,
        }
        for name, record in sorted(facts.files.items())
    ]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": f"{record}-files",
            "name": f"{record}-files",
            "description": f"The shards of {record}, in the order of their names.",
            "encodingFormat": _PARQUET,
            "includes": _pattern(dataset),
        }
        for record, (dataset, _) in _records(facts).items()
        if "*" in _pattern(dataset)
    ]
    return [*files, *sets]


def _record_sets(facts: ReleaseFacts) -> list[_Json]:
    return [
        {
            "@type": "cr:RecordSet",
            "@id": record,
            "name": record,
            "description": text,
            "key": [{"@id": f"{record}/{name}"} for name in _KEYS[record]],
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": f"{record}/{field.name}",
                    "name": field.name,
                    "description": COLUMN_TEXTS[field.name],
                    "dataType": data_type,
                    "source": _source(record, field.name),
                }
                for field in dataset.schema
                if (data_type := _data_type(field.type))
            ],
        }
        for record, (dataset, text) in _records(facts).items()
    ]


def _records(facts: ReleaseFacts) -> dict[str, tuple[Dataset, str]]:
    """Returns the tables that have a file: there are no shards of a split without images.

    That of bad images is there always, and has rows where pictures were looked at.
    """
    unneeded = set() if any(facts.release["counts"]["bad"].values()) else {"bad"}
    return {
        record: (dataset, text)
        for record, (dataset, text) in _RECORDS.items()
        if record not in unneeded
        and any(PurePosixPath(name).match(_pattern(dataset)) for name in facts.files)
    }


def _source(record: str, column: str) -> _Json:
    pattern = _pattern(_RECORDS[record][0])
    is_set = "*" in pattern
    kind, name = ("fileSet", f"{record}-files") if is_set else ("fileObject", pattern)
    return {kind: {"@id": name}, "extract": {"column": column}}


def _pattern(dataset: Dataset) -> str:
    return shard_pattern(relative_to_release(dataset.path))


def _data_type(kind: pa.DataType) -> str | None:
    """Returns the type of a column; None for nested ones, which flat columns say again."""
    if pa.types.is_string(kind):
        return "sc:Text"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else None
