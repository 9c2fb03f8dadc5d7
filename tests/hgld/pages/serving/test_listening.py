import asyncio
import contextlib
import socket

from hgld.pages.serving.listening import listen


def test_an_answer_is_not_held_back_until_the_one_before_is_confirmed() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        assert asyncio.run(is_sent_at_once(listening))


async def is_sent_at_once(listening: socket.socket) -> bool:
    """Says whether a connection that a server accepts has TCP_NODELAY."""
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        told.set_result(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    async with await asyncio.start_server(accepted, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        found = await told
        writer.close()
        await writer.wait_closed()
        return found
