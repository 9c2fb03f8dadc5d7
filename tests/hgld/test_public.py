"""What a user imports: every exported member, and an example of each that runs."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

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
def test_every_exported_member_has_an_example(module: str, name: str) -> None:
    member = getattr(importlib.import_module(module), name)
    if inspect.ismodule(member) or name == "__version__":
        return
    # That examples run is seen in `tests/test_docstrings.py`.
    assert any(found.examples for found in doctest.DocTestFinder().find(member, name))


def test_the_package_takes_nothing_heavy_along() -> None:
    heavy = ["torch", "pyarrow", "numpy", "requests", "prefect", "typer"]
    code = f"import sys, hgld; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("room", ["losses", "metrics"])
def test_the_mathematics_imports_only_torch_and_numpy(room: str) -> None:
    names = set()
    for path in (Path(hgld.__file__).parent / room).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).partition(".")[0])
    assert names - set(sys.stdlib_module_names) <= {"hgld", "numpy", "torch"}


def test_what_is_loaded_late_is_what_its_module_has() -> None:
    from hgld.training.model import embed, saved

    assert hgld.losses is importlib.import_module("hgld.losses")
    assert hgld.load_model is saved.load_model
    assert hgld.embed_images is embed.embed_images
    assert set(hgld.__all__) <= set(dir(hgld))


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(AttributeError, match="sup_hap_loss"):
        _ = hgld.sup_hap_loss


def test_without_torch_it_says_what_to_install() -> None:
    statements = [
        *(f"hgld.{name}" for name in ("losses", "metrics", "embed_images")),
        "from hgld import load_model",
        "from hgld.losses import sup_hap_loss",
        "from hgld.metrics import evaluate",
    ]
    code = f"""
import sys, hgld
sys.modules["torch"] = None
for statement in {statements}:
    try:
        exec(statement)
    except ModuleNotFoundError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == len(statements)
    for line in said:
        assert "'torch>=" in line
        assert " -m pip install " in line
