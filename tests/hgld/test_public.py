"""What a user imports: every exported member, and an example of each that runs."""

import doctest
import importlib
import inspect
import subprocess
import sys

import pytest

import hgld

EXPORTED = {
    "hgld": {
        *("HgldError", "__version__", "embed_images", "load", "load_model", "losses", "metrics"),
    },
    "hgld.loading": {"load"},
    "hgld.losses": {
        *("CSLLoss", "CrossBatchMemory", "ProxyLoss", "RankingLoss", "arcface_loss"),
        *("clustering_loss", "csl_loss", "decomposability_loss", "recall_at_k_loss"),
        *("roadmap_loss", "smooth_ap_loss", "smooth_hap_loss", "smooth_ndcg_loss"),
        *("soft_bin_ap_loss", "sup_ap_loss", "sup_hap_loss", "sup_ndcg_loss", "triplet_loss"),
    },
    "hgld.metrics": {
        *("Evaluation", "EvaluationSettings", "GroundTruth", "average_precision"),
        *("average_precision_at_k", "average_precision_at_r", "average_set_intersection"),
        *("decay_relevance", "evaluate", "evaluate_revisited", "exclusive_average_precision"),
        *("hierarchical_average_precision", "item_relevance", "level_counts", "map_relevance"),
        *("mistake_severity", "ndcg", "precision_at_1", "recall_at_k", "shared_levels"),
    },
}


@pytest.mark.parametrize("module", EXPORTED)
def test_every_exported_member_is_listed_here(module: str) -> None:
    assert set(importlib.import_module(module).__all__) == EXPORTED[module]


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in EXPORTED.items() for name in sorted(names)],
)
def test_every_exported_member_has_an_example_that_runs(module: str, name: str) -> None:
    member = getattr(importlib.import_module(module), name)
    if inspect.ismodule(member) or name == "__version__":
        return
    assert member.__doc__
    home = vars(importlib.import_module(member.__module__))
    examples = doctest.DocTestFinder().find(member, name, globs=dict(home))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in examples:
        runner.run(example)
    assert runner.summarize(verbose=False).attempted > 0, f"{module}.{name} has no example"
    assert runner.summarize(verbose=False).failed == 0


def test_the_example_of_the_package_runs() -> None:
    results = doctest.testmod(hgld)
    assert results.attempted
    assert not results.failed


def test_the_package_takes_nothing_heavy_along() -> None:
    heavy = ["torch", "pyarrow", "numpy", "requests", "prefect", "typer"]
    code = f"import sys, hgld; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_mathematics_knows_no_tables_and_no_flows() -> None:
    others = ["pyarrow", "prefect", "typer", "timm", "torchvision", "hgld.engine.workspace"]
    code = f"import sys, hgld.losses, hgld.metrics; print(sorted(set({others}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_loaded_late_is_what_its_module_has() -> None:
    from hgld.training.model import embed, saved

    assert hgld.losses is importlib.import_module("hgld.losses")
    assert hgld.load_model is saved.load_model
    assert hgld.embed_images is embed.embed_images
    assert set(hgld.__all__) <= set(dir(hgld))


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sup_hap_loss'; it has HgldError, "):
        _ = hgld.sup_hap_loss


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        *((f"import hgld; hgld.{name}", name) for name in ("losses", "metrics", "embed_images")),
        ("from hgld import load_model", "load_model"),
        ("from hgld.losses import sup_hap_loss", "losses"),
        ("from hgld.metrics import evaluate", "metrics"),
    ],
)
def test_without_torch_it_says_what_to_install(statement: str, name: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; {statement}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ModuleNotFoundError: hgld.{name} needs the package torch: `")
    assert " -m pip install " in last
    assert "'torch>=" in last
