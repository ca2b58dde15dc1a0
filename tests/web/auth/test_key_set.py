"""Keys of who signs tokens: read once for all who wait, seldom for names that nobody has, and kept while they cannot be read."""

import asyncio
import threading
from pathlib import Path

import orjson
import pytest
from joserfc import jwk

from core.errors import Unavailable
from core.settings import Settings, SettingsError
from tests.web.auth.signing import AUDIENCE, ISSUER, Signer
from web.auth import key_set
from web.auth.key_set import MOST_BYTES, REFETCH_AFTER_S, PublicKeys, check_keys, keys_of, open_keys


async def test_a_set_is_read_once_for_all_who_wait_and_seldom_for_names_that_nobody_has() -> None:
    signer, now, read, gate = Signer("one"), [0.0], [0], threading.Event()

    def slowly() -> bytes:
        read[0] += 1
        gate.wait(5)
        return signer.key_set()

    keys = PublicKeys(slowly, lambda: now[0])
    waiting = [asyncio.create_task(keys.find("one", "RS256")) for _ in range(20)]
    await asyncio.sleep(0.05)
    gate.set()
    assert all(await asyncio.gather(*waiting))
    assert read == [1]
    assert [await keys.find(f"made up {number}", "RS256") for number in range(20)] == [None] * 20
    now[0] += REFETCH_AFTER_S
    assert [await keys.find(f"made up {number}", "RS256") for number in range(20)] == [None] * 20
    assert read == [2]


async def test_a_set_that_cannot_be_read_leaves_the_keys_as_they_were() -> None:
    signer, answer = Signer("one"), [b""]
    keys = PublicKeys(lambda: answer[0])
    with pytest.raises(Unavailable):
        await keys.find("one", "RS256")
    answer[0] = signer.key_set()
    await keys.refresh()
    for broken in (b"", b"{}", b"[]", b'{"keys": 7}', b"<html>"):
        answer[0] = broken
        await keys.refresh()
        assert await keys.find("one", "RS256") is not None
    answer[0] = b'{"keys": []}'  # nobody signs any more
    await keys.refresh()
    assert await keys.find("one", "RS256") is None


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"GARBAGE\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    ],
)  # fmt: skip
async def test_whatever_the_address_of_a_set_answers_it_can_be_read_again(broken: bytes) -> None:
    good = Signer("one").key_set()
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(good), good), broken]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers[0])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        given = {"auth": "jwt", "jwt_jwks": where, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
        keys = open_keys(Settings.model_validate(given))
        assert isinstance(keys, PublicKeys)
        for _ in range(2):  # good, broken
            await keys.refresh()
            assert await keys.find("one", "RS256") is not None
            answers.reverse()


async def test_nobody_but_the_setting_says_where_the_keys_are() -> None:
    good, stranger = Signer("one").key_set(), Signer("stranger").key_set()
    answers = {b"/": good, b"/elsewhere": stranger}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        found = answers[path]
        status = b"200 OK" if found else b"302 Found\r\nLocation: /elsewhere"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(found), found))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        keys = open_keys(Settings.model_validate({"auth": "jwt", "jwt_jwks": where, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}))
        assert isinstance(keys, PublicKeys)
        await keys.refresh()
        answers[b"/"] = b""
        await keys.refresh()
        assert await keys.find("one", "RS256") is not None
        assert await keys.find("stranger", "RS256") is None


async def test_who_waits_for_a_set_that_never_comes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "FETCH_TIMEOUT_S", 0.01)
    gate = threading.Event()

    def never() -> bytes:
        gate.wait(10)
        return b""

    try:
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await PublicKeys(never).find("one", "RS256")
    finally:
        gate.set()


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # of the small key, which is what this is about
async def test_only_keys_that_are_fit_to_verify_are_used() -> None:
    small = jwk.RSAKey.generate_key(1024, {"kid": "small"}).as_dict(private=False)
    secret = jwk.OctKey.import_key(b"s" * 32, {"kid": "secret"}).as_dict(private=True)
    fine = jwk.RSAKey.generate_key(2048, {"kid": "fine", "alg": "RS256"}).as_dict(private=False)
    sealing = jwk.RSAKey.generate_key(2048, {"kid": "sealing", "use": "enc"}).as_dict(private=False)
    curve = jwk.OKPKey.generate_key("Ed25519", {"kid": "curve"}).as_dict(private=False)
    broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
    odd = {**fine, "kid": "odd", "key_ops": 5}
    text = orjson.dumps({"keys": [small, secret, fine, sealing, curve, broken, odd, 7, {"kty": "AKP"}, {}]})
    assert [each.get("kid") for each in keys_of(text)] == ["fine", "curve"]
    keys = PublicKeys(lambda: text)
    assert await keys.find(None, "RS256") is not None
    for kid, algorithm in (("fine", "PS256"), ("fine", "ES256"), ("fine", "Ed25519"), ("curve", "RS256"), (None, "HS256"), ("secret", "HS256")):
        assert await keys.find(kid, algorithm) is None
    assert await keys.find("curve", "EdDSA") is not None


def test_a_file_of_keys_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    given = {"auth": "jwt", "jwt_jwks": str(path), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    with pytest.raises(SettingsError, match=r"JWT_JWKS=.*keys\.json: No such file"):
        check_keys(Settings.model_validate(given))
    path.write_bytes(b"{}")
    with pytest.raises(SettingsError, match="has no `keys`"):
        check_keys(Settings.model_validate(given))
    path.write_bytes(Signer("one").key_set() + b" " * MOST_BYTES)
    with pytest.raises(SettingsError, match="is longer than"):
        check_keys(Settings.model_validate(given))
    path.write_bytes(Signer("one").key_set())
    check_keys(Settings.model_validate(given))
