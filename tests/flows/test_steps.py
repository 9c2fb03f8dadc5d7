from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace, command_of
from hgld.errors import HgldError, InputError, how_to_install
from hgld.flows import build
from hgld.flows.build import (
    ALL_SECTIONS,
    ALL_STEPS,
    STEPS,
    keep_setting,
    known_settings,
    load_step,
    read_sections,
    run_step,
)
from hgld.flows.steps import Sections

_NO_EXTRA = {"metadata", "scrape", "review", "annotate", "images", "parents"}


@pytest.mark.parametrize("name", ALL_STEPS)
def test_every_step_loads_with_its_defaults_and_refuses_an_unknown_key(name: str) -> None:
    step = load_step(name, {})
    assert step.stages
    assert {command_of(stage.name).split()[0] for stage in step.stages} == {name}
    section = {"propose": "embed", "parents": "scrape"}.get(name, name)
    with pytest.raises(InputError, match="colour"):
        load_step(name, {section: {"colour": "red"}})
    assert (step.extra == "") == (name in _NO_EXTRA)
    if step.extra:
        assert "-m pip install " in how_to_install(step.extra)


def test_a_step_reads_only_what_earlier_steps_write_each_data_set_by_the_stage_it_names() -> None:
    written: set[str] = set()
    for name in STEPS:
        for stage in load_step(name, {}).stages:
            assert {dataset.stage for dataset in stage.outputs} <= {stage.name}
            assert {dataset.path for dataset in stage.inputs} <= written, name
            written |= {dataset.path for dataset in stage.outputs}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (None, "[review]\naccept_above = 0.9\n"),
        ("\ufeff[review] # ours\n\n[fill]\n", "[review] # ours\naccept_above = 0.9\n\n[fill]\n"),
        ("[review]\r\naccept_above = 0.5\r\n", "[review]\r\naccept_above = 0.9\r\n"),
    ],
)
def test_a_setting_is_kept_and_the_rest_of_the_file_stays(
    text: str | None, kept: str, tmp_path: Path
) -> None:
    path = tmp_path / "hgld.toml"
    if text is not None:
        path.write_bytes(text.encode())
    assert keep_setting(path, "review", "accept_above", 0.9)
    assert path.read_bytes().decode() == kept
    assert not keep_setting(path, "review", "accept_above", 0.9)
    path.rename(tmp_path / "other.toml")  # it counts where it is named
    assert read_sections(tmp_path, None) == {}
    assert read_sections(tmp_path, tmp_path / "other.toml")["review"] == {"accept_above": 0.9}


def test_a_path_in_a_file_is_relative_to_it_and_an_address_stays(tmp_path: Path) -> None:
    path = tmp_path / "hgld.toml"
    lines = ('images.base_url = "s3://bucket"', 'agree.official = ["a.csv", "/b.csv"]')
    path.write_text("\n".join(['embed.taxonomy = "words"', *lines]))
    assert read_sections(Path("elsewhere"), path) == {
        "images": {"base_url": "s3://bucket"},
        "agree": {"official": [str(tmp_path / "a.csv"), "/b.csv"]},
        "embed": {"taxonomy": str(tmp_path / "words")},
    }


@pytest.mark.parametrize("name", ALL_SECTIONS)
def test_a_key_that_no_section_has_is_refused_with_its_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(f"[{name}]\ncolour = 'red'\n")
    with pytest.raises(InputError, match=rf"other\.toml \[{name}\].*colour"):
        read_sections(tmp_path, path)
    path.write_text(f"[{name}s]\n")
    with pytest.raises(InputError, match=rf"other\.toml.*\[{name}s\].* mean '{name}'"):
        read_sections(tmp_path, path)


@pytest.mark.parametrize(
    ("annotate", "order"),
    [
        ([], "review annotate images"),
        # No picture is looked at unless somebody asks for it.
        (["fills"], "parents fill annotate images"),
        (["pictures"], "review images annotate"),
        (["pictures", "fills"], "images parents fill annotate"),
    ],
)
def test_what_the_annotations_take_is_made_before_them(annotate: list[str], order: str) -> None:
    sections: Sections = {"annotate": dict.fromkeys(annotate, True)}
    names = [step.name for step in build.build_steps(sections)]
    assert " ".join(names).endswith(f"{order} train benchmark")
    assert sorted(names) == sorted({*STEPS, *order.split()})
    # The taxonomy is settled before annotations of proposals.
    accepting: Sections = {"review": {"accept_above": 0.9}}
    assert [step.name for step in build.annotate_steps(accepting)] == ["review", "annotate"]


def test_the_train_images_that_are_looked_at_are_those_that_are_annotated(tmp_path: Path) -> None:
    for train in ("clean", "all"):
        step = load_step("look", {"annotate": {"train": train}})
        assert known_settings(Workspace(tmp_path), step, *step.stages)["train"] == train


@pytest.mark.parametrize("name", [name for name in ALL_STEPS if name not in {"metadata", "review"}])
def test_a_step_in_a_folder_that_was_typed_wrong_leaves_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(HgldError):
        run_step(tmp_path / "biuld", load_step(name, {}))
    assert not (tmp_path / "biuld").exists()


def test_groups_of_classes_need_a_package_that_other_levels_do_not() -> None:
    def extra(*levels: str) -> str:
        return load_step("annotate", {"hierarchy": {"levels": ["landmark", *levels]}}).extra

    assert (extra("class", "clusters:9"), extra("class", "superclass")) == ("cluster", "")
