"""Content codings (RFC 9110, section 8.4.1), and bodies in them."""

import asyncio
import gzip
from typing import Literal

import brotli  # type: ignore[import-untyped]

Encoding = Literal["identity", "br", "gzip"]
# Below this a packet is a packet.
SMALLEST_BYTES = 1024
# From here on the loop is not held up: brotli takes a millisecond for so much.
LARGE_BYTES = 128 * 1024
BROTLI_QUALITY = 4
GZIP_LEVEL = 5


def encoded(body: bytes, encoding: Encoding) -> bytes:
    """The body in that coding. Brotli at 4: 0.3 ms and a fifth of the bytes for a dashboard, made once for an entry."""
    if encoding == "br":
        return bytes(brotli.compress(body, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY))
    return gzip.compress(body, GZIP_LEVEL, mtime=0) if encoding == "gzip" else body


async def encoded_aside(body: bytes, encoding: Encoding) -> bytes:
    """The body in that coding; a large one is compressed in a thread."""
    if len(body) < LARGE_BYTES or encoding == "identity":
        return encoded(body, encoding)
    return await asyncio.to_thread(encoded, body, encoding)
