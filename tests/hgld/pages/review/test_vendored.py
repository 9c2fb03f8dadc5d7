"""What others wrote and the page carries."""

import hashlib
import tomllib
from pathlib import Path

import hgld.pages.review

VENDOR = Path(hgld.pages.review.__file__).parent / "static/vendor"


def test_what_others_wrote_is_what_they_published_with_its_licence_in_full() -> None:
    listed = tomllib.loads((VENDOR / "VENDORED.toml").read_text())["file"]
    licences = (VENDOR / "LICENSES.md").read_text(encoding="utf-8")
    for row in listed:
        digest = hashlib.sha256((VENDOR / row["file"]).read_bytes()).hexdigest()
        assert digest == row["sha256"], row["file"]
        assert row["licence"] in {"0BSD", "ISC", "MIT", "MPL-2.0"}
        heading = f"## {row['name']} {row['version']} ({row['licence']})"
        assert len(licences.split(heading)[1].split("\n## ", maxsplit=1)[0]) > 500, row["name"]
    code = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".mjs", ".css"}}
    assert code == {row["file"] for row in listed}
