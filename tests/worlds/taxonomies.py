"""A small taxonomy of a user's own."""

from pathlib import Path

_FILES = {
    "supercategories.csv": (
        "hierarchical_label,natural_or_human_made,description\n"
        "cascade,natural,Falling water\n"
        "mere / tarn,natural,Standing water\n"
        "span,human-made,What crosses either\n"
    ),
    "aliases.csv": (
        "hierarchical_label,language,alias\n"
        "cascade,de,kaskade\n"
        "cascade,en,waterfall\n"
        "cascade,en,tall waterfall\n"
        "mere / tarn,en,lake\n"
        "span,en,footbridge\n"
    ),
    "classes.csv": "class_qid,class_label,action,hierarchical_label\n",
    "cut_points.csv": "superclass_qid,superclass_label,action,hierarchical_label,reason\n",
    "unspecific.csv": "phrase,match,action,reason\n",
}

PHRASES = ("cascade", "mere / tarn", "span", "waterfall", "lake", "footbridge")
"""What is encoded of it: its names, then what means them in English and ends in nothing shorter."""


def write_taxonomy(folder: Path, **changed: str) -> Path:
    """Writes its tables, some of them changed (by their name without `.csv`)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        now = changed.get(name.removesuffix(".csv"), text)
        (folder / name).write_text(now, encoding="utf-8")
    return folder
