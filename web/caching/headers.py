"""The headers of an answer that is kept: its validator, its age, and how long it may be used."""

import time

from cache.encoding import LARGE_BYTES, SMALLEST_BYTES, Encoding
from cache.entry import Entry, Outcome
from web.caching.reuse import Reuse, age_s
from web.http.negotiation import best_encoding
from web.http.reply import RawHeaders

VARY = (b"vary", b"Accept, Accept-Encoding, Authorization, X-API-Key, Origin")
SUFFIXES: dict[Encoding, str] = {"identity": "", "br": "-br", "gzip": "-gz"}


def ready_encoding(entry: Entry, accepted: bytes) -> Encoding | None:
    """The coding to answer in; None if the body is large and has to be compressed first, which is not done here."""
    encoding = encoding_for(entry.made.body, accepted)
    is_there = encoding == "identity" or encoding in entry.forms or len(entry.made.body) < LARGE_BYTES
    return encoding if is_there else None


def encoding_for(body: bytes, accepted: bytes) -> Encoding:
    """The coding that a body is sent in to a client that accepts these."""
    return best_encoding(accepted) if len(body) >= SMALLEST_BYTES else "identity"


def etag_of(entry: Entry, encoding: Encoding) -> str:
    """The strong validator of an answer in one coding (RFC 9110, section 8.8.3)."""
    return f'"{entry.etag}{SUFFIXES[encoding]}"'


def entry_headers(
    entry: Entry, media_type: bytes, encoding: Encoding, outcome: Outcome, reuse: Reuse, started: float
) -> RawHeaders:
    """The headers of an answer from the cache, its length and those of the edge left out."""
    return [*lasting_headers(entry, media_type, encoding, outcome), *passing_headers(entry, reuse, started)]


def lasting_headers(entry: Entry, media_type: bytes, encoding: Encoding, outcome: Outcome) -> RawHeaders:
    """Those that are the same each time."""
    found = [
        (b"content-type", media_type),
        (b"etag", etag_of(entry, encoding).encode()),
        VARY,
        (b"x-cache", outcome.encode()),
        (b"x-cache-key", entry.key[:16]),
    ]
    if encoding != "identity":
        found.append((b"content-encoding", encoding.encode()))
    return found


def passing_headers(entry: Entry, reuse: Reuse, started: float) -> RawHeaders:
    """Those that tell the time."""
    age = age_s(entry)
    return [
        (b"age", b"%d" % age),
        (b"cache-control", reuse.cache_control(entry, age)),
        (b"x-response-time", b"%.2fms" % ((time.perf_counter() - started) * 1000)),
    ]
