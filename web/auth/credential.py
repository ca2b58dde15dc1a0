"""The credential of a request: what stands in its headers to say who asks."""

from collections.abc import Iterable

from core.errors import InvalidCredential, Unauthenticated

# No key or token of anybody is longer; verifying one costs time by its length.
LONGEST = 8_192
CREDENTIALS = frozenset({b"authorization", b"x-api-key"})
# How an answer begins that asks for another credential (RFC 6750, section 3), and what it says to one that may not do this.
BEARER = 'Bearer realm="dealgraph"'
SCOPE_MISSING = f'{BEARER}, error="insufficient_scope"'


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key or token of ``Authorization: Bearer`` (RFC 6750, 2.1) or ``X-API-Key``; None if there is neither.

    Header names are in lower case, as ASGI has them. Raises Unauthenticated for one that cannot be read, and for two:
    whatever stands before us may have looked at the other one.
    """
    found = None
    for name, value in headers:
        if name in CREDENTIALS:
            if found is not None:
                raise Unauthenticated("There is more than one credential: send one Authorization header, or X-API-Key.")
            found = value if name == b"x-api-key" else _bearer(value)
            if len(found) > LONGEST:
                raise InvalidCredential(f"The credential is longer than {LONGEST:,} bytes.")
    return found


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    token = token.strip(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthenticated("The Authorization header must be `Bearer`, a blank, and an API key or a token.")
    return token
