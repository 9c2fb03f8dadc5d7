import asyncio
import contextlib
import socket

import pytest

from hgld.errors import InputError
from hgld.pages.serving.listening import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_answer_is_not_held_back_until_the_one_before_is_confirmed(host: str) -> None:
    try:
        listening = listen(host, 0)
    except InputError:
        pytest.skip(f"this machine has no {host}")
    with contextlib.closing(listening):
        assert asyncio.run(_is_sent_at_once(listening, host))


async def _is_sent_at_once(listening: socket.socket, host: str) -> bool:
    """Says whether a connection that a server accepts has TCP_NODELAY."""
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        told.set_result(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    async with await asyncio.start_server(accepted, sock=listening):
        _, writer = await asyncio.open_connection(host, listening.getsockname()[1])
        found = await told
        writer.close()
        await writer.wait_closed()
        return found
