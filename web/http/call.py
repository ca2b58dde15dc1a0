"""A request as endpoints look at it, whatever way it came: through ASGI, or straight from the protocol."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.types import Scope

from web.state import State


class Call(NamedTuple):
    """Method, headers (``headers_of``), query string, and the id of a document if the path has one."""

    state: State
    method: str
    headers: Mapping[bytes, bytes]
    query: bytes = b""
    document_id: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> "Call":
        """That of a request which came through ASGI."""
        document_id = scope.get("path_params", {}).get("id")
        return cls(scope["state"], scope["method"], headers_of(scope["headers"]), scope["query_string"], document_id)

    def header(self, name: bytes) -> str | None:
        """A header by its name in lower case; None without it."""
        found = self.headers.get(name)
        return None if found is None else found.decode("latin-1")

    @property
    def length(self) -> int | None:
        """``Content-Length``, 0 without one; None if it is no number.

        As many zeros may stand before it as one likes, and Python reads no more than 4,300 digits.
        """
        given = self.headers.get(b"content-length", b"0")
        return int(given.lstrip(b"0") or b"0") if given.isdigit() else None

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Those of the query string, in their order."""
        return parse_qsl(self.query.decode("latin-1"), keep_blank_values=True) if self.query else []


def headers_of(lines: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name, the lines of one name as one list (RFC 9110, section 5.3)."""
    found = dict(lines)
    if len(found) < len(lines):
        found.clear()
        for name, value in lines:
            found[name] = found[name] + b", " + value if name in found else value
    return found
