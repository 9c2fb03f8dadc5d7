"""The body of an answer: read whole, unpacked as it comes, and never more than the limit of it.

A server may send ten bytes for each thousand that they unpack to. So no piece is unpacked beyond
`_PIECE_BYTES`, and reading ends where the limit is passed. We ask for gzip alone; what comes in
another encoding, or in several, is refused and not guessed at.
"""

import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping

import requests
import urllib3

_PIECE_BYTES = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
_LENGTH = re.compile(r"[0-9]{1,18}")  # Python refuses numbers of thousands of digits

ENCODING = "gzip"
"""What a session asks answers to be packed with."""


class UnusableAnswerError(requests.RequestException):
    """An answer that is refused for its form, and that would come the same way again."""


class TooLargeError(UnusableAnswerError):
    """An answer beyond the limit."""


def announced_bytes(headers: Mapping[str, str]) -> int | None:
    """Returns the Content-Length of an answer, None where it has none that can be.

    Example:
        >>> announced_bytes({"Content-Length": "12"}), announced_bytes({"Content-Length": "-1"})
        (12, None)
    """
    length = headers.get("Content-Length", "").strip()
    return int(length) if _LENGTH.fullmatch(length) else None


def read_body(response: requests.Response, most_bytes: int) -> None:
    """Reads a whole answer, and says in the words of `requests` what went wrong.

    Args:
        response: a streamed one; afterwards it holds its content.
        most_bytes: of the body, packed and unpacked.

    Raises:
        TooLargeError: it is larger.
        UnusableAnswerError: it is packed in a way that was not asked for.
        requests.RequestException: it broke off, came too slowly, or cannot be unpacked.
    """
    raw = response.raw
    body = bytearray()
    try:
        if (announced_bytes(response.headers) or 0) > most_bytes:
            raise _too_large(response, most_bytes)
        for piece in _pieces(response, most_bytes):
            body += piece
            if len(body) > most_bytes:
                raise _too_large(response, most_bytes)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(
            "the answer was not whole in time", request=response.request
        ) from error
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(error, request=response.request) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error, request=response.request) from error
    finally:
        raw.release_conn() if raw.isclosed() else raw.close()
    response.raw = io.BytesIO(bytes(body))


def _pieces(response: requests.Response, most_bytes: int) -> Iterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    chunks = _chunks(response, most_bytes)
    if encoding in {"", "identity"}:
        return chunks
    if encoding in {ENCODING, f"x-{ENCODING}"}:
        return _unpacked(chunks)
    raise UnusableAnswerError(
        f"the answer is packed with {encoding!r:.40}, where {ENCODING} was asked for",
        request=response.request,
    )


def _chunks(response: requests.Response, most_bytes: int) -> Iterator[bytes]:
    """Yields what comes over the line, packed as it is."""
    count = 0
    while chunk := response.raw.read1(_PIECE_BYTES, decode_content=False):
        count += len(chunk)
        if count > most_bytes:  # of gzip, too: empty members without end unpack to nothing
            raise _too_large(response, most_bytes)
        yield chunk


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpacks gzip, of one member or more, in pieces of bounded size.

    Raises:
        zlib.error: it is no gzip, or ends too early.
    """
    member, is_begun = zlib.decompressobj(_GZIP), False
    for chunk in chunks:
        data = chunk
        while data:
            is_begun = True
            yield member.decompress(data, _PIECE_BYTES)
            data = member.unconsumed_tail
            if member.eof:
                data = member.unused_data
                member, is_begun = zlib.decompressobj(_GZIP), False
    if is_begun:
        raise zlib.error("it ends too early")


def _too_large(response: requests.Response, most_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"the answer has more than {most_bytes:,} bytes (answer_bytes)", request=response.request
    )
