"""Brotli or gzip for what is made on the way: brotli-asgi and Starlette's gzip, with the choice and the limits of ours.

The coding is chosen by the client's q-values. A body of 128 KiB and more is compressed in a thread, since brotli would
hold up the loop for a millisecond. What has a coding already, is a stream, a part, or a picture goes as it is. Whatever would
be compressed for another client says so in ``Vary`` (RFC 9110, section 12.5.5), a 304 among it.
"""

from collections.abc import Sequence

from brotli_asgi import BrotliMiddleware, BrotliResponder
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipResponder
from starlette.types import Message, Receive, Scope, Send

from cache.encoding import BROTLI_QUALITY, GZIP_LEVEL, LARGE_BYTES, SMALLEST_BYTES, encoded_aside
from web.http.negotiation import best_encoding

COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "multipart/mixed")


class Compression(BrotliMiddleware):
    """ASGI middleware."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        encoding = best_encoding(b",".join(value for name, value in scope["headers"] if name == b"accept-encoding"))
        if encoding == "br":
            responder = _Brotli(self.app, BROTLI_QUALITY, self.mode, self.lgwin, self.lgblock, SMALLEST_BYTES)
            await responder(scope, receive, _varying(send))
        elif encoding == "gzip":
            gzip = GZipResponder(
                self.app, SMALLEST_BYTES, compresslevel=GZIP_LEVEL,
                thread_minimum_size=LARGE_BYTES, exclude_content_types=COMPRESSED,
            )  # fmt: skip
            await gzip(scope, receive, _varying(send))
        else:
            await self.app(scope, receive, _varying(send))


class _Brotli(BrotliResponder):
    async def send_with_brotli(self, message: Message) -> None:
        """What brotli-asgi does, but for what is left alone, and what is large."""
        if message["type"] == "http.response.start":
            await super().send_with_brotli(message)
            headers = Headers(raw=message["headers"])
            self.content_encoding_set = self.content_encoding_set or _is_left_alone(message["status"], headers)
            return
        body = message.get("body", b"")
        is_whole = not self.started and not message.get("more_body", False)
        if is_whole and len(body) >= LARGE_BYTES and not self.content_encoding_set:
            message = {**message, "body": await encoded_aside(body, "br")}
            headers = MutableHeaders(raw=self.initial_message["headers"])
            headers["content-encoding"], headers["content-length"] = "br", str(len(message["body"]))
            headers.add_vary_header("Accept-Encoding")
            self.content_encoding_set = True
        await super().send_with_brotli(message)


def _varying(send: Send) -> Send:
    """A ``send`` that adds to ``Vary`` what decided about the coding, where it is not there."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and not _says_so(message["headers"]):
            headers = MutableHeaders(raw=message["headers"])
            is_small = int(headers.get("content-length", SMALLEST_BYTES)) < SMALLEST_BYTES
            is_as_it_is = is_small or "content-encoding" in headers or _is_left_alone(message["status"], headers)
            if not is_as_it_is:
                headers.add_vary_header("Accept-Encoding")
        await send(message)

    return sending


def _says_so(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(name == b"vary" and b"accept-encoding" in value.lower() for name, value in headers)


def _is_left_alone(status: int, headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return status == 206 or media_type in COMPRESSED or f"{media_type.partition('/')[0]}/*" in COMPRESSED
