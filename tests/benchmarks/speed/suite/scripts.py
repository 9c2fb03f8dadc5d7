"""Scripts of questions that end in every way there is: run as a module with `--out F --case C`."""

import argparse
import json
import sys
from pathlib import Path

REPORT = {
    "results": [
        {"method": "ours", "median_s": 0.5, "spread_s": 0.125, "peak_mb": 100.0},
        {"method": "plain", "median_s": 2.0, "spread_s": 0.25, "peak_mb": 300.0},
    ],
    "bars": {"ours: median_s": {"got": 0.5, "at_most": 1.0}},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case")
    options = parser.parse_args()
    match options.case:
        case "measures":
            options.out.write_text(json.dumps(REPORT))
        case "misses":
            bars = {"ours: median_s": {"got": 0.5, "at_most": 0.25}}
            options.out.write_text(json.dumps({**REPORT, "bars": bars}))
            sys.exit("over the bar: ours: median_s")
        case "other":
            options.out.write_text(json.dumps({"results": []}))
        case "fails":
            sys.exit("the package chromium is not there; install it")


if __name__ == "__main__":
    main()
