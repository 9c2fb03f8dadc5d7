"""Croissant 1.1: a description of the release for programs that load data sets.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

import json
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from hgld.annotations.release import cards
from hgld.annotations.release.facts import ReleaseFacts
from hgld.annotations.release.released import MORE_TABLES, relative_to_release
from hgld.engine.dataset import shard_pattern
from hgld.tables import ANNOTATIONS, FILLED, PARTIAL

_Json = dict[str, Any]

_PARQUET = "application/x-parquet"
_OF_IMAGES = ANNOTATIONS | {
    f"{name}_{split}": one
    for name, tables in (("filled", FILLED), ("partial", PARTIAL))
    for split, one in tables.items()
}
_TABLES = _OF_IMAGES | MORE_TABLES
# Nested columns are left out, because flat columns have the same content.
_DATA_TYPES = {
    **dict.fromkeys((pa.int8(), pa.int32(), pa.int64()), "sc:Integer"),
    **dict.fromkeys((pa.float32(), pa.float64()), "sc:Float"),
    pa.string(): "sc:Text",
    pa.bool_(): "sc:Boolean",
    pa.timestamp("ms", tz="UTC"): "sc:DateTime",
}


def croissant(facts: ReleaseFacts) -> str:
    """Returns croissant.json, with provenance down to who decided a label."""
    config, known = facts.config, cards.texts()
    version, date = facts.release["version"], facts.release["date"]
    context = json.loads((cards.TEMPLATES / "croissant_context.json").read_text(encoding="utf-8"))
    of_images = (name for name in _OF_IMAGES if facts.has_file(_pattern(name)))
    names = [*of_images, *cards.tables_with_rows(facts)]
    described: _Json = {
        "@type": "sc:Dataset",
        "name": config.title,  # first, for people who open the file
        "description": f"{config.description} {cards.holds_words(facts)}",
        "@context": context,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": config.license_url,
        "version": version,
        **({"datePublished": date} if date else {}),
        **({"url": config.url} if config.url else {}),
        "citeAs": f"{', '.join(config.creators)}: {config.title}, version {version}.",
        "keywords": cards.keywords(facts),
        "creator": [{"@type": "sc:Organization", "name": name} for name in config.creators],
        **{f"rai:{name}": text for name, text in known["rai"].items()},
        **({"rai:dataCollectionTimeFrame": list(facts.days)} if facts.days else {}),
        "rai:dataCollectionMissingData": cards.missing_words(facts),
        "rai:dataImputationProtocol": cards.imputed_words(facts),
        "rai:dataAnnotationAnalysis": [cards.decided_words(facts)],
        "prov:wasDerivedFrom": [
            {"@id": address, "sc:description": text}
            for address, text in cards.sources(facts).items()
        ],
        "prov:wasAttributedTo": _deciders(facts),
        "distribution": [*_files(facts), *(_shards(name) for name in names if _has_shards(name))],
        "recordSet": [_record_set(name) for name in names],
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _deciders(facts: ReleaseFacts) -> list[_Json]:
    """Returns the agents that decided labels, with their counts."""
    found = [
        {
            "@type": "prov:SoftwareAgent" if cards.is_program(name) else "prov:Person",
            "@id": f"#reviewer-{number}",
            "sc:name": name,
            "sc:description": f"Decided the labels of {count:,} landmarks, or their classes.",
        }
        for number, (name, count) in enumerate(facts.deciders.items(), start=1)
        if name
    ]
    if unseen := facts.deciders.get(""):
        about = f"Proposed or filled the labels of {unseen:,} landmarks that nobody reviewed."
        agent = {"@type": "prov:SoftwareAgent", "@id": "#hgld", "sc:name": "hgld"}
        found.append(agent | {"sc:description": about})
    return found


def _files(facts: ReleaseFacts) -> list[_Json]:
    """Returns each file with its digest."""
    return [
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


def _shards(name: str) -> _Json:
    """Returns the file set that joins the shards of a table."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "description": f"The shards of {name}, in the order of their names.",
        "encodingFormat": _PARQUET,
        "includes": _pattern(name),
    }


def _record_set(name: str) -> _Json:
    known = cards.texts()["tables"][name]
    fields = []
    for column in _TABLES[name].schema:
        if (data_type := _DATA_TYPES.get(column.type)) is None:
            continue
        field = _field(name, column.name, data_type)
        if column.name == "hierarchical_label" and name in {*_OF_IMAGES, "landmarks"}:
            field["annotation"] = _field(name, "reviewer", "sc:Text") | {
                "@id": f"{name}/hierarchical_label/reviewer",
                "equivalentProperty": "prov:wasAttributedTo",
            }
        fields.append(field)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": known["text"],
        "key": [{"@id": f"{name}/{column}"} for column in known["key"]],
        "field": fields,
    }


def _field(name: str, column: str, data_type: str) -> _Json:
    of_shards, of_file = {"@id": f"{name}-files"}, {"@id": _pattern(name)}
    place = {"fileSet": of_shards} if _has_shards(name) else {"fileObject": of_file}
    return {
        "@type": "cr:Field",
        "@id": f"{name}/{column}",
        "name": column,
        "description": cards.texts()["columns"][column],
        "dataType": data_type,
        "source": {**place, "extract": {"column": column}},
    }


def _has_shards(name: str) -> bool:
    return "*" in _pattern(name)


def _pattern(name: str) -> str:
    return shard_pattern(relative_to_release(_TABLES[name].path))
