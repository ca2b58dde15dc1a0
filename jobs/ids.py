"""Ids that are made here and not by PostgreSQL: UUIDs of version 7 (RFC 9562, 5.7), which sort by when they were made."""

import os
import time
from collections.abc import Iterator

from db.rows import Identifier

LOWEST_62 = (1 << 62) - 1


def uuid7(milliseconds: int, tail: int) -> Identifier:
    """The id of that moment since 1970 whose 74 bits that are free, the first of them the highest, are ``tail``."""
    return Identifier((milliseconds << 80 | 7 << 76 | tail >> 62 << 64 | 2 << 62 | tail & LOWEST_62).to_bytes(16))


def ascending(count: int) -> Iterator[Identifier]:
    """Ids of this moment in ascending order: a counter of 32 bits tells them apart, 42 are random (RFC 9562, 6.2).

    PostgreSQL that was built without OpenSSL, as the embedded one, opens a file for the random bits of each: 4 us instead
    of half of one.
    """
    now, random = time.time_ns() // 1_000_000, os.urandom(6 * count)
    for number in range(count):
        yield uuid7(now, number << 42 | int.from_bytes(random[6 * number : 6 * number + 6]) >> 6)
