"""Somebody who signs tokens: keys of their own, the key set that they publish, and a server that publishes it."""

import time
from collections.abc import Collection
from typing import Any

import orjson
from joserfc import jwk, jws
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ISSUER, AUDIENCE = "https://id.example", "dealgraph"


class Signer:
    """An identity provider. ``fetched`` counts how often its keys were asked for; ``is_down`` answers 503."""

    def __init__(self, *names: str) -> None:
        self.keys = {name: jwk.RSAKey.generate_key(2048, {"kid": name, "use": "sig"}) for name in names}
        self.published: Collection[str] = names
        self.fetched = 0
        self.is_down = False

    def key_set(self) -> bytes:
        """What it publishes."""
        return orjson.dumps({"keys": [self.keys[name].as_dict(private=False) for name in self.published]})

    def app(self) -> Starlette:
        """What publishes it, at ``/keys``."""

        def keys(request: Request) -> Response:
            self.fetched += 1
            return Response(b"" if self.is_down else self.key_set(), 503 if self.is_down else 200)

        return Starlette(routes=[Route("/keys", keys)])

    def token(self, kid: str | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that is accepted, but for what is given otherwise; a claim that is None is left out."""
        name = kid or next(iter(self.keys))
        return signed({"alg": "RS256", "kid": name, "typ": "JWT"} | (header or {}), claims_with(**claims), self.keys[name])


def claims_with(**others: Any) -> dict[str, Any]:
    """Claims that are accepted, but for what is given otherwise; what is None is left out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600, "scope": "openid crm:read"}
    return {name: value for name, value in (usual | others).items() if value is not None}


def signed(header: dict[str, Any], claims: Any, key: Any) -> str:
    """Any header and claims, signed with any key."""
    return jws.serialize_compact(header, orjson.dumps(claims), key, algorithms=[header["alg"]])
