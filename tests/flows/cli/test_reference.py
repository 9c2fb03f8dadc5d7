from pathlib import Path

import pytest

from hgld.engine.config import SettingField, setting_fields
from hgld.flows.build import (
    ALL_STEPS,
    load_step,
    settings_class,
)
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import default_text
from hgld.flows.cli.reference import PAGE, RENEW, page

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def written() -> str:
    return (ROOT / PAGE).read_text(encoding="utf-8")


def section(text: str, command: str) -> str:
    return text.partition(f"## `hgld {command}`\n")[2].partition("\n## ")[0]


def test_the_page_is_up_to_date(written: str) -> None:
    assert written == page(), f"{PAGE} is stale; renew it with: {RENEW}"


@pytest.mark.parametrize("step", ALL_STEPS)
def test_every_setting_has_a_line_with_its_place_and_whether_it_changes_rows(
    written: str, step: str
) -> None:
    rows = section(written, step).splitlines()
    for field in setting_fields(settings_class(step)):
        if field.is_table:
            continue
        place = f"`[{step}] {field.name}`{' *' if field.changes_rows else ''}"
        (line,) = [row for row in rows if row.endswith(f"| {place} |")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[0].split(", ")[0] == f"`--{field.name.rstrip('_').replace('_', '-')}`"
        assert cells[2] == f"`{default_text(field)}`"
        assert cells[3] == field.help_text


TABLES = [
    (step, field)
    for step in ALL_STEPS
    for field in setting_fields(settings_class(step))
    if field.classes
]


@pytest.mark.parametrize(("step", "field"), TABLES, ids=lambda one: getattr(one, "name", one))
def test_every_setting_of_a_table_has_a_line_below_the_name_that_has_it(
    written: str, step: str, field: SettingField
) -> None:
    table = section(written, step).partition(f"### `[{step}.{field.name}]`\n")[2]
    table = table.partition("\n### ")[0]
    rows = [
        [cell.strip() for cell in row.strip("|").split(" | ")]
        for row in table.splitlines()
        if row.startswith("| `")
    ]
    expected = []
    for name, cls in field.classes.items():
        if not field.is_table:
            expected.append([f"`{name}`", f'`[{step}.{field.name}] name = "{name}"` *'])
        for one in setting_fields(cls):
            if one.name != "name":
                default = default_text(one)
                place = f"`[{step}.{field.name}] {one.name}`{' *' if one.changes_rows else ''}"
                expected.append([f"`{one.name}`", f"`{default}`", one.help_text, place])
    # A name has its own line, with what it is.
    assert [[row[0], *row[2:]] if row[1] else [row[0], row[4]] for row in rows] == expected
    assert all(row[3] for row in rows)


def test_every_command_has_a_section(written: str) -> None:
    for command in app.commands:
        assert "Reads " in section(written, command)


@pytest.mark.parametrize("step", ALL_STEPS)
def test_what_a_command_reads_and_writes_are_the_folders_of_its_stages(
    written: str, step: str
) -> None:
    reads, _, writes = section(written, step).partition("; writes ")
    own: set[str] = set()  # of the stages before, of the same command
    for stage in load_step(step, {}).stages:
        read = {dataset.path.split("/")[0] for dataset in stage.inputs if dataset.path not in own}
        own |= {dataset.path for dataset in stage.outputs}
        wrote = {dataset.path.split("/")[0] for dataset in stage.outputs}
        wrote |= {name.split("/")[0] for name in stage.output_files}
        assert all(f"{folder}/" in reads for folder in read)
        assert all(f"{folder}/" in writes for folder in wrote)
