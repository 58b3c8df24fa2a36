"""Who gets to the emulator: this machine, with the key, and no page of a browser. The rest is turned away in words."""

import http.client
import json
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from local.core import listening, workspace
from local.emulator import address
from local.emulator.kernel_methods import METHODS
from local.emulator.serving import Running
from shared.core.errors import ConfigError

FAULT = {"fault": "drop", "method": "*"}


def asked(emulator, target, **headers):
    """(status, text) of a request with the key; `headers` win, `_` stands for `-`."""
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    every = {"Authorization": f"Bearer {emulator.key}"}
    every |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", target, headers=every)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "192.0.2.7", "2001:db8::1", "::ffff:127.0.0.1", "named.lan"])
def test_what_others_can_reach_is_not_listened_on_by_mistake(monkeypatch, host):
    monkeypatch.setattr(listening, "bound", lambda *where: pytest.fail(f"it listens on {where}"))
    if host == "named.lan":
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
        found += [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(listening.ExposedError, match=r"runs code here as you\.\n.*--i-know") as error:
        listening.listen(host, 0, risk=address.RISK)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("host", [None, "127.0.0.1", "127.0.0.9", "localhost"])
def test_loopback_needs_no_leave(host):
    sockets = listening.listen(host, 0, risk=address.RISK)
    hosts = {one.getsockname()[0] for one in sockets}
    for one in sockets:
        one.close()
    assert hosts and all(map(listening.is_loopback, hosts))


def test_a_host_that_is_none_is_said():
    with pytest.raises(ConfigError, match="is not a name or address"):
        listening.listen("no such host", 0, risk=address.RISK)


def test_the_command_refuses_and_with_leave_warns(tmp_path):
    command = [sys.executable, "-m", "scripts.emulator", "--port", "0", "--state", str(tmp_path), "--host", "0.0.0.0"]
    done = subprocess.run(command, cwd=workspace.CHECKOUT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)
    assert (
        done.stderr.startswith("error: other machines can reach --host 0.0.0.0: ")
        and "runs code here as you" in done.stderr
    )
    command += ["--i-know", "--idle-timeout", "0.2", "--quiet", "--json"]
    done = subprocess.run(command, cwd=workspace.CHECKOUT, capture_output=True, text=True, timeout=60)
    assert (
        done.returncode == 0
        and done.stderr.startswith("WARNING: it listens on 0.0.0.0")
        and done.stderr.count("\n") == 1
    )
    assert json.loads(done.stdout)["url"].startswith("http://127.0.0.1:")


def test_an_address_that_was_asked_for_is_a_host_of_its_own(tmp_path, monkeypatch):
    """Nothing listens beyond loopback in a test: an address of it stands for one of the network."""
    monkeypatch.setattr(listening, "is_loopback", lambda host: host in ("127.0.0.1", "localhost"))
    with pytest.raises(listening.ExposedError):
        Running(tmp_path, host="127.0.0.5")
    running = Running(tmp_path, host="127.0.0.5", i_know=True)
    try:
        assert (running.exposed, running.url.rpartition(":")[0]) == (["127.0.0.5"], "http://127.0.0.5")
    finally:
        for one in running.sockets:
            one.close()
        running.lock.release()
    assert address.why_not(["127.0.0.5"], origin=False, own="127.0.0.5") == ""
    assert address.why_not(["evil.test"], origin=False, own="127.0.0.5") != ""


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80", "10.0.0.1", "0.0.0.0", "[", ""]
)
def test_a_page_that_gives_its_own_name_our_address_is_turned_away(shared_emulator, host):
    status, text = asked(shared_emulator, "/emulator/ping", Host=host)
    assert status == 403 and "is not called" in text and shared_emulator.key not in text
    if host not in ("[", ""):
        assert asked(shared_emulator, f"http://{host}/emulator/ping", Host="localhost")[0] == 403


@pytest.mark.parametrize("target", ["http://[/emulator/ping", "foo://[", "*", "//[/a://b"])
def test_a_target_that_is_no_url_is_turned_away(shared_emulator, target):
    assert asked(shared_emulator, target, Host="localhost")[0] in (403, 404)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:7777"])
def test_every_name_of_loopback_is_ours(shared_emulator, host):
    assert asked(shared_emulator, "/emulator/ping", Host=host)[0] == 200
    assert asked(shared_emulator, f"http://{host}/emulator/ping", Host="localhost")[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost", ""])
def test_no_page_of_a_browser_is_answered(emulator, origin):
    """With the key, and with none where none is asked for: a preflight, storage, and a push as a simple form."""
    emulator.finished("one-file", {"a.txt": b"secret"})
    signed = emulator.outputs("one-file")["files"][0]["url"]
    for ask in (
        lambda: emulator.http.get(signed, headers={"Origin": origin}),
        lambda: emulator.http.options(f"{emulator.url}/emulator/faults", headers={"Origin": origin}),
        lambda: emulator.http.post(
            f"{emulator.url}/emulator/faults",
            json=FAULT,
            auth=(emulator.username, emulator.key),
            headers={"Origin": origin},
        ),
    ):
        answer = ask()
        assert answer.status_code == 403 and "page of a browser" in answer.json()["error"]["message"]
        assert not any(name.lower().startswith("access-control") for name in answer.headers)
    assert emulator.faults.listed() == []


def test_every_route_asks_for_the_key(shared_emulator):
    emulator = shared_emulator
    emulator.finished("log-and-all", {"a.txt": b"a"})
    base, stream = emulator.url, f"/kernels/logs/stream/{emulator.username}/log-and-all"
    routes = [("GET", f"{base}{prefix}{stream}") for prefix in ("/api/v1", "/v1")]
    routes += [("GET", f"{base}/emulator/ping")]
    routes += [(method, f"{base}/emulator/faults") for method in ("GET", "POST", "DELETE")]
    routes += [("POST", f"{base}/api/v1/{name}") for name, one in METHODS.items() if one.asks_for_key]
    assert {name for name, one in METHODS.items() if not one.asks_for_key} == {"security.OAuthService/IntrospectToken"}
    wrong = [None, (emulator.username, ""), (emulator.username, emulator.key[:-1]), ("", emulator.key)]
    for method, url in routes:
        for auth in wrong:
            answer = emulator.http.request(method, url, json=FAULT if method == "POST" else None, auth=auth, timeout=10)
            assert answer.status_code == 401, (method, url, auth)
            assert emulator.key not in answer.text
    assert emulator.faults.listed() == [] and emulator.store.kernel(emulator.username, "log-and-all")


def test_a_token_that_is_no_text_is_nobodys(shared_emulator):
    answer = shared_emulator.call("IntrospectToken", "security.OAuthService", token="\ud800")
    assert answer.status_code == 400 and "cannot be parsed" in answer.json()["error"]["message"]
