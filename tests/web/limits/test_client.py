"""Whom a request is counted for: nobody gets more by writing headers, and nobody is counted for his neighbour."""

import pytest
from starlette.types import Scope

from core.settings import Settings
from core.viewer import EVERYONE, NOBODY, Viewer
from web.limits.client import UNLIMITED, client_named, is_from_trusted_proxy, peer_of

SETTINGS = Settings.model_validate({"trusted_proxies": "10.0.0.0/8, fd00::/8, 203.0.113.7", "limit_exempt": "192.0.2.0/24, 2001:db8:ff::/48"})


def scope(host: str | None, *forwarded: str) -> Scope:
    """A request from there."""
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded]
    return {"type": "http", "client": (host, 1) if host else None, "headers": headers}


def client(host: str | None, *forwarded: str, viewer: Viewer | None = None) -> str:
    """Whom a request from there is counted for."""
    return client_named(viewer, peer_of(scope(host, *forwarded), SETTINGS))


@pytest.mark.parametrize(
    ("host", "forwarded", "counted"),
    [
        ("198.51.100.1", (), "ip:198.51.100.1"),
        ("198.51.100.1", ("1.2.3.4",), "ip:198.51.100.1"),
        ("198.51.100.1", ("192.0.2.1",), "ip:198.51.100.1"),
        ("10.1.1.1", ("1.2.3.4",), "ip:1.2.3.4"),
        ("10.1.1.1", ("192.0.2.66, 1.2.3.4",), "ip:1.2.3.4"),
        ("10.1.1.1", ("9.9.9.9, 1.2.3.4 , 203.0.113.7, 10.2.2.2",), "ip:1.2.3.4"),
        ("10.1.1.1", ("9.9.9.9", "1.2.3.4, 10.2.2.2"), "ip:1.2.3.4"),
        ("10.1.1.1", ("1.2.3.4:5678",), "ip:1.2.3.4"),
        ("10.1.1.1", ("[2001:db8:1:2:3::9]:443",), "ip:2001:db8:1:2::/64"),
        ("10.1.1.1", ("",), "ip:10.1.1.1"),
        ("10.1.1.1", ("1.2.3.4, unknown",), "ip:10.1.1.1"),
        ("10.1.1.1", ("\xff\xfe,' or 1=1--",), "ip:10.1.1.1"),
        ("10.1.1.1", (", ".join(["10.0.0.1"] * 5_000),), "ip:10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", (), "ip:2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", (), "ip:2001:db8:1:2::/64"),
        ("::ffff:10.1.1.1", ("::ffff:1.2.3.4",), "ip:1.2.3.4"),
        ("fe80::1%eth0", (), "ip:fe80::/64"),
        ("192.0.2.9", (), UNLIMITED),
        ("10.1.1.1", ("2001:db8:ff::1",), UNLIMITED),
        (None, ("1.2.3.4",), "local"),
    ],
)
def test_the_address_is_the_last_one_that_is_not_a_proxy_of_ours(host: str | None, forwarded: tuple[str, ...], counted: str) -> None:
    assert client(host, *forwarded) == counted
    assert client(host, *forwarded, viewer=EVERYONE) == counted
    assert client(host, *forwarded, viewer=NOBODY) == counted


def test_a_viewer_with_a_name_is_counted_by_it_wherever_they_are() -> None:
    key = Viewer("key:1")
    assert client("198.51.100.1", viewer=key) == client("2001:db8::1", viewer=key) == "subject:key:1"
    assert client("192.0.2.1", viewer=key) == UNLIMITED
    # No token makes a subject an address.
    assert client("198.51.100.1", viewer=Viewer("ip:1.2.3.4")) == "subject:ip:1.2.3.4"


def test_only_a_proxy_of_ours_speaks_for_the_client() -> None:
    assert is_from_trusted_proxy(scope("10.9.9.9"), SETTINGS)
    assert not is_from_trusted_proxy(scope("198.51.100.1", "10.9.9.9"), SETTINGS)
