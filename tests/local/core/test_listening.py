"""Sockets of our own servers: which addresses mean this machine alone."""

from types import SimpleNamespace

import pytest

from local.core import listening
from shared.core.errors import ConfigError


@pytest.mark.parametrize("host", ["é" * 300, "a" * 64, "nosuch.invalid", "300.1.1.1", "::g", "a\nb", "a\0b"])
def test_a_host_that_is_none_is_an_error_of_one_line(host):
    with pytest.raises(ConfigError, match="is not a name or address") as raised:
        listening.addresses(host)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "address", "url"),
    [
        (None, "127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "127.0.0.1", "http://localhost:80"),
        ("::1", "::1", "http://[::1]:80"),
        ("0.0.0.0", "0.0.0.0", "http://127.0.0.1:80"),
    ],
)
def test_the_url_is_that_of_the_host_that_was_named(host, address, url):
    assert listening.url_of(host, [SimpleNamespace(getsockname=lambda: (address, 80))]) == url


def test_loopback_is_told_from_what_others_reach():
    assert all(map(listening.is_loopback, ("127.0.0.1", "127.3.2.1", "::1", "localhost")))
    assert not any(map(listening.is_loopback, ("0.0.0.0", "::", "192.168.1.2", "localhost.me.org", "")))
