"""JSON Web Tokens (RFC 7519), verified as RFC 8725 says: the algorithm is our choice, and every claim is looked at."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from core.errors import CredentialExpired, InvalidCredential
from core.settings import Settings
from core.viewer import NIL, NOBODY_ID, SCOPES, UNNAMED
from web.auth.key_set import TokenKeys

TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
# Enough for every name of ours, and for an index; OpenID Connect says so of `sub` (Core 1.0, section 2).
LONGEST_NAME = 255


class _Registry(JWSRegistry):
    """Headers that say more than we read are fine (RFC 7515, section 4); which algorithms are, has been decided."""

    max_header_length = 4_096

    def get_alg(self, name: str) -> Any:
        """The algorithm of that name."""
        return self.algorithms[name]


REGISTRY = _Registry(strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Token:
    """What a verified token says; ``issued_at`` and ``expires_at`` in seconds since 1970. ``scopes`` are those we know."""

    subject: str
    owner: UUID | None
    scopes: frozenset[str]
    jti: str | None
    issued_at: float
    expires_at: float


class TokenVerifier:
    """Verifies tokens by the settings."""

    def __init__(self, settings: Settings, keys: TokenKeys) -> None:
        self._keys = keys
        self._algorithms = settings.token_algorithms
        self._owner_claim = settings.jwt_owner_claim
        self._scope_claim = settings.jwt_scope_claim
        self._claims = JWTClaimsRegistry(
            now=lambda: int(time.time()),
            leeway=settings.jwt_leeway_s,
            iss={"essential": True, "value": settings.jwt_issuer or ""},
            aud={"essential": True, "values": list(settings.jwt_audience)},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def verify(self, token: bytes) -> Token:
        """What the token says. Raises InvalidCredential, CredentialExpired, and Unavailable where there are no keys."""
        try:
            signed = extract_compact(token, registry=REGISTRY)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _not_ours() from None
        algorithm, kid = self._header(signed.protected)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise InvalidCredential("The token is signed with a key that is not known here.")
        if not _is_signed(signed, key, algorithm):
            raise InvalidCredential("The signature of the token is wrong.")
        return self._token(self._checked(signed.payload))

    def _header(self, header: Mapping[str, Any]) -> tuple[str, str | None]:
        """The algorithm, if it is one of ours, and the name of the key. Nothing else in it is believed."""
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise InvalidCredential("The token is signed with an algorithm that is not accepted here.")
        if "crit" in header or "b64" in header or not isinstance(kid, str | None) or not isinstance(kind, str | None):
            raise _not_ours()
        if (kind and kind.lower()) not in TYPES:
            raise InvalidCredential("The token is of another type than JWT or at+jwt.")
        return algorithm, kid

    def _checked(self, payload: bytes | None) -> dict[str, Any]:
        try:
            claims = orjson.loads(payload or b"")
        except orjson.JSONDecodeError:
            raise _not_ours() from None
        if not isinstance(claims, dict):
            raise _not_ours()
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise CredentialExpired("The token has expired.") from None
        except (MissingClaimError, InvalidClaimError) as error:
            told = f"The claim `{error.claim}` of the token is missing, or not what is accepted here."
            raise InvalidCredential(told) from None
        except (JoseError, OverflowError):
            raise _not_ours() from None
        return claims

    def _token(self, claims: Mapping[str, Any]) -> Token:
        subject, jti = _name(claims, "sub"), _name(claims, "jti")
        if subject is None or subject in UNNAMED or subject.startswith("key:"):
            raise InvalidCredential("The claim `sub` of the token is not a name that one may have here.")
        return Token(
            subject,
            self._owner(claims.get(self._owner_claim)),
            self._scopes(claims.get(self._scope_claim)),
            jti,
            float(claims.get("iat", float("-inf"))),
            float(claims["exp"]),
        )

    def _owner(self, claim: Any) -> UUID | None:
        if claim is None:
            return None
        try:
            owner = UUID(claim) if isinstance(claim, str) and len(claim) == 36 else NIL
        except ValueError:
            owner = NIL
        if owner in (NIL, NOBODY_ID):
            raise InvalidCredential(f"The claim `{self._owner_claim}` of the token is not the id of a user.")
        return owner

    def _scopes(self, claim: Any) -> frozenset[str]:
        given = claim.split(" ") if isinstance(claim, str) else claim if isinstance(claim, list) else ()
        return SCOPES.intersection(each for each in given if isinstance(each, str))


def _not_ours() -> InvalidCredential:
    return InvalidCredential("This is neither an API key nor a token that can be read.")


def _is_signed(signed: CompactSignature, key: Any, algorithm: str) -> bool:
    try:
        return validate_compact(signed, key, [algorithm], REGISTRY)
    except (JoseError, ValueError, TypeError):
        return False


def _name(claims: Mapping[str, Any], claim: str) -> str | None:
    """A claim that names somebody or something; None without it. Raises InvalidCredential for what cannot be a name."""
    value = claims.get(claim)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise InvalidCredential(f"The claim `{claim}` of the token is not a name of at most {LONGEST_NAME} characters.")
    return value
