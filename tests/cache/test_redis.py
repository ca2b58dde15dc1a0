"""Which URLs of a cache are taken: what is wrong with one is known before anything is asked of it, and told without it."""

import pytest

from cache.redis import RedisCache


@pytest.mark.parametrize("url", ["redis://h", "rediss://:p@h/", "redis://h:1/15?protocol=3", "unix:///a/b.sock?db=2"])
async def test_a_url_may_have_a_number_of_a_database_and_parameters(url: str) -> None:
    await RedisCache(url).close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://:hunter2@host:port", "not a URL that redis-py can read"),
        ("redis://:hunter2@[::1/0", "not a URL that redis-py can read"),
        ("redis://:hunter2@host/abc", "the number of a database"),
        ("redis://:hunter2@host:6379/0/1", "the number of a database"),
        ("redis://host/hunter2:x@host", "the number of a database"),
        ("redis://host/0?hunter2=1", "no such parameter"),
        ("redis://host/0?retry=3", "no such parameter"),
        ("redis://host/0?parser_class=x", "no such parameter"),
        ("redis://host/0?ssl_ca_certs=/none", "no such parameter"),
        ("redis://:hunter2@host?decode_responses=true", "decode_responses must not be set"),
    ],
)
async def test_what_is_wrong_with_a_url_is_told_without_it(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        RedisCache(url)
    assert "hunter2" not in str(refused.value)
