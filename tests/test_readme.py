"""Every command of the README and the docs is typed here, or in the test that `RUN_BY` names."""

import re
import tomllib
from pathlib import Path

import pytest

from hgld.flows.build import STEPS, load_step
from tests.worlds.commands.readme import README, ROOT, commands_on, fenced

PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_CI = ".ci/run, which runs this test"
_BUILD = "servers/flows/test_end_to_end.py"
_CLI = "flows/cli/test_commands.py"
_IMAGES = "hgld/images/test_command.py"
_LABELS = "servers/flows/test_labels_page.py"
_PAGES = "servers/flows/test_pages.py"
_REVIEW = "flows/cli/test_review.py"
_USE = "hgld/loading/test_docs.py"
_BROWSE = "flows/cli/test_browsing.py"
_SEARCH = "flows/cli/test_searching.py"
_RELEASE = "hgld/annotations/release/test_commands.py"
_LEADERBOARD = "benchmarks/retrieval/test_leaderboard.py"
_EXPORT = "servers/benchmarks/test_models_page.py"
_RIVAL = "benchmarks/retrieval/test_stage.py"
_DATA_SETS = "benchmarks/datasets/test_stage.py"
_SPEED = "benchmarks/speed/test_scripts.py"
_FROM_ELSEWHERE = "nobody: it fetches, or unpacks, what lies on servers of others"
_ROBUSTNESS = "benchmarks/robustness/test_command.py"
_README = "servers/test_readme.py"
RUN_BY = {
    **dict.fromkeys(
        (
            "python -m hgld.benchmarks.robustness --out robustness.csv --page robustness.html",
            (
                "python -m hgld.benchmarks.robustness mine.parquet "
                "--out robustness.csv --page robustness.html"
            ),
            (
                "python -m hgld.benchmarks.robustness --labels build "
                "--embeddings mine=train.parquet query.parquet index.parquet "
                "--out robustness.csv --page robustness.html"
            ),
            (
                "python -m hgld.benchmarks.robustness.embedding "
                "--labels build --images build/images --out mine.parquet"
            ),
            (
                "python -m hgld.benchmarks.robustness.embedding "
                "--labels gldv2_mini/metadata --images pictures --out untrained.parquet"
            ),
            (
                "python -m hgld.benchmarks.robustness untrained.parquet --packaged "
                "--out robustness.csv --page robustness.html"
            ),
        ),
        _ROBUSTNESS,
    ),
    "python -m hgld.benchmarks.retrieval.changes --root build": (
        "benchmarks/retrieval/test_changes.py"
    ),
    "hgld benchmark --data-set toy.py --data flowers --embeddings mine.parquet mine.parquet": (
        "benchmarks/retrieval/test_adding.py"
    ),
    "hgld benchmark --recipe gldv2-mini-cpu --methods all --seeds 0 --seeds 1 --seeds 2": (
        "benchmarks/retrieval/test_comparing.py"
    ),
    "hgld export": _EXPORT,
    **dict.fromkeys(
        (
            "python -m hgld.benchmarks.speed.loss --out loss.json",
            "python -m hgld.benchmarks.speed.evaluation --out evaluation.json",
            "python -m hgld.benchmarks.speed.scrape --out scrape.json",
            "python -m hgld.benchmarks.speed.embed --threads 1 --out embed.json",
        ),
        _SPEED,
    ),
    "python -m hgld.benchmarks.speed.review_action --out review_action.json": (
        "servers/pages/benchmarks/test_timing_keys.py"
    ),
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
    "python -m hgld.benchmarks.retrieval.leaderboard a/benchmarks b/benchmarks --out all.html": (
        _LEADERBOARD
    ),
    **dict.fromkeys(
        (
            "hgld train --recipes",
            "hgld train --recipe gldv2-mini-cpu --name mini",
            "hgld train --method roadmap --name roadmap-0 --seed 0",
            "hgld train --init runs/roadmap-0 --image-size 64 --name larger",
        ),
        "servers/training/test_docs.py",
    ),
    "torchrun --nproc-per-node 8 -m hgld.training --root build --set epochs=20": (
        "servers/training/test_processes.py"
    ),
    "make demo": _README,
    "make test": _CI,
    "make test-servers": _CI,
    "make soak": "test_soak.py",
    'make test ARGS="-k losses -x"': _CI,
    "make lint": _CI,
    "bash .ci/run": _CI,
    "python3 -m venv .venv": "the Makefile's own set-up",
    ".venv/bin/pip install '.[all]'": _README,
    "source .venv/bin/activate": _README,
    "hgld build --contact you@example.org": _BUILD,
    "hgld browse": _PAGES,
    "hgld browse --root release --port 9000 --no-open": _PAGES,
    "hgld review": _PAGES,
    "hgld review --labels list": _PAGES,
    "hgld review --status": _REVIEW,
    'hgld review --apply sheet.csv --reviewer "Your Name" --dry-run': _REVIEW,
    "hgld review --export sheet.csv": _BUILD,
    "hgld review --export taxonomy.ttl": _REVIEW,
    'hgld review --apply sheet.csv --reviewer "Your Name"': _BUILD,
    "hgld build": _BUILD,
    "hgld status": _BUILD,
    "hgld parents --contact you@example.org": "hgld/scrape/test_parents.py",
    "hgld look": "hgld/labels/looks/test_stage.py",
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
            "hgld index --images photos --out photos-index --numbers float16",
        ),
        _SEARCH,
    ),
    "hgld cluster --labels labels.csv --out list": _LABELS,
    "hgld cluster --labels labels.csv --out list --recluster": _LABELS,
    "hgld agree --official official/train_label_to_hierarchical.csv --min-accuracy 0.9": _LABELS,
    **dict.fromkeys(
        (
            "hgld annotate",
            "hgld annotate --previous release-1.0.0",
            "sha256sum -c SHA256SUMS",
            "hgld verify --root release-1.0.0",
            "hgld publish --to public",
            "hgld pull public --out labels",
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
        _README,
    ),
}


def test_every_command_is_run_by_a_test() -> None:
    assert {line for page in PAGES for line in commands_on(page)} == set(RUN_BY)


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


FILES = {
    f"/{path.relative_to(ROOT).as_posix()}"
    for top in ("hgld", "training", "benchmarks", "flows", "tests")
    for path in (ROOT / top).rglob("*.py")
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    names = re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
    # A page may leave out the folders that its table or heading has named.
    assert [name for name in names if not any(one.endswith(f"/{name}") for one in FILES)] == []


def test_it_is_short() -> None:
    assert len(README.read_text().splitlines()) < 130
