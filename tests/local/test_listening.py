"""Sockets of our own servers: which addresses mean this machine alone."""

from local import listening


def test_loopback_is_told_from_what_others_reach():
    assert all(map(listening.is_loopback, ("127.0.0.1", "127.3.2.1", "::1", "localhost")))
    assert not any(map(listening.is_loopback, ("0.0.0.0", "::", "192.168.1.2", "localhost.me.org", "")))
