"""A build: the order of its steps, how they run, and how they are verified."""

import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hgld.engine.config import check_keys, read_toml, row_settings, setting_fields
from hgld.engine.files import write_text
from hgld.engine.stage import Share, Stage, StageReport
from hgld.engine.store import has_scheme
from hgld.engine.verify import RELEASE_SUMS, verify_begun, verify_stages, verify_sums
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import InputError, did_you_mean, needing
from hgld.flows import steps
from hgld.flows.steps import BuildStep, Sections

_MADE = {
    "metadata": steps.metadata_step,
    "scrape": steps.scrape_step,
    "embed": steps.embed_step,
    "cluster": steps.cluster_step,
    "propose": steps.propose_step,
    "review": steps.review_step,
    "annotate": steps.annotate_step,
    "images": steps.images_step,
    "parents": steps.parents_step,
    "look": steps.look_step,
    "fill": steps.fill_step,
    "train": steps.train_step,
    "benchmark": steps.benchmark_step,
    "agree": steps.agree_step,
    "export": steps.export_step,
}
"""Name of each step to its function: the steps of a build in order, then those that run on request.
"""
_STEP_OF = {"http": "scrape", "release": "annotate", "hierarchy": "annotate"}
"""Section to the step that reads it, if the section is not named after a step."""

# Files of the user, and logs that no stage reads.
_OF_RUNS = ("metrics.jsonl", "made_with.json", "run.html")
_NOT_COMPARED = ("hgld.toml", "review/sheet.csv", *(f"runs/*/{name}" for name in _OF_RUNS))

ALL_STEPS = tuple(_MADE)
ALL_SECTIONS = (*(name for name in ALL_STEPS if name not in {"propose", "parents"}), *_STEP_OF)
"""The name of every section of the settings file; [embed] has the taxonomy of the proposals, and
[scrape] what the parents need."""
STEPS = tuple(name for name in _MADE if name not in {"parents", "look", "fill", "agree", "export"})
"""The steps of a build in order, with default settings."""


def load_step(name: str, sections: Sections) -> BuildStep:
    """Returns a step by its name, one of `ALL_STEPS`.

    Raises:
        InputError: a setting is unknown or wrong.
    """
    return _MADE[name](sections)


def help_of(name: str) -> str:
    """Returns what a step does, reads and writes."""
    return inspect.cleandoc(_MADE[name].__doc__ or "")


def settings_class(section: str) -> type:
    """Returns the settings class of a section of the settings file."""
    return type(settings_of(section, {}))


def settings_of(section: str, sections: Sections) -> object:
    """Returns the settings of a section of the settings file, an instance of its class.

    Raises:
        InputError: a setting is unknown or wrong.
    """
    step = load_step(_STEP_OF.get(section, section), sections)
    return step.stage_settings.get(section, step.settings)


def read_sections(root: Path, config: Path | None) -> Sections:
    """Reads the settings file of a build.

    Args:
        root: the workspace.
        config: the file; None uses `hgld.toml` in the workspace, if it exists.

    Raises:
        InputError: the file cannot be read, or has an unknown section or key.
    """
    path = config or root / "hgld.toml"
    if config is None and not path.exists():
        return {}
    sections = read_toml(path)
    for name in sections:
        if name not in ALL_SECTIONS:
            hint = f"{', '.join(ALL_SECTIONS)}{did_you_mean(name, ALL_SECTIONS)}"
            raise InputError(f"{path}: unknown section [{name}]; known: {hint}")
        try:
            check_keys(settings_class(name), sections[name])
        except ValueError as error:
            raise InputError(f"{path} [{name}]: {error}") from error
    resolve_paths(sections, path.parent)
    return sections


def resolve_paths(sections: Sections, folder: Path) -> None:
    """Takes the paths in a settings file as relative to its folder.

    So a build works from wherever it is run, and where it is moved or copied to.
    """

    def resolved(value: object) -> object:
        if isinstance(value, list):
            return [resolved(one) for one in value]
        if not isinstance(value, str) or not value.strip() or has_scheme(value):
            return value
        return str(folder / value)

    for name, section in sections.items():
        for field in setting_fields(settings_class(name)):
            is_path = field.value_type in {Path, tuple[Path, ...]} or field.name == "base_url"
            if is_path and field.name in section:
                section[field.name] = resolved(section[field.name])


def keep_setting(path: Path, section: str, name: str, value: object) -> bool:
    """Writes a setting to a settings file, without changing anything else in it.

    Args:
        path: the file, created if missing.
        section: the section of the setting.
        name: the name of the setting.
        value: true, false, a number, a text or a list of texts.

    Returns:
        Whether the file changed.

    Raises:
        InputError: the file cannot be read.
    """
    import tomlkit

    before = read_toml(path).get(section, {}) if path.exists() else {}
    if before.get(name) == value:
        return False
    document = tomlkit.parse(path.read_bytes().decode("utf-8-sig") if path.exists() else "")
    document.setdefault(section, {})[name] = value
    write_text(path, tomlkit.dumps(document))
    return True


def build_steps(sections: Sections) -> list[BuildStep]:
    """Returns the steps of a build in order.

    If the annotations leave out bad pictures, `images` runs before them; if they use fills, so do
    `parents` and `fill`.

    Raises:
        InputError: a setting of a step is unknown or wrong.
    """
    needs = steps.annotate_step(sections).needs
    before = STEPS[: STEPS.index("annotate")]
    after = (name for name in STEPS if name not in {*before, *needs})
    return [load_step(name, sections) for name in (*before, *needs, *after)]


def annotate_steps(sections: Sections) -> list[BuildStep]:
    """Returns the steps that write the annotations.

    If the settings accept proposals, `review` runs first; otherwise the taxonomy of the last review
    is used.

    Raises:
        InputError: a setting is unknown or wrong.
    """
    review = steps.review_step(sections)
    return [*([review] if review.settings.accepts else []), steps.annotate_step(sections)]


def run_step(
    root: Path, step: BuildStep, *, force: bool = False, share: Share | None = None
) -> list[StageReport]:
    """Runs one step while holding the lock of the workspace.

    Args:
        root: the workspace, created if missing.
        step: the step.
        force: whether to rerun stages that are up to date.
        share: what the step makes, if that is only a share.

    Returns:
        A report for each stage of the step.

    Raises:
        InputError: the step needs an extra that is missing.
    """
    workspace = Workspace(root, remakes=force)
    with needing(step.extra, workspace.command(step.name)), workspace.lock(str(share or "")):
        return step.run(workspace)


def verify_build(
    workspace: Workspace, sections: Sections, *, deep: bool, actors: int = 0
) -> Iterator[Damage]:
    """Checks all files of a build or of a release.

    Args:
        workspace: the folder of either.
        sections: the settings.
        deep: whether to read and decode pictures.
        actors: of Ray, that do so; 0: this process does.

    Yields:
        Each checked file, with its damage and the remedy, or an empty text.

    Raises:
        InputError: the folder has neither, a later version of this program wrote it, or what a step
            keeps cannot be checked without an extra.
    """
    if workspace.path(RELEASE_SUMS).is_file() and not workspace.path("stages").exists():
        yield from verify_sums(workspace.root)
        return
    from hgld.flows.fetched_pictures import fetched_damages

    workspace.require()
    yield from verify_stages(workspace)
    for name in ALL_STEPS:
        step = load_step(name, sections)
        for stage in (*step.stages, *step.optional):
            yield from verify_begun(workspace, stage)
        try:
            with needing(step.extra, workspace.command("verify")):
                yield from step.verify(workspace, deep, actors)
        except OSError as error:  # continue with the other steps
            if error.filename is None:
                raise
            unreadable = os.path.relpath(error.filename, workspace.root)
            yield Damage(unreadable, f"cannot be read ({error.strerror}); fix that, or remove it")
    again = f"{workspace.command('build --categories LIST')} {steps.ASKS}"
    for path, what in fetched_damages(workspace):
        yield Damage(path, f"{what}; {again}")


def files_not_compared(workspace: Workspace) -> list[str]:
    """Returns the files of a build that have no checksum, relative to its folder."""
    found = (path for pattern in _NOT_COMPARED for path in workspace.root.glob(pattern))
    return sorted(path.relative_to(workspace.root).as_posix() for path in found)


def known_settings(workspace: Workspace, step: BuildStep, stage: Stage) -> dict[str, object]:
    """Returns the settings that a stage would run with now, to compare with its last run.

    Args:
        workspace: the build. Manifests record files named by settings as digests, so for those the
            result only shows whether there is one.
        step: the step.
        stage: one of its stages.

    Returns:
        Setting to value.
    """
    settings = step.stage_settings.get(stage.name, step.settings)
    is_listed = isinstance(settings, Mapping)
    known = dict(settings) if is_listed else row_settings(settings)
    done = workspace.manifest(stage.name)
    if done and not (is_listed and (stage in step.optional or not known)):
        files = step.settings if is_listed else settings
        for one in setting_fields(type(files)):
            if one.value_type is Path and not one.changes_rows:
                value = getattr(files, one.name)
                if (value is None) != (one.name not in done.settings):
                    known[one.name] = value and str(value)
    find = step.found_settings.get(stage.name)
    return known | find(workspace) if find else known
