"""Whatever lies where credentials are looked for: who we are, or a line that does not quote them."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kagglesdk.kaggle_env import KaggleEnv

from local.jobs import connect
from shared.core.errors import UserError
from tests.fuzz.answering import Answering
from tests.fuzz.malformed import DEEP, json_values, mutated, told

SECRET = "topsecret"
KAGGLE_JSON = {"username": "me", "key": SECRET}
LOGIN = {
    "refresh_token": SECRET, "access_token": SECRET, "access_token_expiration": "2999-01-01T00:00:00+00:00",
    "username": "me", "scopes": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def there():
    """The service that is asked whose a token is, and for a new one."""
    with Answering() as one:
        one.say({"active": True, "username": "me", "token": SECRET, "expiresIn": 3600})
        yield one


@pytest.fixture
def connected(there, tmp_path, monkeypatch):
    """`connected(file, content)`: who we are with that file alone in ~/.kaggle, or with that variable."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setattr("kagglesdk.kaggle_env._env_to_endpoint", dict.fromkeys(KaggleEnv, there.url))  # production too
    (tmp_path / ".kaggle").mkdir()

    def run(name="", content=b"", **variables):
        for path in (tmp_path / ".kaggle").iterdir():
            path.unlink()
        if name:
            (tmp_path / ".kaggle" / name).write_bytes(content)
        with monkeypatch.context() as patch:
            for variable, value in variables.items():
                patch.setenv(variable, value)
            with told():
                one = connect.connect("kaggle")
                assert isinstance(one.username, str) and one.username
                assert one.quota()

    return run


files = st.sampled_from(["kaggle.json", "access_token", "access_token.txt", "credentials.json"])


@given(files, st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()))
@example("kaggle.json", b"[" * DEEP)
@example("credentials.json", b"[" * DEEP)
@example("credentials.json", b"[1]")
@example("credentials.json", b"\xff")
@example("access_token", b"\xff\xfe")
@example("access_token", b"top\nsecret")
@example("access_token", b"top\0secret")
@example("access_token", "tôpsecret€".encode())
@example("kaggle.json", b'{"username": "a\\nb", "key": "k"}')
def test_any_file_is_told(connected, name, content):
    connected(name, content)


@given(mutated(KAGGLE_JSON), mutated(LOGIN))
@example(KAGGLE_JSON, LOGIN | {"access_token_expiration": "2999-01-01T00:00:00"})
@example(KAGGLE_JSON, LOGIN | {"access_token_expiration": "soon"})
@example(KAGGLE_JSON, LOGIN | {"access_token": ["a"]})
@example(KAGGLE_JSON, LOGIN | {"access_token": "a\nb"})
@example(KAGGLE_JSON, LOGIN | {"access_token": "", "refresh_token": 5})
def test_a_good_file_with_a_part_changed_is_told(connected, key, login):
    connected("kaggle.json", json.dumps(key).encode())
    connected("credentials.json", json.dumps(login).encode())


variables = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@settings(max_examples=settings().max_examples // 2)
@given(variables, variables, variables)
@example("a" * 300, "", "")
@example("a\nb", "", "")
@example("€", "", "")
@example("", "€", "€")
@example("", "a\nb", "k")
def test_any_variables_are_told(connected, token, username, key):
    connected(KAGGLE_API_TOKEN=token, KAGGLE_USERNAME=username, KAGGLE_KEY=key)


@pytest.mark.parametrize("token", [SECRET * 40, f"{SECRET}\n{SECRET}", f"{SECRET}€", f" {SECRET}", f"{SECRET}\x7f"])
def test_a_token_that_cannot_be_one_is_not_quoted(connected, monkeypatch, token):
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    try:
        connect.connect("kaggle").quota()
    except UserError as error:
        assert SECRET not in str(error)
