"""The Prefect flows, as far as they can be tested without a server."""

from pathlib import Path

import yaml

from hgld.flows.build import ALL_STEPS
from tests.worlds.benchmark_builds import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
JOBS = [one["name"] for one in DEPLOYMENTS]


def test_every_step_of_a_build_has_a_deployment_and_none_runs_by_itself() -> None:
    assert {*ALL_STEPS, "build", "refresh"} == set(JOBS)
    schedules = [one for deployment in DEPLOYMENTS for one in deployment["schedules"]]
    assert [one["active"] for one in schedules] == [False]


def test_text_of_others_is_shown_on_a_page_as_it_is() -> None:
    from hgld.flows.artifacts import escape

    assert escape("a|b\nc") == r"a\|b c"
    assert escape("[x](http://y) ![z](y) <b> *a* _b_ `c` \\") == (
        r"\[x\](http\://y) \!\[z\](y) \<b\> \*a\* \_b\_ \`c\` " + "\\\\"
    )
    assert escape("WWW.a.org me@b.org &lt; # 1.5 %") == r"WWW\.a.org me\@b.org \&lt; \# 1.5 %"
    assert "\u202e" not in escape(HOSTILE)
    assert "<" not in escape(HOSTILE).replace(r"\<", "")
