from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
JOBS = ["scrape", "cluster", "review", "annotate", "train", "benchmark", "agree", "build"]


def deployments() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return list(document["deployments"])


def test_each_job_has_one_deployment_and_none_is_scheduled() -> None:
    assert [deployment["name"] for deployment in deployments()] == JOBS
    assert all(deployment["schedules"] == [] for deployment in deployments())
