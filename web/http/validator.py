"""Whether a client has an answer already: ``If-None-Match`` against the validator of an answer (RFC 9110, section 13.1.2)."""

from starlette.types import Scope

from web.http.call import headers_of


def matches(if_none_match: bytes | None, etag: str) -> bool:
    """Whether the header names that validator, which is without ``W/``, weakly or not."""
    if if_none_match is None:
        return False
    given = [each.strip().removeprefix("W/") for each in if_none_match.decode("latin-1").split(",")]
    return etag in given or given == ["*"]


def has_already(scope: Scope, etag: str) -> bool:
    """The same of a request that came through ASGI, and of a validator of either kind."""
    return matches(headers_of(scope["headers"]).get(b"if-none-match"), etag.removeprefix("W/"))
