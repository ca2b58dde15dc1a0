"""What an API key looks like, and the digest that is all we keep of it.

A key is 256 random bits: nobody guesses one, so that a plain SHA-256 keeps it (a slow hash protects what people think of).
"""

import hashlib
import secrets

PREFIX = b"dg_"


def new_key() -> str:
    """A key that nobody has: ``dg_`` and 43 characters."""
    return PREFIX.decode() + secrets.token_urlsafe(32)


def digest_of(key: bytes) -> bytes:
    """What a key is known by: the 32 bytes of its SHA-256."""
    return hashlib.sha256(key).digest()
