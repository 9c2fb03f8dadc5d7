"""Commands that only look at a build or the machine: `hgld doctor`, `verify`, `status`."""

import json
import sys
from dataclasses import asdict, dataclass

import click

from hgld.engine.config import Settings, setting
from hgld.engine.stage import Stage
from hgld.engine.status import build_status
from hgld.engine.workspace import Workspace
from hgld.flows import build
from hgld.flows.cli.options import BuildOptions, Command, refuse_idle
from hgld.flows.cli.output import print_table
from hgld.flows.steps import Sections


@click.command("doctor", cls=Command, options=BuildOptions)
def doctor(options: BuildOptions, sections: Sections) -> None:
    """Says what this machine lacks for a build, and what to do; exit status 1 if none will work.

    Reads the settings in hgld.toml and asks each server once; writes nothing.
    """
    from hgld.flows.doctor import diagnose

    states = set()
    for check in diagnose(options.root, sections):
        states.add(check.state)
        mend = f"; {check.mend}" if check.mend else ""
        click.echo(f"{check.state:4}  {check.name}: {check.what}{mend}")
    if "fail" in states:
        sys.exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions(Settings, BuildOptions):
    """Options of `hgld verify`."""

    deep: bool = setting(False, "Also reads and decodes every picture.")
    ray: int = setting(0, "With --deep: does so in this many actors of Ray; 0: none.", least=0)


@click.command("verify", cls=Command, options=VerifyOptions)
def verify(options: VerifyOptions, sections: Sections) -> None:
    """Checks every file against its checksum; prints a line for each damage, with exit status 1.

    Reads the folder of a build, or of a release with SHA256SUMS; writes nothing.
    """
    if not options.deep:
        refuse_idle(options, "ray", "--deep")
    checked = found = 0
    workspace = Workspace(options.root)
    damages = build.verify_build(workspace, sections, deep=options.deep, actors=options.ray)
    for damage in damages:
        checked += 1
        if damage.what:
            found += 1
            click.echo(f"{options.root / damage.path} {damage.what}")
    if found:
        raise click.exceptions.Exit(1)
    click.echo(f"{checked:,} files are intact")
    if others := build.files_not_compared(workspace):
        click.echo(f"without a checksum: {', '.join(others)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions(BuildOptions):
    """Options of `hgld status`."""

    json: bool = setting(False, "Prints it as JSON.")


@click.command("status", cls=Command, options=StatusOptions)
def status(options: StatusOptions, sections: Sections) -> None:
    """Shows each stage: done, stale (and why), rows, problems.

    Reads the folder of a build; writes nothing.
    """
    workspace = Workspace(options.root)
    workspace.require()
    stages: list[tuple[Stage, dict[str, object]]] = []
    order = {step.name: step for step in build.build_steps(sections)}
    others = (build.load_step(name, sections) for name in build.ALL_STEPS if name not in order)
    for step in (*order.values(), *others):
        due = step.stages if step.name in order else ()
        unasked = (one for one in (*step.stages, *step.optional) if one not in due)
        has_run = (one for one in unasked if workspace.manifest_path(one.name).exists())
        seen = {stage.name for stage, _ in stages}
        shown = (one for one in (*due, *has_run) if one.name not in seen)
        stages += [(one, build.known_settings(workspace, step, one)) for one in shown]
    states = build_status(workspace, stages)
    if options.json:
        told = [
            asdict(state) | {"result": str(stage.result_path(workspace))}
            for (stage, _), state in zip(stages, states, strict=True)
        ]
        click.echo(json.dumps({"root": str(options.root), "stages": told}, indent=2))
        return
    cells = [(s.stage, s.state, f"{s.rows:,}", f"{s.problems:,}", s.reason) for s in states]
    print_table(("stage", "state", "rows", "problems", "why"), cells)
