"""Who may come in, over HTTP: forged and spent tokens, keys that are revoked while they are in use, and open addresses."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey

from cache.embedded import EmbeddedValkey
from cache.freshness import LEASE_S
from core.api_key import digest_of, new_key
from core.settings import SECRET_ALGORITHMS
from db.embedded import EmbeddedPostgres
from tests.crm import Crm
from tests.ops.test_persist import python
from tests.web.auth.signing import AUDIENCE, ISSUER, Signer, claims_with, signed
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for
from tests.web.serving import get
from tests.web.serving import serving as serving_app
from web.auth import authenticator, key_set

WHO = "{ viewer { subject owner { name } scopes } }"
DEALS = "{ deals { totalCount edges { node { name value owner { name } } } } pipelineStats { total wonValue pipelineValue } }"
SECRET, AMOUNT = "Wolpertinger", 7_777_777


@dataclass
class House:
    """Two servers on one database, as two processes would be; who signs tokens; two reps and their ids."""

    doors: list[httpx2.AsyncClient]
    signer: Signer
    sql: "asyncpg.Connection[asyncpg.Record]"
    url: str
    ada: UUID
    bob: UUID

    async def key(self, *scopes: str, owner: UUID | None = None, **columns: Any) -> tuple[str, UUID]:
        """An API key, and its id."""
        key = new_key()
        given = {"name": "test", "digest": digest_of(key.encode()), "scopes": list(scopes), "owner_id": owner, **columns}
        return key, await Crm(self.sql).add("api_key", **given)

    def token(self, **claims: Any) -> str:
        """A token of Ada's."""
        return self.signer.token(**{"owner": str(self.ada), **claims})


@pytest.fixture(scope="module")
async def house(postgres: EmbeddedPostgres, migrated: str, valkey: EmbeddedValkey) -> AsyncIterator[House]:
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(f"create database guarded template {migrated}")
    await admin.close()
    url, signer = postgres.database_url("guarded"), Signer("one", "two")
    sql = await asyncpg.connect(url)
    crm = Crm(sql)
    ada, bob, stage = await crm.user("Ada"), await crm.user(f"Bob {SECRET}"), await crm.stage()
    await crm.deal(ada, stage, "Apple", value=10)
    await crm.deal(bob, stage, SECRET, value=AMOUNT)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving_app(signer.app()))
        settings = settings_for(
            url, valkey, auth="jwt", jwt_jwks=f"http://127.0.0.1:{port}/keys", jwt_issuer=ISSUER, jwt_audience=AUDIENCE, batch_most=5
        )
        doors = [await stack.enter_async_context(serving(settings)) for _ in range(2)]
        yield House(doors, signer, sql, url, ada, bob)
        await sql.close()


async def ask(door: httpx2.AsyncClient, credential: str | None, query: str = WHO, **headers: str) -> httpx2.Response:
    """One question with ``Authorization: Bearer``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if credential is not None:
        named["authorization"] = f"Bearer {credential}"
    return await door.post("/graphql", json={"query": query}, headers=named)


async def keys(house: House, *arguments: str) -> tuple[int, str, str]:
    """Exit status and output of ``python -m ops keys`` on the house's database."""
    return await python("-m", "ops", "keys", *arguments, DATABASE_URL=house.url, REDIS_URL="unix:///nobody", CURSOR_KEYS="5e" * 32)


def refused(response: httpx2.Response) -> str:
    """The code of a 401 that is as all of them are."""
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith('Bearer realm="dealgraph"')
    assert response.headers["cache-control"] == "no-store"
    assert {"Authorization", "X-API-Key"} <= set(response.headers["vary"].split(", "))
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


async def believed(door: httpx2.AsyncClient, credential: str) -> None:
    """Waits until the door hears what is written, so that it believes what it has verified."""
    async with asyncio.timeout(5):
        while (await ask(door, credential, "{ __typename }")).headers["x-cache"] == "BYPASS":
            await asyncio.sleep(0.01)


async def test_a_token_says_who_asks_and_what_they_may(house: House) -> None:
    for door in house.doors:
        answer = (await ask(door, house.token(scope="openid crm:write crm:read other"))).json()["data"]["viewer"]
        assert answer == {"subject": "ada", "owner": {"name": "Ada"}, "scopes": ["crm:read", "crm:write"]}
        boss = await ask(door, house.token(sub="boss", owner=None, scope=["crm:read:all", 7]), DEALS)
        assert boss.json()["data"]["deals"]["totalCount"] == 2
        stranger = await ask(door, house.token(owner="01890a5d-ac96-774b-bcce-b302099a8057"), DEALS)
        assert stranger.json()["data"]["pipelineStats"] == {"total": 0, "wonValue": 0, "pipelineValue": 0}
        nobody = await ask(door, house.token(owner=None, scope="crm:read"), DEALS)
        assert nobody.json()["data"]["deals"] == {"totalCount": 0, "edges": []}


async def test_who_is_no_user_of_ours_may_change_what_their_token_lets_them(house: House) -> None:
    stranger = house.token(owner="01890a5d-ac96-774b-bcce-b302099a8057", scope="crm:write:all")
    deal, lead = await house.sql.fetchval("select id from deal where name = 'Apple'"), await Crm(house.sql).stage("Lead", 2)
    move = f'mutation {{ moveDeal(id: "{deal}", stageId: "{lead}") {{ deal {{ stage {{ name }} }} errors {{ code }} }} }}'
    answer = await ask(house.doors[0], stranger, move)
    assert answer.json()["data"] == {"moveDeal": {"deal": {"stage": {"name": "Lead"}}, "errors": []}}, answer.text


def part(value: Any) -> str:
    """One part of a token."""
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def signed_by_hand(name: str, claims: dict[str, Any], secret: bytes) -> str:
    """A token with an HMAC of that secret, which a library may refuse to take for one."""
    text = f"{part({'alg': name, 'kid': 'one'})}.{part(claims)}"
    signature = hmac.digest(secret, text.encode(), name.replace("HS", "sha"))
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def signed_as_it_stands(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    """A token with RS256, though its header says what a library may refuse to sign."""
    text = f"{part(header)}.{part(claims)}"
    signature = key.private_key.sign(text.encode(), PKCS1v15(), SHA256())  # type: ignore[union-attr]
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def forged(house: House) -> dict[str, tuple[str, str]]:
    """Tokens that must not be accepted, and the code of each answer."""
    now, one, stranger = int(time.time()), house.signer.keys["one"], Signer("one")
    claims = claims_with(owner=str(house.ada))
    header = {"alg": "RS256", "kid": "one", "typ": "JWT"}
    good = house.token()
    head, body, signature = good.split(".")
    public = {"PEM": one.as_pem(private=False), "JSON": orjson.dumps(one.as_dict(private=False)), "DER": one.as_der(private=False)}
    confused = {
        f"{name} signed with the public key as {form}": signed_by_hand(name, claims, secret)
        for name in SECRET_ALGORITHMS
        for form, secret in public.items()
    }
    invalid = {
        "signed by a stranger with the same kid": stranger.token(owner=str(house.ada)),
        "signed with the other key of the set": signed(header, claims, house.signer.keys["two"]),
        "alg none": f"{part(header | {'alg': 'none'})}.{body}.",
        "alg nOnE": f"{part(header | {'alg': 'nOnE'})}.{body}.{signature}",
        "no alg": f"{part({'kid': 'one'})}.{body}.{signature}",
        "alg that is no string": f"{part(header | {'alg': ['RS256']})}.{body}.{signature}",
        "no signature": f"{head}.{body}.",
        "other claims under the signature": f"{head}.{part(claims | {'scope': 'crm:admin'})}.{signature}",
        "a kid that is a path": house.token(header={"kid": "../../../../etc/passwd"}),
        "a kid that is a URL": house.token(header={"kid": "http://127.0.0.1:1/keys"}),
        "a kid with SQL": house.token(header={"kid": "' or 1=1 --"}),
        "a kid that is no string": f"{part(header | {'kid': 7})}.{body}.{signature}",
        "no kid among two keys": signed({"alg": "RS256"}, claims, one),
        "its own key in the header": signed(header | {"jwk": stranger.keys["one"].as_dict(private=False)}, claims, stranger.keys["one"]),
        "a URL of keys in the header": signed(header | {"jku": "http://127.0.0.1:1/"}, claims, stranger.keys["one"]),
        "crit": signed_as_it_stands(header | {"crit": ["exp"], "exp": now + 600}, claims, one),
        "b64": signed_as_it_stands(header | {"b64": True}, claims, one),
        "an algorithm that is not on the list": signed(header | {"alg": "RS512"}, claims, one),
        "another type": house.token(header={"typ": "logout+jwt"}),
        "wrong audience": house.token(aud="other"),
        "audiences without ours": house.token(aud=["a", "b"]),
        "no audience": house.token(aud=None),
        "wrong issuer": house.token(iss="https://id.example.evil"),
        "no issuer": house.token(iss=None),
        "not yet valid": house.token(nbf=now + 60),
        "issued in the future": house.token(iat=now + 60),
        "no expiry": house.token(exp=None),
        "an expiry that is no number": house.token(exp="9999999999"),
        "an expiry that is true": house.token(exp=True),
        "no subject": house.token(sub=None),
        "an empty subject": house.token(sub=""),
        "a subject that passes for a key": house.token(sub="key:01890a5d-ac96-774b-bcce-b302099a8057"),
        "a subject that passes for everybody": house.token(sub="anonymous"),
        "a subject that passes for nobody": house.token(sub="nobody"),
        "a subject with NUL": house.token(sub="a\0b"),
        "a jti with NUL": house.token(jti="a\0b"),
        "a long subject": house.token(sub="a" * 256),
        "an owner who stands for everyone": house.token(owner="00000000-0000-0000-0000-000000000000"),
        "an owner who stands for nobody": house.token(owner="ffffffff-ffff-ffff-ffff-ffffffffffff"),
        "an owner who is no id": house.token(owner="*"),
        "an owner whose id is written in another way": house.token(owner=house.ada.hex),
        "an owner who is a list": house.token(owner=[str(house.ada), str(house.bob)]),
        "claims that are a list": signed(header, [claims], one),
        "five parts, as if encrypted": f"{head}.{body}.{signature}.{body}.{signature}",
        "two parts": f"{head}.{body}",
        "dots": "....",
        "nothing that can be read": "%%%.%%%.%%%",
        "deeply nested": f"{head}.{base64.urlsafe_b64encode(b'[' * 3_000).decode()}.{signature}",
        "a header that is deeply nested": f"{base64.urlsafe_b64encode(b'[' * 3_000).decode()}.{body}.{signature}",
        "long": house.token(x="x" * 8_000),
        "an API key that nobody has": new_key(),
        "the prefix of one": "dg_",
        **confused,
    }
    expired = {"expired": house.token(exp=now - 60), "expired long ago": house.token(exp=0), "expired in the past": house.token(exp=-1e300)}
    named = [("INVALID_CREDENTIAL", invalid), ("CREDENTIAL_EXPIRED", expired)]
    return {name: (token, code) for code, tokens in named for name, token in tokens.items()}


async def test_a_forged_spent_or_misdirected_token_is_refused(house: House) -> None:
    assert (await ask(house.doors[0], house.token())).status_code == 200
    wrong = {}
    for name, (token, code) in forged(house).items():
        response = await ask(house.doors[0], token)
        told = response.text if response.status_code != 401 else refused(response)
        if told != code:
            wrong[name] = told
        assert "passwd" not in response.text
    assert wrong == {}
    assert (await ask(house.doors[0], house.token())).status_code == 200


async def raw(door: httpx2.AsyncClient, *headers: bytes, path: bytes = b"/graphql") -> tuple[int, bytes]:
    """Status and answer of a POST with these header lines, byte for byte."""
    assert door.base_url.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", door.base_url.port)
    body = json.dumps({"query": WHO}).encode()
    lines = [b"POST " + path + b" HTTP/1.1", b"host: x", b"content-type: application/json", b"connection: close", b"content-length: %d" % len(body)]
    writer.write(b"\r\n".join([*lines, *headers]) + b"\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer


async def test_a_credential_that_cannot_be_read_is_refused_and_so_are_two(house: House) -> None:
    good = b"authorization: Bearer " + house.token().encode()
    key = (await house.key("crm:read:all"))[0].encode()
    door = house.doors[0]
    assert (await raw(door, good))[0] == (await raw(door, b"X-Api-Key: " + key))[0] == (await raw(door, b"AUTHORIZATION: bearer  " + key))[0] == 200
    for lines in (
        [], [good, good], [good, b"authorization: Bearer x"], [b"authorization: Bearer x", good], [good, b"x-api-key: " + key],
        [b"authorization: Basic YTpi"], [b"authorization: Bearer"], [b"authorization: "], [b"authorization: " + key],
        [b"authorization: Bearer \xff\xfe\xc3\xa9"], [b"x-api-key: \xe2\x82\xac"], [b"authorization: Bearer " + key + b", Bearer " + key],
        [b"authorization: Bearer " + key + b"\x01"], [b"authorization: Bearer dg_" + b"a" * 8_000],
        [b"cookie: token=" + key], [b"x-api-key: "],
    ):  # fmt: skip
        status, answer = await raw(door, *lines)
        assert status in ((401, 400) if b"\x01" in b"".join(lines) else (401,)), (lines, answer[:300])
    assert (await raw(door, path=b"/graphql?access_token=" + key))[0] == 401
    for nothing in (b"authorization: Bearer", b"authorization: Bearer ", b"authorization: "):
        assert b'"UNAUTHENTICATED"' in (await raw(door, nothing))[1]
    assert (await raw(door, b"authorization: Bearer " + b"a" * 100_000))[0] == 431


async def test_the_openapi_document_says_what_credentials_are_wanted(house: House) -> None:
    headers = {"authorization": f"Bearer {house.token()}"}
    document = (await house.doors[0].get("/api/openapi.json", headers=headers)).json()
    schemathesis.openapi.from_dict(document).validate()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    assert {} in document["paths"]["/api/health"]["get"]["security"]


async def test_only_the_page_and_health_are_open(house: House) -> None:
    door = house.doors[0]
    for path in ("/api/health", "/api/health?ready", "/api/health/", "/graphiql", "/graphiql/boot.js", "/"):
        assert (await door.get(path)).status_code in (200, 307), path
    for link in ("/graphql", "/graphql?query={__typename}"):
        page = await door.get(link, headers={"accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path in ("/graphql", "/graphql?query={__typename}", "/graphql/sha256:0", "/api/batch", "/nothing", "/api/health//", "//graphiql/", "/graphql/../graphiql/x"):
        answer = await get(int(door.base_url.port or 0), path, accept=JSON)
        assert (answer.status, "www-authenticate" in answer.headers) == (401, True), path
    assert refused(await door.get("/graphql?operationName=Stages", headers={"accept": "text/html"})) == "UNAUTHENTICATED"
    assert refused(await door.post("/graphql", headers={"accept": "text/html"})) == "UNAUTHENTICATED"
    for accept, expected in ((GRAPHQL, GRAPHQL), (JSON, JSON), ("*/*", JSON)):
        response = await ask(door, "x", accept=accept)
        assert response.headers["content-type"] == f"{expected}; charset=utf-8"
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert "error" not in (await ask(door, None)).headers["www-authenticate"]


async def test_a_key_that_is_revoked_is_refused_at_once_by_all(house: House) -> None:
    key, row_id = await house.key("crm:read:all", "crm:write:all")
    for door in house.doors:
        await believed(door, key)
        for _ in range(3):
            assert (await ask(door, key, DEALS)).status_code == 200
    assert (await ask(house.doors[0], key)).json()["data"]["viewer"]["subject"] == f"key:{row_id}"
    status, _, said = await keys(house, "revoke", str(row_id))
    assert (status, said) == (0, "revoked\n")
    for door in house.doors:
        for query in (DEALS, WHO, "{ __typename }"):
            assert refused(await ask(door, key, query)) == "INVALID_CREDENTIAL"
            assert refused(await door.post("/graphql", json={"query": query}, headers={"x-api-key": key})) == "INVALID_CREDENTIAL"


@pytest.mark.parametrize("how", ["update api_key set scopes = '{}' where id = $1", "delete from api_key where id = $1", "update api_key set expires_at = now() where id = $1"])
async def test_whatever_is_changed_about_a_key_counts_at_once(house: House, how: str) -> None:
    key, row_id = await house.key("crm:read:all")
    for door in house.doors:
        await believed(door, key)
        assert (await ask(door, key, DEALS)).json()["data"]["deals"]["totalCount"] == 2
    await house.sql.execute(how, row_id)
    async with asyncio.timeout(1):
        for door in house.doors:
            while (answer := await ask(door, key, DEALS)).status_code == 200 and answer.json()["data"]["deals"]["totalCount"]:
                await asyncio.sleep(0.01)


async def test_tokens_are_revoked_one_by_one_or_all_of_a_subject(house: House) -> None:
    one, other = house.token(sub="eve b", jti="the first"), house.token(sub="eve b", jti="the second")
    for door in house.doors:
        await believed(door, one)
        assert [(await ask(door, each)).status_code for each in (one, other)] == [200, 200]
    assert (await keys(house, "revoke", "--token", "the first"))[0] == 0
    for door in house.doors:
        assert refused(await ask(door, one)) == "INVALID_CREDENTIAL"
        assert (await ask(door, other)).status_code == 200
    assert (await keys(house, "revoke", "--subject", "eve b"))[0] == 0
    for door in house.doors:
        assert refused(await ask(door, other)) == "INVALID_CREDENTIAL"
        for issued in (None, int(time.time()) + 5):  # nobody knows when, or by a clock that goes ahead of ours
            assert refused(await ask(door, house.token(sub="eve b", iat=issued))) == "INVALID_CREDENTIAL"
        assert (await ask(door, house.token(sub="eve"))).status_code == 200
    await house.sql.execute("update token_revocation set revoked_at = now() - interval '1 hour'")
    assert (await ask(house.doors[0], house.token(sub="eve b"))).status_code == 200


async def test_nothing_is_believed_longer_than_it_lasts(house: House) -> None:
    door = house.doors[0]
    key, _ = await house.key("crm:read", expires_at=datetime.now(UTC) + timedelta(seconds=1.5))
    token = house.token(exp=time.time() + 1.5 - 10)  # within the leeway: accepted, and never kept
    await believed(door, key)
    assert (await ask(door, token)).status_code == 200
    await asyncio.sleep(2.6)
    assert [refused(await ask(door, each)) for each in (key, token)] == ["CREDENTIAL_EXPIRED"] * 2


async def test_an_answer_is_of_the_one_who_asked_alone(house: House) -> None:
    door, token = house.doors[0], house.token()
    await believed(door, token)
    answers = [await ask(door, token, "{ stages { id } }") for _ in range(2)]
    assert [each.headers["cache-control"] for each in answers] == ["private, no-cache"] * 2


async def test_what_is_kept_for_one_viewer_is_not_shown_to_another(house: House) -> None:
    boss, ada, bob = house.token(sub="boss", owner=None, scope="crm:read:all"), house.token(), house.token(sub="bob", owner=str(house.bob))
    for door in house.doors:
        await believed(door, boss)
        for _ in range(3):
            answers = [(await ask(door, who, DEALS)) for who in (boss, ada, bob)]
            totals = [each.json()["data"]["deals"]["totalCount"] for each in answers]
            assert totals == [2, 1, 1]
            assert SECRET not in answers[1].text and str(AMOUNT) not in answers[1].text
            assert "Apple" not in answers[2].text
        etag = (await ask(door, boss, DEALS)).headers["etag"]
        asked = await door.get("/graphql", params={"query": DEALS}, headers={"authorization": f"Bearer {ada}", "content-type": JSON, "if-none-match": etag})
        assert asked.status_code == 200
    batch = await house.doors[0].post("/graphql", json=[{"query": DEALS}, {"query": WHO}], headers={"authorization": f"Bearer {ada}"})
    assert SECRET not in batch.text


async def test_two_who_ask_at_once_who_they_are_are_each_told_themselves(house: House) -> None:
    tokens = {name: house.token(sub=name, owner=None, scope="crm:read:all") for name in ("kim", "lee", "max", "noa")}
    text = f"query Both {{ me: viewer {{ subject }} deals {{ totalCount }} }} # {time.time()}"
    for _ in range(5):
        answers = await asyncio.gather(*(ask(house.doors[0], token, text) for token in tokens.values()))
        assert [each.json()["data"]["me"]["subject"] for each in answers] == list(tokens)


async def test_who_asks_at_once_with_two_tokens_is_told_of_each_what_it_lets_them(house: House) -> None:
    claims = ({"scope": "crm:read:all"}, {"scope": "crm:read:all crm:write"}, {"scope": "crm:read:all", "owner": str(house.bob)})
    tokens = [house.token(**each) for each in claims]
    text = f"query Both {{ viewer {{ owner {{ id }} scopes }} }} # {time.time()}"
    expected = [(house.ada, ["crm:read:all"]), (house.ada, ["crm:read:all", "crm:write"]), (house.bob, ["crm:read:all"])]
    for _ in range(5):
        answers = await asyncio.gather(*(ask(house.doors[0], token, text) for token in tokens))
        viewers = [each.json()["data"]["viewer"] for each in answers]
        assert [(UUID(each["owner"]["id"]), each["scopes"]) for each in viewers] == expected


async def test_the_schema_is_shown_to_explorers_alone(house: House) -> None:
    text = "{ __schema { queryType { name } } }"
    for _ in range(2):
        assert (await ask(house.doors[0], house.token(scope="crm:read crm:explore"), text)).status_code == 200
        response = await ask(house.doors[0], house.token(), text)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "INTROSPECTION_FORBIDDEN")
        assert response.headers["www-authenticate"] == 'Bearer realm="dealgraph", error="insufficient_scope", scope="crm:explore"'


async def test_what_names_there_are_is_told_to_explorers_alone(house: House) -> None:
    wrong: list[tuple[str, Any, str]] = [
        ("{ compnies { totalCount } }", None, "Cannot query field 'compnies' on type 'Query'."),
        ("query ($f: DealFilter) { deals(filter: $f) { totalCount } }", {"f": {"status": "WONN"}}, "does not exist in 'DealStatus' enum."),
    ]
    for text, variables, told in wrong:
        asked = {"query": text, "variables": variables}
        for scope, has_hint in (("crm:read crm:explore", True), ("crm:read", False)):
            headers = {"authorization": f"Bearer {house.token(scope=scope)}"}
            (error,) = (await house.doors[0].post("/graphql", json=asked, headers=headers)).json()["errors"]
            assert told in error["message"]
            assert ("Did you mean" in error["message"]) == has_hint
    # Who asks the same at the same time joins in, and is told what he may be told.
    asked = {"query": wrong[1][0], "variables": wrong[1][1]}
    for _ in range(10):
        scopes = ("crm:read crm:explore", "crm:read")
        asking = (house.doors[0].post("/graphql", json=asked, headers={"authorization": f"Bearer {house.token(scope=scope)}"}) for scope in scopes)
        assert ["Did you mean" in each.text for each in await asyncio.gather(*asking)] == [True, False]


async def test_keys_of_signers_come_and_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    door, signer = house.doors[0], house.signer
    signer.keys["three"] = Signer("three").keys["three"]
    new = house.token(kid="three")
    fetched = signer.fetched
    monkeypatch.setattr(key_set, "REFETCH_AFTER_S", 3_600.0)
    assert [refused(await ask(door, new)) for _ in range(3)] == ["INVALID_CREDENTIAL"] * 3
    assert signer.fetched == fetched  # names of keys that nobody has make us ask for none
    monkeypatch.setattr(key_set, "REFETCH_AFTER_S", 0.0)
    signer.published = ("two", "three")
    signer.is_down = True
    assert refused(await ask(door, new)) == "INVALID_CREDENTIAL"
    assert (await ask(door, house.token(kid="one", sub="still known"))).status_code == 200
    signer.is_down = False
    assert (await ask(door, new)).status_code == 200
    assert refused(await ask(door, house.token(kid="one", sub="gone"))) == "INVALID_CREDENTIAL"
    signer.published = ("one", "two", "three")


async def test_that_a_key_is_used_is_written_down_later_and_seldom(house: House, monkeypatch: pytest.MonkeyPatch, valkey: EmbeddedValkey) -> None:
    monkeypatch.setattr(authenticator, "USES_EVERY_S", 0.2)
    key, row_id = await house.key("crm:read")
    used = "select last_used_at from api_key where id = $1"
    settings = settings_for(house.url, valkey, auth="keys")
    async with serving(settings) as door:
        assert refused(await ask(door, house.token())) == "INVALID_CREDENTIAL"
        assert (await ask(door, key)).status_code == 200
        assert await house.sql.fetchval(used, row_id) is None
        async with asyncio.timeout(5):
            while (first := await house.sql.fetchval(used, row_id)) is None:
                await ask(door, key)
                await asyncio.sleep(0.02)
        monkeypatch.setattr(authenticator, "USES_EVERY_S", 60.0)
    assert abs((datetime.now(UTC) - first).total_seconds()) < 5


async def test_that_a_key_was_used_is_written_down_when_the_server_stops(house: House, valkey: EmbeddedValkey) -> None:
    key, row_id = await house.key("crm:read")
    async with serving(settings_for(house.url, valkey, auth="keys")) as door:
        assert (await ask(door, key)).status_code == 200
    assert await house.sql.fetchval("select now() - last_used_at < interval '1 minute' from api_key where id = $1", row_id)


async def test_keys_are_made_and_listed_on_the_command_line(house: House, tmp_path: Path) -> None:
    made = await keys(house, "create", "nightly export", "--scope", "crm:read", "--owner", str(house.ada), "--expires", "90d")
    status, key, said = made
    assert status == 0
    assert key.startswith("dg_") and len(key.strip()) == 46
    assert key.strip() not in said
    answer = await ask(house.doors[1], key.strip(), DEALS)
    assert answer.json()["data"]["deals"]["totalCount"] == 1
    status, listed, _ = await keys(house, "list")
    (line,) = [each for each in listed.splitlines() if "nightly export" in each]
    assert line.split("\t")[1:5] == ["active", "nightly export", "crm:read", "Ada"]
    assert key.strip() not in listed
    dump = str(await house.sql.fetch("select api_key::text as row from api_key"))
    assert key.strip() not in dump and key.strip()[3:] not in dump
    for wrong in (["--scope", "crm:everything"], ["--scope", "crm:read", "--expires", "1999-01-01"], []):
        assert (await keys(house, "create", "x", *wrong))[0] == 2
    assert (await keys(house, "create", "x", "--scope", "crm:read", "--owner", "nobody@example.com"))[0] == 1
    assert (await keys(house, "revoke", "01890a5d-ac96-774b-bcce-b302099a8057"))[0] == 1
    assert (await keys(house, "revoke"))[0] == 2


async def test_while_nothing_can_be_heard_every_credential_is_looked_up(house: House, valkey: EmbeddedValkey) -> None:
    key, row_id = await house.key("crm:read")
    door = house.doors[0]
    for each in house.doors:
        await believed(each, key)
    heartbeat = "datname = 'guarded' and query like '%health.synchronise%' and application_name <> 'dealgraph' and pid <> pg_backend_pid()"
    assert await house.sql.fetchval(f"select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where {heartbeat}") == len(house.doors)
    await house.sql.execute("update api_key set revoked_at = now() where id = $1", row_id)
    async with asyncio.timeout(LEASE_S):  # so long nothing may be heard before a line counts as dead
        while (answer := await ask(door, key)).status_code == 200:
            await asyncio.sleep(0.01)
    assert refused(answer) == "INVALID_CREDENTIAL"
