"""How many requests and how much processor time does the scrape take, against one a request?

`made_up_wikimedia` answers. The baseline is the same scrape with one title and one item a request.

    python -m hgld.benchmarks.speed.scrape --out scrape.json
"""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hgld.benchmarks.speed.made_up_wikimedia import counting_server
from hgld.benchmarks.speed.measuring import measure_in_turns, read_options, write_report
from hgld.engine.workspace import Workspace
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, PLACES


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    options = read_options(
        __doc__,
        arguments,
        categories=20_000,
        baseline_categories=1_000,
        rounds=3,
    )
    one = ScrapeConfig(keys_per_request=1)
    ways = {
        "batches": Scrape(ScrapeConfig(), options.categories),
        "one a request": Scrape(one, options.baseline_categories),
    }
    costs = measure_in_turns(ways, options.rounds)
    results = [{"method": way, **ways[way].told(cost)} for way, cost in costs.items()]
    ours, plain = results
    told = ("commons_per_1000_categories", "sparql_per_1000_items", "cpu_ms_per_category")
    ratios = {name: round(ours[name] / plain[name], 4) for name in told}
    write_report(options, ["mwclient", "SPARQLWrapper", "pyarrow"], results, ratios=ratios)


class Scrape:
    """A scrape of the made-up Wikimedia; each call is a new one."""

    def __init__(self, config: ScrapeConfig, categories: int) -> None:
        """Takes the settings, and how many categories there are."""
        self._config, self._categories = config, categories
        self._items, self._requests = 0, Counter[str]()

    def __call__(self) -> None:
        """Scrapes into a new build.

        Raises:
            RuntimeError: rows failed, so that nothing was measured.
        """
        with tempfile.TemporaryDirectory() as folder, counting_server() as (base, requests):
            path, workspace = Path(folder) / "categories.csv", Workspace(Path(folder) / "build")
            url = "https://commons.wikimedia.org/wiki/Category:Landmark_"
            rows = (f"{number},{url}{number}" for number in range(1, self._categories + 1))
            path.write_text("\n".join(["landmark_id,category", *rows]) + "\n", encoding="utf-8")
            here = replace(self._config, commons=f"{base}/w/", sparql=f"{base}/query")
            done = run_scrape(workspace, here, path)
            if done.manifest.failed:
                raise RuntimeError(f"{done.manifest.failed} rows failed; nothing was measured")
            self._requests = requests()
            self._items = sum(qid.is_valid for qid in workspace.read(CATEGORIES)["qid"])
            if set(workspace.read(PLACES)["status"].to_pylist()) - {"ok", "no_item"}:
                raise RuntimeError("rows of places failed; nothing was measured")

    def told(self, cost: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what the last scrape asked for, and what it cost."""
        commons, sparql = self._requests["commons"], self._requests["sparql"]
        return {
            "categories": self._categories,
            "items": self._items,
            "commons_requests": commons,
            "sparql_requests": sparql,
            "commons_per_1000_categories": round(1000 * commons / self._categories, 3),
            "sparql_per_1000_items": round(1000 * sparql / self._items, 3),
            "cpu_ms_per_category": round(1000 * cost["cpu_s"] / self._categories, 4),
            **cost,
        }


if __name__ == "__main__":
    main()
