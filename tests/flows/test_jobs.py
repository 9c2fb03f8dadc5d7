"""The Prefect flows, as far as they can be tested without a server."""

from pathlib import Path
from typing import Any

import yaml

from tests.worlds.benchmark_builds import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
JOBS = ["scrape", "cluster", "review", "annotate", "train", "benchmark", "agree", "build"]


def deployments() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return list(document["deployments"])


def test_each_job_has_one_deployment_and_none_is_scheduled() -> None:
    assert [deployment["name"] for deployment in deployments()] == JOBS
    assert all(deployment["schedules"] == [] for deployment in deployments())


def test_text_of_others_is_shown_on_a_page_as_it_is() -> None:
    from hgld.flows.artifacts import escape

    assert escape("a|b\nc") == r"a\|b c"
    assert escape("[x](http://y) ![z](y) <b> *a* _b_ `c` \\") == (
        r"\[x\](http\://y) \!\[z\](y) \<b\> \*a\* \_b\_ \`c\` " + "\\\\"
    )
    assert escape("WWW.a.org me@b.org &lt; # 1.5 %") == r"WWW\.a.org me\@b.org \&lt; \# 1.5 %"
    assert "\u202e" not in escape(HOSTILE)
    assert "<" not in escape(HOSTILE).replace(r"\<", "")
