"""The steps of a build in their order, and what is done with one of them or all."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hgld.engine.config import read_toml, row_settings, setting_fields
from hgld.engine.stage import Stage, StageReport
from hgld.engine.verify import (
    RELEASE_SUMS,
    SIGNATURE,
    verify_begun,
    verify_stages,
    verify_sums,
)
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import InputError, how_to_install
from hgld.flows.loaders import LOADERS, READS, STEP_OF, BuildStep, Section

Sections = dict[str, Section]


def read_sections(root: Path, config: Path | None) -> Sections:
    """Reads the settings file of a build.

    Args:
        root: the workspace.
        config: the file; None takes `hgld.toml` in the workspace, if it is there.

    Returns:
        Step name to its settings; and those of `STEP_OF`.

    Raises:
        InputError: the file cannot be read, or has a section that nothing reads.
    """
    path = config or root / "hgld.toml"
    if config is None and not path.exists():
        return {}
    sections = read_toml(path)
    known = (*LOADERS, *STEP_OF)
    for name in sections:
        if name not in known:
            raise InputError(f"{path}: unknown section [{name}]; known: {', '.join(known)}")
    return sections


def build_order(sections: Mapping[str, Section]) -> tuple[str, ...]:
    """Returns the steps of a build in order, as its settings make it.

    Where the annotations leave out bad pictures, these are fetched before them; where they take
    fills, so is what these are made of.

    Raises:
        InputError: a setting of the annotations is unknown or wrong.
    """
    needs = load_step("annotate", sections).needs
    before = STEPS[: STEPS.index("annotate")]
    after = (name for name in STEPS if name not in {*before, *needs})
    return (*before, *needs, *after)


def annotate_order(sections: Mapping[str, Section]) -> tuple[str, ...]:
    """Returns the steps that write the annotations.

    Where the settings accept proposals, the taxonomy is settled with them first; else that is left
    as the last review did.

    Raises:
        InputError: a setting of the review is unknown or wrong.
    """
    accepts = getattr(load_step("review", sections).settings, "accepts", False)
    return ("review", "annotate") if accepts else ("annotate",)


def load_step(name: str, sections: Mapping[str, Section]) -> BuildStep:
    """Returns a step with its settings checked.

    Raises:
        InputError: a setting is unknown or wrong.
    """
    more = [*READS.get(name, ()), *(one for one, step in STEP_OF.items() if step == name)]
    return LOADERS[name](*(sections.get(section, {}) for section in (name, *more)))


def settings_class(section: str) -> type:
    """Returns the settings class of a section, be it that of a step or of `STEP_OF`."""
    step = load_step(STEP_OF.get(section, section), {})
    return type(step.more_settings.get(section, step.settings))


def run_step(
    root: Path, name: str, sections: Mapping[str, Section], *, force: bool = False
) -> list[StageReport]:
    """Runs one step in a workspace that nobody else is writing to.

    Args:
        root: the workspace; it is created where it is missing.
        name: one of `ALL_STEPS`.
        sections: settings by step.
        force: makes again what is done.

    Returns:
        A report for each stage of the step.

    Raises:
        InputError: a setting is unknown or wrong, or the step needs an extra that is missing.
    """
    step = load_step(name, sections)
    workspace = Workspace(root, remakes=force)
    try:
        with workspace.lock():
            return step.run(workspace)
    except ModuleNotFoundError as error:
        if not step.extra:
            raise
        raise InputError(
            f"{workspace.command(name)} needs the package {error.name!r}: "
            f"{how_to_install(step.extra)}"
        ) from error


def verify_build(
    workspace: Workspace, sections: Mapping[str, Section], *, deep: bool
) -> Iterator[Damage]:
    """Checks everything that a build keeps, or a release.

    Args:
        workspace: the folder of either.
        sections: settings by step.
        deep: whether pictures are read and decoded.

    Yields:
        Each file that was checked, with what is wrong with it and what mends that, or an empty
        text.

    Raises:
        InputError: the folder holds neither, or a later version of this program wrote it.
    """
    if workspace.path(RELEASE_SUMS).is_file() and not workspace.path("stages").exists():
        yield from verify_sums(workspace.root)
        return
    workspace.require()
    yield from verify_stages(workspace)
    for name in ALL_STEPS:
        step = load_step(name, sections)
        for stage in (*step.stages, *step.optional):
            yield from verify_begun(workspace, stage)
        try:
            yield from step.verify(workspace, deep)
        except OSError as error:  # the other steps are still to be checked
            if error.filename is None:
                raise
            unreadable = os.path.relpath(error.filename, workspace.root)
            yield Damage(unreadable, f"cannot be read ({error.strerror}); mend that, or remove it")


def files_not_compared(workspace: Workspace) -> list[str]:
    """Returns the files of a build of which nothing says what they were, relative to it."""
    found = (path for pattern in _NOT_COMPARED for path in workspace.root.glob(pattern))
    return sorted(path.relative_to(workspace.root).as_posix() for path in found)


def is_signed(workspace: Workspace) -> bool:
    """Says whether a release, or that of a build, comes with a signature."""
    from hgld.annotations.release.released import RELEASE_FOLDER

    return any(
        workspace.path(name).is_file() for name in (SIGNATURE, f"{RELEASE_FOLDER}/{SIGNATURE}")
    )


def verify_signed(workspace: Workspace, public_key: str) -> Iterator[Damage]:
    """Checks the signature of a release, or of the one in a build with the files that it lists.

    Args:
        workspace: the folder of either.
        public_key: the publisher's, as it is typed, or the name of a file with it.

    Yields:
        Each file that `verify_build` does not compare with what was signed.

    Raises:
        InputError: the key, or the folder, is none.
        DamagedError: it is not signed with that key.
    """
    from hgld.annotations.release.released import RELEASE_FOLDER
    from hgld.annotations.release.signing import verify_signature

    is_release = workspace.path(RELEASE_SUMS).is_file()
    folder = Path() if is_release else Path(RELEASE_FOLDER)
    verify_signature(workspace.root / folder, public_key)
    yield Damage((folder / SIGNATURE).as_posix(), "")
    for damage in () if is_release else verify_sums(workspace.root / folder):
        yield Damage((folder / damage.path).as_posix(), damage.what)


def known_settings(workspace: Workspace, step: BuildStep, stage: Stage) -> dict[str, object]:
    """Returns the settings with which a stage would run now, for a comparison with its last run.

    Args:
        workspace: the build. In what the last run wrote down, a file that a setting names stands
            as a digest, so that only whether there is one can be compared.
        step: the step.
        stage: one of its stages.

    Returns:
        Setting to value.
    """
    settings = step.more_settings.get(stage.name, step.settings)
    known = dict(step.stage_settings.get(stage.name, row_settings(settings)))
    if find := step.found_settings.get(stage.name):
        known |= find(workspace)
    done = workspace.manifest(stage.name)
    for one in setting_fields(type(settings)):
        if done and one.value_type is Path and not one.changes_rows:
            value = getattr(settings, one.name)
            if (value is None) != (one.name not in done.settings):
                known[one.name] = value and str(value)
    return known


# One's own, and logs of which nothing is made.
_NOT_COMPARED = (
    *("hgld.toml", "review/sheet.csv", "review/.known_classes.txt"),
    *("runs/*/metrics.jsonl", "runs/*/run.html"),
)

ALL_STEPS = tuple(LOADERS)
"""Every step there is."""
_OPTIONAL = ("parents", "look", "fill", "agree", "export")
STEPS = tuple(name for name in ALL_STEPS if name not in _OPTIONAL)
"""The steps of a build in order, where no settings make it another."""
