"""Every command of the README and the docs is typed here, or in the test that `RUN_BY` names."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.steps import STEPS, load_step
from tests.flows.test_jobs import JOBS
from tests.worlds.commands.linked import make_environment
from tests.worlds.commands.readme import README, blocks

ROOT = Path(__file__).resolve().parents[1]
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
VENV = Path(sys.executable).parent.parent

_CI = ".ci/run, which runs this test"
_BUILD = "flows/test_end_to_end.py"
_CLI = "flows/cli/test_commands.py"
_IMAGES = "hgld/images/bringing/test_command.py"
_LABELS = "flows/cli/test_labels_page.py"
_PAGE = "flows/cli/pages/test_review_page.py"
_REVIEW = "flows/cli/test_review.py"
_USE = "hgld/loading/test_docs.py"
_BROWSE = "flows/cli/pages/test_browsing.py"
_SEARCH = "flows/cli/pages/test_searching.py"
_RELEASE = "hgld/annotations/release/test_commands.py"
_LEADERBOARD = "benchmarks/retrieval/report/test_leaderboard.py"
_EXPORT = "benchmarks/retrieval/test_exporting.py"
_RIVAL = "benchmarks/retrieval/test_stage.py"
_DATA_SETS = "benchmarks/datasets/test_stage.py"
_SPEED = "benchmarks/speed/test_suite_command.py"
_FROM_ELSEWHERE = "nobody: it fetches, or unpacks, what lies on servers of others"
_ROBUSTNESS = "benchmarks/robustness/test_command.py"
_PREFECT = "test_the_flows_are_deployed_and_run_with_the_commands_of_the_readme"
RUN_BY = {
    "python -m hgld.benchmarks.robustness --out robustness.json --page robustness.html": (
        _ROBUSTNESS
    ),
    (
        "python -m hgld.benchmarks.robustness --root build --run untrained --run mine "
        "--out robustness.json --page robustness.html"
    ): _ROBUSTNESS,
    (
        "python -m hgld.benchmarks.robustness --root build "
        "--embeddings mine=train.parquet query.parquet index.parquet "
        "--out robustness.json --page robustness.html"
    ): _ROBUSTNESS,
    (
        "python -m hgld.benchmarks.training --root build --test-labels FOLDER "
        "--out training.json --page training.html"
    ): "benchmarks/training/test_measured_on.py",
    "hgld benchmark --recipe gldv2-mini-cpu --methods all --seeds 0 --seeds 1 --seeds 2": (
        "benchmarks/training/test_comparing.py"
    ),
    "hgld export": _EXPORT,
    "python -m hgld.benchmarks.speed": _SPEED,
    "python -m hgld.benchmarks.speed --only loss evaluation --page speed.html": _SPEED,
    **dict.fromkeys(
        (
            (
                "hgld benchmark --data-set sop --data Stanford_Online_Products "
                "--embeddings rival=test.parquet test.parquet"
            ),
            "hgld benchmark --runs happier --data-set sop --data Stanford_Online_Products",
        ),
        _DATA_SETS,
    ),
    **dict.fromkeys(
        (
            "wget https://s3.amazonaws.com/google-landmark/metadata/index_label_to_hierarchical.csv",
            "wget https://s3.amazonaws.com/google-landmark/metadata/index_image_to_landmark.csv",
            "wget https://s3.amazonaws.com/google-landmark/metadata/test.csv",
            "wget https://s3.amazonaws.com/google-landmark/metadata/retrieval_solution_v2.1.csv",
            "mkdir -p roxford5k/jpg",
            "wget http://www.robots.ox.ac.uk/~vgg/data/oxbuildings/oxbuild_images.tgz",
            "tar -xzf oxbuild_images.tgz -C roxford5k/jpg",
            "wget http://cmp.felk.cvut.cz/revisitop/data/datasets/roxford5k/gnd_roxford5k.pkl",
            "mv gnd_roxford5k.pkl roxford5k",
            "mkdir -p rparis6k/jpg",
            "wget http://www.robots.ox.ac.uk/~vgg/data/parisbuildings/paris_1.tgz",
            "wget http://www.robots.ox.ac.uk/~vgg/data/parisbuildings/paris_2.tgz",
            "tar -xzf paris_1.tgz -C rparis6k",
            "tar -xzf paris_2.tgz -C rparis6k",
            'find rparis6k -name "paris_*.jpg" -exec mv -n {} rparis6k/jpg \\;',
            "wget http://cmp.felk.cvut.cz/revisitop/data/datasets/rparis6k/gnd_rparis6k.pkl",
            "mv gnd_rparis6k.pkl rparis6k",
            "wget ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",
            "unzip Stanford_Online_Products.zip",
            "wget https://ml-inat-competition-datasets.s3.amazonaws.com/2018/train_val2018.tar.gz",
            "wget https://ml-inat-competition-datasets.s3.amazonaws.com/2018/train2018.json.tar.gz",
            "wget https://ml-inat-competition-datasets.s3.amazonaws.com/2018/val2018.json.tar.gz",
            "wget https://ml-inat-competition-datasets.s3.amazonaws.com/2018/categories.json.tar.gz",
            "for archive in *.tar.gz; do tar -xzf $archive; done",
            "wget https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            "tar -xzf CUB_200_2011.tgz",
        ),
        _FROM_ELSEWHERE,
    ),
    **dict.fromkeys(
        (
            "hgld benchmark --embeddings rival=query.parquet index.parquet",
            (
                "hgld benchmark --runs happier --runs csl --embeddings rival=query.parquet "
                "index.parquet"
            ),
        ),
        _RIVAL,
    ),
    (
        "python -m hgld.benchmarks.retrieval.report.leaderboard a/benchmarks/results.json "
        "b/benchmarks/results.json --out all.html"
    ): _LEADERBOARD,
    "python -m hgld.benchmarks.retrieval.report.leaderboard a/benchmarks --out all.html": (
        _LEADERBOARD
    ),
    **dict.fromkeys(
        (
            "hgld train --recipes",
            "hgld train --recipe gldv2-mini-cpu --estimate",
            "hgld train --recipe gldv2-mini-cpu --name mini",
            "hgld train --method roadmap --name roadmap-0 --seed 0",
            "hgld train --init runs/roadmap-0 --image-size 64 --name larger",
        ),
        "training/run/test_docs.py",
    ),
    "hgld train --nproc 8": "training/together/test_processes.py",
    "make demo": "test_make_demo_...",
    "make test": _CI,
    'make test ARGS="-k losses -x"': _CI,
    "make lint": _CI,
    "bash .ci/run": _CI,
    "python3 -m venv .venv": "the Makefile's own set-up",
    ".venv/bin/pip install '.[all]'": "test_the_wheel_..., with the wheel",
    "source .venv/bin/activate": _PREFECT,
    "hgld build --contact you@example.org": _BUILD,
    "hgld review": _PAGE,
    "hgld review --labels list": _PAGE,
    "hgld review --status": _REVIEW,
    'hgld review --apply sheet.csv --reviewer "Your Name" --dry-run': _REVIEW,
    "hgld review --export sheet.csv": _BUILD,
    'hgld review --apply sheet.csv --reviewer "Your Name"': _BUILD,
    "hgld build": _BUILD,
    "hgld status": _BUILD,
    "hgld parents --contact you@example.org": "hgld/scrape/parents/test_command.py",
    "hgld look": "hgld/labels/looks/test_clip.py",
    "hgld fill": _LABELS,
    "hgld fill --labelled known.csv --categories names.csv --out filled": _LABELS,
    "hgld scrape --contact you@example.org": _CLI,
    "hgld scrape --contact you@example.org --categories mine.csv": _CLI,
    **dict.fromkeys(
        (
            "hgld images --dry-run",
            "hgld images --split train --tars 10",
            "hgld images",
            "hgld images --split train --only mine.csv",
            "hgld images --split train --supercategory castle-fort --longest-side 512",
            "hgld images --split test --shards",
            "hgld images --split train --only mine.csv --from urls --contact you@example.org",
        ),
        _IMAGES,
    ),
    "hgld subset --per-class 5 --seed 1 --out few.parquet": _USE,
    (
        "hgld subset --per-class 4 --landmarks 2 --supercategory church --split index "
        "--out churches.csv"
    ): _USE,
    **dict.fromkeys(
        (
            "hgld browse",
            "hgld browse --root release --port 9000 --no-open",
            "hgld browse --static site",
            "hgld browse --static site --pictures 500 --no-downloads",
        ),
        _BROWSE,
    ),
    **dict.fromkeys(
        (
            "hgld index --split index",
            'hgld search "my picture.jpg"',
            'hgld search "my picture.jpg" --html nearest.html',
            "hgld index --images photos",
            'hgld search "my picture.jpg" --index build/runs/happier/index-photos -k 5',
            "hgld index --images photos --out photos-index --shard-images 1000 --numbers float16",
        ),
        _SEARCH,
    ),
    "hgld cluster --labels labels.csv --out list": _LABELS,
    "hgld cluster --root list --scan 2,4,6": _LABELS,
    "hgld cluster --root list --recluster": _LABELS,
    "hgld agree --official official/train_label_to_hierarchical.csv --min-accuracy 0.9": _LABELS,
    **dict.fromkeys(
        (
            "hgld annotate --previous release-1.0.0",
            "sha256sum -c SHA256SUMS",
            "hgld verify --root release-1.0.0",
            "hgld verify --root release-1.0.0 --public-key hgld.pub",
            "minisign -V -m SHA256SUMS -p hgld.pub",
            "hgld publish --to public --secret-key hgld.key",
            "hgld pull public --out labels --public-key hgld.pub",
        ),
        _RELEASE,
    ),
    **dict.fromkeys(
        (
            "prefect server start",
            "prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api",
            "prefect work-pool create hgld --type process",
            "prefect --no-prompt deploy --all",
            "prefect worker start --pool hgld",
            "prefect deployment run scrape/scrape --param root=build --watch",
        ),
        _PREFECT,
    ),
}


def fenced(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


def commands(block: str) -> list[str]:
    return [line.split("  #")[0].strip() for line in block.splitlines()]


def run(command: list[str | Path], folder: Path, more: Mapping[str, str] | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **(more or {})},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_every_command_is_run_by_a_test() -> None:
    typed = {line for page in PAGES for block in fenced(page, "bash") for line in commands(block)}
    assert typed == set(RUN_BY)


def test_every_test_that_is_named_is_there() -> None:
    for name in set(RUN_BY.values()):
        assert not name.endswith(".py") or (ROOT / "tests" / name).is_file(), name


def test_the_settings_shown_are_settings() -> None:
    (block,) = fenced(README, "toml")
    sections = tomllib.loads(block)
    assert set(sections) <= set(STEPS)
    for name in sections:
        load_step(name, sections)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"`((?:hgld|training|benchmarks|flows|tests)/[\w/]+\.py)`", text)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_it_is_short() -> None:
    assert len(README.read_text().splitlines()) < 150


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that `make demo` left its build in, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    arguments = f"ARGS=--root {folder / 'demo-build'}"
    return folder, run(["make", "demo", f"VENV={VENV}", arguments], ROOT)


@pytest.mark.slow
def test_make_demo_prints_a_gain_and_leaves_annotations_and_a_report(
    demo: tuple[Path, str],
) -> None:
    folder, printed = demo
    (row,) = [line for line in printed.splitlines() if "H-AP" in line]
    before, after = (float(cell.split("±")[0]) for cell in row.split("│")[3:5])
    assert 20 < before < after - 10
    assert list((folder / "demo-build/annotations/data").glob("train-*.parquet"))
    assert (folder / "demo-build/benchmarks/report.html").exists()


@pytest.mark.slow
def test_the_wheel_works_beside_folders_of_the_same_names(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    """In an environment of what it asks for, from a folder that has a `training/` of its own.

    The demo goes on from where the checkout's has been, without the outcome of every step that
    reads what the package ships: facts, taxonomy, templates.
    """
    run([sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    programs = make_environment(tmp_path / "venv", "hgld[all]")
    pip = programs / "pip"
    run([pip, "install", "--quiet", "--no-index", f"{wheel}[all]"], tmp_path)
    shown = run([pip, "show", "--files", "hgld"], tmp_path).partition("Files:\n")[2]
    tops = {line.strip().split("/")[0] for line in shown.splitlines()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"..", "hgld"}

    folder = tmp_path / "research"
    for name in ("training", "benchmarks", "flows"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise ImportError('{name} of another')\n")
    build = Workspace(shutil.copytree(demo[0] / "demo-build", folder / "demo-build"))
    for stage in ("metadata", "scrape", "propose", "review", "annotate", "benchmark"):
        build.manifest_path(stage).unlink()
    said = run([programs / "hgld", "demo"], folder)
    assert "H-AP" in said
    picture = next((folder / "demo-build/images/test").rglob("*.jpg"))
    shutil.copy(picture, folder / "my picture.jpg")
    (lines,) = fenced(README, "python")
    printed = run([programs / "python", "-c", lines], folder)
    assert "'h_ap': " in printed
    assert "torch.Size([1, 1280])" in printed
    said = run([programs / "hgld", "status", "--root", "demo-build"], folder)
    assert "benchmark" in said


@pytest.fixture
def checkout(demo: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of this checkout with the demo's build as its `build`, and an environment."""
    folder = tmp_path / "checkout"
    tracked = run(["git", "ls-files", "-co", "--exclude-standard"], ROOT).splitlines()
    for name in tracked:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target, follow_symlinks=False)
    shutil.copytree(demo[0] / "demo-build", folder / "build", ignore=shutil.ignore_patterns("runs"))
    (folder / ".venv").symlink_to(VENV)
    return folder


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def going_on(command: str, folder: Path, more: Mapping[str, str], log: Path) -> Iterator[None]:
    """Has a command that does not end run beside the block, and stops it."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [VENV / "bin" / command.split(maxsplit=1)[0], *command.split()[1:]],
            cwd=folder,
            env={**os.environ, **more},
            stdout=file,
            stderr=file,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def wait_for(port: int) -> None:
    """Waits until a server listens."""
    for _ in range(240):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise TimeoutError(f"nobody listens at {port}")


@pytest.mark.slow
def test_the_flows_are_deployed_and_run_with_the_commands_of_the_readme(
    checkout: Path, port: int, tmp_path: Path
) -> None:
    """A server, a worker and a run of a deployment, in a home and on a port of their own."""
    (block,) = [block for block in blocks("Build your own", "bash") if "prefect server" in block]
    server, config, pool, deploy, worker, deployed_run = commands(block)
    settings = {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }

    def typed(command: str) -> str:
        line = f"source .venv/bin/activate && {command.replace(':4200/', f':{port}/')}"
        return run(["bash", "-c", line], checkout, settings)

    workspace = Workspace(checkout / "build")
    workspace.manifest_path("scrape").unlink()
    with going_on(server, checkout, settings, tmp_path / "server.log"):
        wait_for(port)
        for command in (config, pool, deploy):
            typed(command)
        deployed = typed("prefect --no-prompt deployment ls")
        assert all(f"{job}/{job}" in deployed for job in JOBS)
        with going_on(worker, checkout, settings, tmp_path / "worker.log"):
            said = typed(deployed_run)
    assert "Completed" in said, said
    assert workspace.manifest("scrape") is not None
