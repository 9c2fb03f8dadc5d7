import contextlib
import socket

from hgld.pages.serving.listening import listen


def test_an_answer_is_not_held_back_until_the_one_before_is_confirmed() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as bound:
        assert bound.proto == socket.IPPROTO_TCP  # else asyncio does not set TCP_NODELAY
