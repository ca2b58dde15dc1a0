"""The head of a response travels with its body, and never waits for it."""

import asyncio
from typing import Any, cast

from web.wire.joined import Joined


class Wire:
    """What is written to it, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_closed = False
        self.write = self.pieces.append

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


def joined() -> tuple[Wire, Joined]:
    wire = Wire()
    return wire, Joined(cast(Any, wire))


async def test_head_and_body_are_one_piece_and_what_follows_is_another() -> None:
    wire, response = joined()
    for each in (b"head ", b"body", b"more"):
        response.write(each)
    await asyncio.sleep(0)
    assert wire.pieces == [b"head body", b"more"]


async def test_a_head_whose_body_is_not_there_yet_is_sent_without_it() -> None:
    wire, response = joined()
    response.write(b"head")
    assert wire.pieces == []
    await asyncio.sleep(0)
    assert wire.pieces == [b"head"]
    response.write(b"body")
    assert wire.pieces == [b"head", b"body"]


async def test_a_head_is_not_written_to_a_client_that_has_gone() -> None:
    wire, response = joined()
    response.write(b"head")
    wire.is_closed = True
    await asyncio.sleep(0)
    assert wire.pieces == []
    response.write(b"body")
    assert wire.pieces == []


async def test_what_was_written_is_sent_before_the_line_is_closed() -> None:
    wire, response = joined()
    response.write(b"head")
    response.close()
    assert (wire.pieces, wire.is_closed, response.is_closing()) == ([b"head"], True, True)
