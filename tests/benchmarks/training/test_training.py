import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from torch import Tensor

from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.training import __main__ as command
from hgld.benchmarks.training import trials
from hgld.benchmarks.training.page import render_training_page, strips_of
from hgld.benchmarks.training.plan import (
    UNTRAINED,
    Trial,
    TrialPart,
    planned_changes,
    planned_methods,
)
from hgld.benchmarks.training.summary import Spread, sum_up_runs
from hgld.benchmarks.training.trials import TrialRecord, run_trial
from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import AnyImage
from hgld.training.data.labels import query_and_index_images
from hgld.training.methods import Happier
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model
from tests.benchmarks.retrieval.test_stage import evaluation_of
from tests.training.conftest import tiny_build
from tests.worlds.training_runs import STEPS, TINY

__all__ = ["tiny_build"]  # fixtures

RECIPE = {"recipe": "gldv2-mini-cpu"}


class ThisProcess:
    """Trains here: a process of its own would take seconds to start."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> "ThisProcess":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, call: Callable[..., str], *arguments: object) -> "Future[str]":
        done: Future[str] = Future()
        done.set_result(call(*arguments))
        return done


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "ProcessPoolExecutor", ThisProcess)


def trial_of(group: str, *, part: TrialPart = "method", config: TrainConfig = TINY) -> Trial:
    seed = config.seed
    config = dataclasses.replace(config, name=f"{group}-{seed}")
    return Trial(
        part=part,
        group=group,
        title=f"{group} & co",
        about="",
        seed=seed,
        config=config,
    )


def record_of(group: str, seed: int, h_ap: float) -> TrialRecord:
    is_trained = group != UNTRAINED
    return TrialRecord(
        part="method",
        group=group,
        title=group,
        about="",
        seed=seed,
        run=f"{group}-{seed}" if is_trained else "",
        settings={},
        measures={"h_ap": h_ap, "map_landmark": h_ap},
        before={},
        at_crop_size={"h_ap": h_ap - 0.25},
        queries=3,
        index_images=8,
        train_s=60.0 if is_trained else None,
        peak_memory_mb=1000.0 * seed if is_trained else None,
        losses=[[5, 0.5], [10, 0.25]] if is_trained else [],
        environment={"git_commit": "a" * 40, "date": "2026-01-01T00:00:00", "cpu": "c", "gpu": ""},
    )


def test_methods_share_all_settings_of_the_recipe_but_the_seed() -> None:
    found = list(planned_methods(RECIPE, [UNTRAINED, "happier", "nsm"], [3, 4]))
    assert [(one.group, one.seed) for one in found] == [
        *((UNTRAINED, 3), ("happier", 3), ("nsm", 3)),
        *(("happier", 4), ("nsm", 4)),
    ]
    plain = [dataclasses.replace(one.config, method=Happier(), seed=0, name="x") for one in found]
    assert all(one == plain[0] for one in plain)
    assert [one.config.seed for one in found] == [one.seed for one in found]
    assert len({one.config.name for one in found}) == len(found)


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="happiest"):
        list(planned_methods(RECIPE, ["happiest"], [0]))


def test_each_change_is_measured_on_landmarks_held_out_and_is_one() -> None:
    found = list(planned_changes("gldv2-mini-cpu", [0, 1]))
    first = [one.config for one in found if one.seed == 0]
    assert found[0].group == "plain"
    assert [one.group for one in found] == 2 * [one.group for one in found if one.seed == 0]
    assert all(
        one.config.validation_share and one.config.validation_seed == one.seed for one in found
    )
    unnamed = [dataclasses.replace(one, name="x", recipe="") for one in first[:-1]]
    assert all(one not in unnamed[:number] for number, one in enumerate(unnamed))


def test_a_run_is_measured_as_the_benchmark_does_and_made_once(tiny_build: Workspace) -> None:
    trial = trial_of("happier")
    record = run_trial(tiny_build, trial)
    model = load_model(tiny_build.path("runs/happier-0"))
    found = evaluation_of(model, query_and_index_images(tiny_build)).means()
    assert record.measures["h_ap"] == pytest.approx(found["h_ap"], abs=1e-6)
    assert record.measures["map_landmark"] == pytest.approx(found["ap_landmark"], abs=1e-6)
    assert (record.queries, record.index_images) == (3, 8)
    assert record.peak_memory_mb is None or record.peak_memory_mb > 100
    assert record.losses[-1][0] == STEPS

    path = tiny_build.path("benchmarks/training/happier-0.json")
    written = path.read_bytes()
    renamed = dataclasses.replace(trial, title="another title")
    assert run_trial(tiny_build, renamed) == dataclasses.replace(record, title="another title")
    assert path.read_bytes() == written

    path.write_bytes(written[:100])  # cut short: measured again, from the same model
    again = run_trial(tiny_build, trial)
    assert again.measures == record.measures


def test_a_model_is_also_measured_at_the_size_of_its_crops(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, Sequence[float] | None]] = []

    def watched(
        model: EmbeddingModel,
        images: Sequence[AnyImage],
        *,
        image_size: int,
        scales: Sequence[float] | None,
    ) -> Tensor:
        seen.append((image_size, scales))
        return embed_images(model, images, image_size=image_size, scales=scales)

    monkeypatch.setattr(trials, "embed_images", watched)
    config = dataclasses.replace(TINY, crop_size=24, scales=(1.0, 1.5))
    record = run_trial(tiny_build, trial_of(UNTRAINED, config=config))
    assert seen == [(32, None), (32, None), (24, (1.0,)), (24, (1.0,))]
    assert record.measures.keys() == record.at_crop_size.keys()
    assert record.train_s is None


def test_a_change_is_measured_on_what_it_held_out_once_it_is_over(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = dataclasses.replace(TINY, validation_share=0.5, validate_every_steps=1000)
    trial = trial_of("plain", part="change", config=dataclasses.replace(held_out, batch_size=4))
    record = run_trial(tiny_build, trial)
    lines = tiny_build.path("runs/plain-0/metrics.jsonl").read_text().splitlines()
    looks = [one for one in map(json.loads, lines) if "validation" in one]
    assert len(looks) == 2
    assert record.before["h_ap"] == looks[0]["validation"]["h_ap"]
    assert record.measures["h_ap"] == looks[1]["validation"]["h_ap"]
    assert record.queries == looks[1]["validation"]["queries"]

    # The mean is taken away after the last line of the log, so the log has not seen it.
    measured: list[EmbeddingModel] = []

    def watched(model: EmbeddingModel, images: Sequence[AnyImage]) -> Tensor:
        measured.append(model)
        return embed_images(model, images)

    monkeypatch.setattr(trials, "embed_images", watched)
    config = dataclasses.replace(held_out, batch_size=4, centring=True)
    centred = run_trial(tiny_build, trial_of("centred", part="change", config=config))
    assert centred.losses == record.losses
    (model,) = measured
    assert model.centre is not None
    assert model.centre.norm() > 0.1


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command makes: runs small enough for a test."""

    def methods(*_: object) -> Iterator[Trial]:
        yield from (trial_of(UNTRAINED), trial_of("happier"))

    monkeypatch.setattr(command, "planned_changes", lambda *_: iter(()))
    monkeypatch.setattr(command, "planned_methods", methods)


@pytest.mark.usefixtures("planned")
def test_what_was_made_before_an_error_is_written_and_the_command_goes_on(
    tiny_build: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, page = tmp_path / "training.json", tmp_path / "training.html"
    arguments = ["--root", str(tiny_build.root), "--out", str(out), "--page", str(page)]

    def refuse(_: Workspace, config: TrainConfig) -> StageReport:
        raise InputError(f"no {config.name} today; come back")

    with monkeypatch.context() as patched:
        patched.setattr(trials, "run_train", refuse)
        assert command.main(arguments) == 1
    assert "happier-0" in capsys.readouterr().err
    report = json.loads(out.read_text())
    assert (report["metadata"]["runs"], report["metadata"]["planned"]) == (1, 2)
    first = report["runs"][0]

    assert command.main(arguments) == 0
    report = json.loads(out.read_text())
    assert report["runs"][0] == first
    assert [one["group"] for one in report["methods"]] == [UNTRAINED, "happier"]
    (gain,) = [one["gains"]["h_ap"]["mean"] for one in report["methods"][1:]]
    values = [one["measures"]["h_ap"] for one in report["runs"]]
    assert gain == pytest.approx(values[1] - values[0])
    html = page.read_text()
    assert "happier &amp; co" in html


def test_gains_are_taken_seed_by_seed() -> None:
    records = [
        *(record_of("plain", 0, 0.50), record_of("other", 0, 0.53)),
        *(record_of("plain", 1, 0.60), record_of("other", 1, 0.65)),
    ]
    plain, other = sum_up_runs(records, "plain")
    assert plain.gains["h_ap"].mean == 0
    assert other.measures["h_ap"].mean == pytest.approx(0.59)
    assert other.gains["h_ap"].mean == pytest.approx(0.04)
    assert other.gains["h_ap"].deviation == pytest.approx(0.02 / math.sqrt(2))
    assert other.loss == Spread(mean=0.25, deviation=0.0, seeds=2)
    assert other.peak_memory_mb == 1000.0


def test_one_run_of_the_reference_stands_for_all_seeds() -> None:
    records = [record_of(UNTRAINED, 0, 0.5), record_of("a", 0, 0.6), record_of("a", 1, 0.7)]
    untrained, trained = sum_up_runs(records, UNTRAINED)
    assert trained.gains["h_ap"].mean == pytest.approx(0.15)
    assert math.isnan(untrained.train_s.mean)


def test_the_page_has_the_best_first_on_its_line_and_every_run() -> None:
    records = [record_of(UNTRAINED, 0, 0.5), record_of("a", 0, 0.6), record_of("<b>", 0, 0.7)]
    summaries = sum_up_runs(records, UNTRAINED)
    strips = strips_of(summaries, records)
    assert [(one.title, one.mean) for one in strips] == [
        *(("<b>", 95.0), ("a", 50.0), (UNTRAINED, 5.0)),
    ]
    metadata: dict[str, Json] = {
        "runs": 3,
        "planned": 3,
        "recipe": "r",
        "note": "",
        "test_labels": "",
    }
    metadata |= {"cpu": "c", "cpu_cores": 2, "gpu": None, "date": "2026-01-01T00:00:00"}
    html = render_training_page(metadata, [], summaries, records)
    assert "&lt;b&gt;-0" in html
    assert html.count('class="best"') == 1
    assert "+20.0" in html
    assert '<th scope="col" class="number">H-AP at crop size</th>' in html
    assert '<td class="number">45.0</td>' in html
