import json
from pathlib import Path
from typing import Any

import pytest

from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.facts import SCHEMA_VERSION, next_version
from hgld.annotations.release.released import read_releases
from hgld.errors import InputError

BEFORE = {"version": "3.4.5", "schema": SCHEMA_VERSION}


@pytest.mark.parametrize(
    ("landmarks", "images", "expected"),
    [
        ({}, {}, "3.4.6"),
        ({"added": 0, "label_changed": 0}, {"unchanged": 5}, "3.4.6"),
        ({"added": 1}, {}, "3.5.0"),
        ({"changed": 1}, {}, "3.5.0"),
        ({"changed": 1, "label_added": 1}, {}, "3.5.0"),
        ({}, {"moved": 1, "label_added": 1}, "3.5.0"),
        ({"removed": 1}, {}, "3.5.0"),  # it had no label
        ({"removed": 1, "labels_gone": 1}, {}, "4.0.0"),
        ({"changed": 1, "label_changed": 1}, {}, "4.0.0"),
        ({"changed": 1, "label_removed": 1}, {}, "4.0.0"),
        ({}, {"moved": 1, "label_removed": 1}, "4.0.0"),
        ({}, {"changed": 1, "label_changed": 1}, "4.0.0"),
    ],
)
def test_the_version_says_what_it_does_to_those_who_use_the_labels(
    landmarks: dict[str, int], images: dict[str, int], expected: str
) -> None:
    counts = {"landmarks": landmarks, "images": images}
    assert next_version(BEFORE, counts) == expected
    assert next_version({**BEFORE, "schema": SCHEMA_VERSION - 1}, counts) == "4.0.0"


def test_a_release_before_without_a_version_is_refused() -> None:
    with pytest.raises(InputError, match=r"1\.2"):
        next_version({**BEFORE, "version": "1.2"}, {})


@pytest.mark.parametrize("content", ["", "[]", "{}", '[{"version": "1.0.0"}]', "[1]"])
def test_a_list_of_releases_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "releases.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"releases\.json"):
        read_releases(path)
    release = {**BEFORE, "date": None, "files": {}}
    path.write_text(json.dumps([release]))
    assert read_releases(path) == [release]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", " "),
        ("title", "Ours\n# Theirs"),
        ("license", "CC BY"),
        ("date", "2026-02-30"),
        ("date", "20260228"),
        ("creators", ()),
        ("creators", ("Ann", "")),
        ("creators", ("Ann\nBob",)),
    ],
)
def test_settings_that_no_release_could_have_are_refused(name: str, value: object) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        ReleaseConfig(**values)


@pytest.mark.parametrize(
    ("license_id", "url"),
    [
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("ODbL-1.0", "https://spdx.org/licenses/ODbL-1.0.html"),
    ],
)
def test_a_licence_has_an_address(license_id: str, url: str) -> None:
    assert ReleaseConfig(license=license_id).license_url == url
