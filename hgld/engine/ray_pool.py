"""Maps tables over actors of Ray Data, on this machine or on a cluster."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from hgld.errors import InputError, needing

MapTables = Callable[[Iterator[pa.Table]], Iterable[pa.Table]]
"""Maps tables of one row or more to what a function returns for each, in any order."""


def actors_of_ray(
    count: int,
    kind: Callable[..., Callable[[pa.Table], pa.Table]],
    *arguments: object,
    takes_gpu: bool = True,
) -> MapTables:
    """Returns a map over actors, of which some may be lost midway: others take over their tables.

    Ray is the cluster that RAY_ADDRESS names, the one that this machine is in, or this machine. All
    its machines must have hgld, and see the files in the same folders.

    Args:
        count: how many actors.
        kind: their class; an instance is called with a table, and returns one of as many rows.
        arguments: what an instance is made from, with absolute paths.
        takes_gpu: whether each takes a GPU, if Ray has any.

    Raises:
        InputError: Ray is not installed; while it maps: an actor ended with an error.
    """
    with needing("ray", "--ray"):
        import ray.data

    def map_tables(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        listed = list(tables)
        left = sum(map(len, listed))
        if not left:
            return
        ray.init(ignore_reinit_error=True)
        context = ray.data.DataContext.get_current()
        context.target_max_block_size = None  # a table stays a table
        context.enable_progress_bars = False  # the caller has one
        mapped = ray.data.from_arrow(listed).map_batches(
            kind,
            fn_constructor_args=arguments,
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=count),
            num_gpus=int(takes_gpu and "GPU" in ray.cluster_resources()),
        )
        try:
            for table in mapped.iter_batches(batch_size=None, batch_format="pyarrow"):
                left -= len(table)
                yield table
        except ray.exceptions.RayError as error:
            why = str(error).strip().rpartition("\n")[2]  # below the traceback of an actor
            raise InputError(f"an actor of Ray ended: {why}; fix that, then rerun") from error
        if left:
            raise InputError(f"Ray did not return each row once: {left:,} are left; rerun")

    return map_tables
