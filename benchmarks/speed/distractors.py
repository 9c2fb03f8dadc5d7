"""What do distractors cost beside their product with the queries and one sort of the similarities?

`evaluate` streams float16 distractors past queries and an index, and past one block of them only;
what it takes more is compared with the plain product of the same, with as many similarities a query
sorted at a time. Of many queries a group is as large as fits the memory (`--queries` of GLDv2), and
all groups cost alike, so that a part tells of the whole.

    python -m hgld.benchmarks.speed.distractors --out distractors.json
"""

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from hgld.benchmarks.speed.evaluation import landmark_images
from hgld.benchmarks.speed.measuring import (
    extra_memory_mb,
    measure_in_turns,
    read_options,
    run_apart,
    write_report,
)
from hgld.metrics import EvaluationSettings, evaluate
from hgld.metrics.ranking import in_threads
from hgld.metrics.similarity import tiled

_BLOCK, _COLUMNS = 1 << 15, 1 << 12
_SETTINGS = EvaluationSettings(memory_bytes=2 << 30)  # as of `hgld benchmark`


@dataclass(frozen=True, slots=True)
class Streamed:
    """A block again and again, which is as much work as blocks of a file."""

    block: Tensor
    count: int

    def __iter__(self) -> Iterator[Tensor]:
        """Yields (n, D) float16."""
        return repeat(self.block, self.count)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    options = read_options(
        __doc__,
        arguments,
        queries=96,
        index=761_757,
        distractors=1 << 23,
        window=1 << 21,
        rounds=3,
        seed=0,
    )
    costs = measure_in_turns(ways(options), options.rounds)
    ratios = {
        key: round((costs["many"][key] - costs["few"][key]) / costs["product and sort"][key], 3)
        for key in ("median_s", "cpu_s")
    }
    memory = {"extra_memory_mb": run_apart(extra_memory, options)}
    results = [{"way": way, **cost} for way, cost in costs.items()]
    write_report(options, ["torch", "numpy"], results, many_less_few_to_plain=ratios, **memory)


def ways(options: Namespace) -> Mapping[str, Callable[[], object]]:
    """Returns what is compared."""
    index, labels = landmark_images(options.index, 8, options.seed)
    index = index.half()
    generator = torch.Generator().manual_seed(options.seed + 1)
    drawn = torch.randint(0, options.index, (options.queries,), generator=generator)
    noise = torch.randn(options.queries, index.shape[1], generator=generator)
    queries = normalize(index[drawn] + 0.05 * noise)
    block = normalize(torch.randn(_BLOCK, index.shape[1], generator=generator)).half()
    evaluated = partial(evaluate, queries, labels[drawn], index, labels, settings=_SETTINGS)
    blocks = options.distractors // _BLOCK
    return {
        "few": lambda: evaluated(distractors=Streamed(block, 1)),
        "many": lambda: evaluated(distractors=Streamed(block, 1 + blocks)),
        "product and sort": lambda: sort_plainly(queries, Streamed(block, blocks), options.window),
    }


def sort_plainly(queries: Tensor, distractors: Streamed, window: int) -> None:
    """Sorts the similarities of queries (Q, D) to a window of distractors after the other."""
    memory = queries.new_empty(tiled(len(queries), window))
    padded, filled = pad(queries, (0, 0, 0, len(memory) - len(queries))), 0
    wide = queries.new_empty(_COLUMNS, queries.shape[1])
    for block in distractors:
        for part in torch.split(block, _COLUMNS):
            torch.mm(
                padded, wide[: len(part)].copy_(part).T, out=memory[:, filled : filled + len(part)]
            )
            filled = (filled + len(part)) % window
            if not filled:
                rows = memory[: len(queries)].unbind()
                for _ in in_threads(torch.get_num_threads(), lambda row: row.numpy().sort(), rows):
                    pass


def extra_memory(options: Namespace) -> float:
    """Returns the most memory of many distractors, in MB, beyond queries and index."""
    return extra_memory_mb(ways(options)["many"])


if __name__ == "__main__":
    main()
