"""Short requests for GraphQL go from the protocol straight to the endpoint, and their answers straight back.

Through uvicorn's cycle, seven layers of middleware and Starlette's routing the way takes 100 us, of 390 for one deal by its id.
What those layers do for a request of this kind is done here at once, by the same functions. Whatever needs more of them goes
through all, and is answered alike.
"""

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from starlette.types import Scope

from web.caching.headers import ready_encoding
from web.caching.remembered import VIEWER, is_plain
from web.graphql.endpoint import answer
from web.graphql.request import GraphQLRequest
from web.http.call import Call
from web.http.reading import asks_for_page, requested
from web.http.reply import RawHeaders, Reply
from web.limits.client import client_named
from web.middleware.last_resort import STOPPING, masked
from web.middleware.rate_limits import counted
from web.middleware.request_id import request_id_of
from web.wire.shortcut import ShortcutProtocol, is_for_cors

# The path with the id of a document or without, and the query string. What is escaped in an id is for the router to read.
ADDRESS = re.compile(rb"/graphql(?:/([\w.~:@!$&'()*+,;=-]+))?(?:\?([!-\"$-~]*))?")
CLOSE = (b"connection", b"close")
# What makes the bytes of an answer, given the headers that are of this request only.
Write: TypeAlias = Callable[[RawHeaders], bytes]


class Turn:
    """A request that is being answered, as uvicorn's protocol knows it: a ``RequestResponseCycle`` without ASGI."""

    __slots__ = ("disconnected", "keep_alive", "response_complete", "response_started")
    message_event = asyncio.Event()  # nobody waits for it: the body is there
    transport = None

    def __init__(self) -> None:
        self.response_started = self.response_complete = self.disconnected = False
        self.keep_alive = True


class StraightProtocol(ShortcutProtocol):
    """uvicorn's protocol, which takes short requests for GraphQL to the endpoint itself."""

    def go_on(self, call: Call, body: bytes) -> None:
        """Begins to answer a request that is whole: here, or else in the application."""
        address = ADDRESS.fullmatch(self.url)
        if address is not None:
            document_id, query = address.groups()
            name = None if document_id is None else document_id.decode("ascii")
            call = Call(call.state, call.method, call.headers, query or b"", name)
        if address is None or not _is_for_endpoint(call, body):
            super().go_on(call, body)
            return
        self._unset_keepalive_if_required()
        self.cycle = turn = Turn()  # type: ignore[assignment]
        task = self.loop.create_task(self._serve(turn, call, self.scope, body))  # type: ignore[arg-type]
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _serve(self, turn: Turn, call: Call, scope: Scope, body: bytes) -> None:
        """Answers, in a task of its own. What comes after it on the line waits for that, as in uvicorn."""
        state, request_id = call.state, request_id_of(call.headers)
        state["viewer"], state["request_id"] = state["deciding"][VIEWER], request_id.decode("ascii")
        told: RawHeaders = [(b"x-request-id", request_id)]
        try:
            state["peer"], told = self.peer(call, scope), self.told(call, scope, request_id)
            write = await self._found(call)
            if write is None and not self.has_lost(turn):
                write = partial(self.written, await self._made(call, body))
            if write is not None:
                self._finish(turn, write, told)
        except asyncio.CancelledError:  # the server goes down, and waits no longer
            turn.keep_alive = False
            self._finish(turn, partial(self.written, STOPPING), told)
            raise
        except Exception as error:  # whatever it is, the client hears no more than that there was one
            state["traffic"].add(time.perf_counter() - state["started"], 500)
            self._finish(turn, partial(self.written, masked(error, "/graphql", state["request_id"])), told)
        finally:
            if not turn.response_complete:
                self.transport.close()

    async def _found(self, call: Call) -> Write | None:
        """The answer that another process has kept, if the same was asked before; this process was looked in by now."""
        state, headers = call.state, call.headers
        answered = state["remembered"].find(state["deciding"])
        if answered is None or not state["responses"].is_shared or not is_plain(headers):
            return None
        entry = await state["responses"].find_shared(answered.key)
        encoding = None if entry is None else ready_encoding(entry, headers.get(b"accept-encoding", b""))
        if entry is None or encoding is None:
            return None
        standing = state["throttle"].admit_cached(client_named(state["viewer"], state["peer"]))
        return None if standing is None else lambda told: self.kept(entry, answered, encoding, call, [*standing, *told])

    async def _made(self, call: Call, body: bytes) -> Reply:
        """The answer of the endpoint, charged and counted as middleware does it in the application."""
        state = call.state
        reply = await answer(call, partial(_read, call, body))
        reply = await counted(state) or reply._replace(headers=[*reply.headers, *state["standing"]])
        state["traffic"].add(time.perf_counter() - state["started"], reply.status)
        return reply

    def _finish(self, turn: Turn, write: Write, told: RawHeaders) -> None:
        """Writes the answer, if there is still somebody to write to."""
        written = write(told if turn.keep_alive else [*told, CLOSE])
        is_wanted = not self.has_lost(turn)
        turn.response_started = turn.response_complete = True
        if is_wanted:
            self.respond(written, is_last=not turn.keep_alive)

    def has_lost(self, turn: Turn) -> bool:
        """Whether the client has gone. Of requests in a queue uvicorn tells only the last."""
        return turn.disconnected or self.transport.is_closing()


def _is_for_endpoint(call: Call, body: bytes) -> bool:
    """Whether it is known who asks, and nothing but the endpoint has a say in the answer."""
    is_for_page = call.method == "GET" and asks_for_page(call)
    is_long = len(body) > call.state["settings"].max_body_bytes
    return "deciding" in call.state and not (is_for_page or is_long or is_for_cors(call))


async def _read(call: Call, body: bytes) -> GraphQLRequest | list[GraphQLRequest]:
    return requested(call, body)
