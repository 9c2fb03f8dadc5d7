"""A second SPARQL engine, Virtuoso, so that no query rests on what one engine makes of it."""

import contextlib
import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worlds.wikimedia.lab import free_ports, wait_for

_SETTINGS = """
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
[TempDatabase]
DatabaseFile = {folder}/virtuoso-temp.db
TransactionFile = {folder}/virtuoso-temp.trx
[Parameters]
ServerPort = 127.0.0.1:{sql}
DirsAllowed = {folder}
[HTTPServer]
ServerPort = 127.0.0.1:{http}
[SPARQL]
ResultSetMaxRows = 1000000
"""


@contextlib.contextmanager
def serving_virtuoso(folder: Path, *triples: Path) -> Iterator[str]:
    """Serves files of N-Triples; skips where the program is missing.

    Args:
        folder: for its files.
        triples: gzipped.

    Yields:
        The address of the SPARQL service.
    """
    if shutil.which("virtuoso-t") is None or shutil.which("isql-vt") is None:
        pytest.skip(
            "needs virtuoso-t: apt-get install -y --no-install-recommends virtuoso-opensource-7-bin"
        )
    sql, http = free_ports(2)
    texts = (gzip.decompress(path.read_bytes()) for path in triples)
    (folder / "lab.nt").write_bytes(b"".join(texts))
    settings = folder / "virtuoso.ini"
    settings.write_text(_SETTINGS.format(folder=folder, sql=sql, http=http))
    command = ["virtuoso-t", "-f", "-c", str(settings)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(sql, process)
            wait_for(http, process)
            load = f"ld_dir('{folder}', 'lab.nt', 'http://lab/'); rdf_loader_run();"
            # The password of a database that was made a moment ago, and listens here alone.
            login = [f"127.0.0.1:{sql}", "dba", "dba"]
            subprocess.run(["isql-vt", *login, f"exec={load}"], check=True, capture_output=True)
            yield f"http://127.0.0.1:{http}/sparql"
        finally:
            process.terminate()
