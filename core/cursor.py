"""Cursors: keyset positions that clients can carry but neither read, change nor use elsewhere.

AES-SIV (RFC 5297): deterministic, so equal positions give equal cursors, and needs no nonce. The list that a
cursor belongs to (connection, sort, filter, owner, viewer) is its associated data, so that a cursor taken to
another list does not decrypt. A payload is one version byte, then JSON ``[sort key, row id]``.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from core.errors import InvalidCursor

KEY_BYTES = 32
VERSION = b"\x01"
# A sealed name of at most 300 characters, six bytes each where JSON escapes them, has less than half of this.
MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a sorted list: the sort key as PostgreSQL prints it, and the row's id, which breaks ties."""

    key: str
    id: UUID


class CursorCodec:
    """Encrypts with the first key and reads with all, so that a rotated key still opens older cursors."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """``keys``: one or more of ``KEY_BYTES`` bytes, the current one first. Raises ValueError otherwise."""
        if not keys:
            raise ValueError("at least one cursor key is needed")
        self._ciphers = [AESSIV(key) for key in keys]

    def encode(self, position: Position, binding: bytes) -> str:
        """The cursor of ``position`` in the list that ``binding`` describes: URL-safe text without padding."""
        plain = VERSION + orjson.dumps([position.key, str(position.id)])
        return urlsafe_b64encode(self._ciphers[0].encrypt(plain, [binding])).rstrip(b"=").decode()

    def decode(self, cursor: str, binding: bytes) -> Position:
        """The position a cursor stands for. Raises InvalidCursor, saying why."""
        plain = self._decrypt(_sealed(cursor), binding)
        if plain[:1] != VERSION:
            raise InvalidCursor("The cursor was issued by another version of this server; start from the first page.")
        key, row_id = orjson.loads(plain[1:])
        return Position(key, UUID(row_id))

    def _decrypt(self, sealed: bytes, binding: bytes) -> bytes:
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed, [binding])
            except InvalidTag:
                continue
        raise InvalidCursor(
            "The cursor does not belong to this list: it was changed, or it was issued for another connection, "
            "sort, filter, search or owner."
        )


def _sealed(cursor: str) -> bytes:
    """The bytes of a cursor as a client sent it. Raises InvalidCursor unless it has the form of one."""
    try:
        sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:  # binascii.Error and UnicodeEncodeError are both ValueErrors
        sealed = b""
    # 16 bytes of synthetic IV come before the payload; non-canonical base64 would let one cursor have two texts.
    if not 16 < len(sealed) <= MAX_BYTES or urlsafe_b64encode(sealed).rstrip(b"=").decode() != cursor:
        raise InvalidCursor("The cursor is not one that this server issues.")
    return sealed
