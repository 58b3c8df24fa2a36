"""Which credentials are read, from where, and what is said of those that cannot be right: by the real client."""

import json
import logging
import os
import subprocess
import sys

import pytest
from kagglesdk.kaggle_env import KaggleEnv

from local.core import workspace
from local.core.checks import BAD, GOOD
from local.doctor import examine
from local.jobs import connect
from shared.core.errors import CredentialsError, KernelError

SECRET = "KGAT_0123secret"


@pytest.fixture
def machine(tmp_path, monkeypatch, shared_emulator):
    """A machine without credentials, whose Kaggle is the emulator. Gives its ~/.kaggle."""
    for name in [name for name in os.environ if name.startswith("KAGGLE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setattr("kagglesdk.kaggle_env._env_to_endpoint", dict.fromkeys(KaggleEnv, shared_emulator.url))
    (tmp_path / ".kaggle").mkdir()
    return tmp_path / ".kaggle"


def kaggle_json(emulator, **changes):
    return json.dumps({"username": emulator.username, "key": emulator.key, **changes})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["kaggle.json", "access_token", "access_token.txt"])
def test_a_file_is_read_with_or_without_a_byte_order_mark_and_named(machine, shared_emulator, name, encoding):
    text = kaggle_json(shared_emulator) if name == "kaggle.json" else f"{shared_emulator.key}\r\n"
    (machine / name).write_text(text, encoding=encoding)
    service = connect.connect("kaggle")
    assert service.quota() and service.username == shared_emulator.username
    assert service.origin.endswith(f" in {machine / name}")


@pytest.mark.parametrize("name", ["kaggle.json", "access_token"])
def test_the_folder_that_is_named_is_looked_through_and_told(machine, shared_emulator, tmp_path, monkeypatch, name):
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(elsewhere))
    with pytest.raises(CredentialsError, match=f"no Kaggle credentials in {elsewhere}.*{elsewhere}/access_token"):
        connect.connect("kaggle")
    elsewhere.mkdir()
    (elsewhere / name).write_text(kaggle_json(shared_emulator) if name == "kaggle.json" else shared_emulator.key)
    assert connect.connect("kaggle").origin.endswith(f" in {elsewhere / name}")


def test_what_is_not_read_because_another_comes_first_is_told(machine, shared_emulator, monkeypatch, caplog):
    (machine / "access_token").write_text(shared_emulator.key)
    (machine / "access_token").chmod(0o600)
    (machine / "kaggle.json").write_text(kaggle_json(shared_emulator))
    (machine / "kaggle.json").chmod(0o600)
    with caplog.at_level(logging.INFO, logger="local"):
        connect.connect("kaggle")
    token, key = f"the access token in {machine}/access_token", f"{machine}/kaggle.json"
    assert f"by {token}" in caplog.text and f"not read, since that comes first: {key}" in caplog.text
    found = examine.look("credentials")
    assert (found.verdict, found.found) == (GOOD, f"from {token} (not read, as that comes first: {key})")
    monkeypatch.setenv("KAGGLE_API_TOKEN", shared_emulator.key)
    assert examine.look("credentials").found.startswith("from the access token in KAGGLE_API_TOKEN (not read")
    assert shared_emulator.key not in caplog.text + examine.look("credentials").found


MISPLACED = {
    "in kaggle.json": {"kaggle.json": json.dumps({"username": "me", "key": SECRET})},
    "as kaggle.json": {"kaggle.json": SECRET},
    "by another name": {"kaggle.json": json.dumps({"token": SECRET})},
}


@pytest.mark.parametrize("files", MISPLACED.values(), ids=MISPLACED)
def test_a_token_in_the_place_of_a_key_is_told_where_it_belongs(machine, files):
    for name, text in files.items():
        (machine / name).write_text(text)
    with pytest.raises(
        CredentialsError, match=r"kaggle\.json: it has an access token.*\n.*/access_token, or set"
    ) as at:
        connect.connect("kaggle")
    assert SECRET not in str(at.value) and str(at.value).count("\n") == 1
    assert examine.look("credentials").verdict == BAD


def test_a_token_in_a_variable_for_a_key_is_told_where_it_belongs(machine, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    with pytest.raises(CredentialsError, match="KAGGLE_KEY: it has an access token"):
        connect.connect("kaggle")


def test_a_kaggle_json_in_the_place_of_a_token_is_told(machine, shared_emulator):
    (machine / "access_token").write_text(kaggle_json(shared_emulator))
    with pytest.raises(CredentialsError, match=r"has the content of a kaggle\.json: save it under that name"):
        connect.connect("kaggle")


ENDLESS = ["/dev/full", "/dev/zero", "/dev/tty", "pipe", "folder", "large", "empty"]


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes have other names there")
@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("where", ["KAGGLE_API_TOKEN", "access_token", "kaggle.json", "credentials.json"])
def test_what_is_no_file_of_a_token_is_refused_at_once(machine, tmp_path, monkeypatch, name, where):
    path = tmp_path / name.rpartition("/")[2]
    if name == "pipe":
        os.mkfifo(path)  # that nobody writes to
    elif name == "folder":
        path.mkdir()
    elif name.startswith("/dev/"):
        path.symlink_to(name)
    else:
        path.write_text("x" * 2_000_000 if name == "large" else "")
    if where == "KAGGLE_API_TOKEN":
        monkeypatch.setenv(where, str(path))
    else:
        (machine / where).symlink_to(path)
    with pytest.raises(CredentialsError) as refused:
        connect.connect("kaggle")
    assert len(str(refused.value)) < 500 and str(refused.value).count("\n") <= 1


@pytest.mark.skipif(os.name != "posix", reason="there is no such device there")
def test_no_command_reads_an_endless_token(tmp_path):
    """By the command line: the emulator, which needs no token, does not look at it; Kaggle's side says what it is."""
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "K2L_HOME": str(tmp_path / "k2l")}
    surroundings |= {"KAGGLE_API_TOKEN": "/dev/full", "KAGGLE_API_ENVIRONMENT": "LOCALHOST"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "quota"],
        env=surroundings, cwd=workspace.CHECKOUT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1 and "/dev/full (named by KAGGLE_API_TOKEN) cannot be read" in done.stderr
    assert "not a regular file" in done.stderr and "Traceback" not in done.stderr


def test_the_emulator_needs_no_credentials_and_looks_at_none(machine, shared_emulator, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "/dev/full")
    assert connect.at_loopback(shared_emulator.url, username=shared_emulator.username, key=shared_emulator.key).quota()


def test_every_error_about_credentials_says_where_they_were_read(machine, shared_emulator, monkeypatch):
    (machine / "kaggle.json").write_text(kaggle_json(shared_emulator, key="another"))
    from_file = f"They were read from the key in {machine}/kaggle.json"
    service = connect.connect("kaggle")
    with pytest.raises(CredentialsError, match=from_file):
        service.quota()
    with pytest.raises(CredentialsError, match=from_file):
        service.create(service._kernels.save_kernel, None, "the push of it", lambda answer: answer)
    (machine / "access_token").write_text("wrong")
    with pytest.raises(CredentialsError, match=f"{machine}/access_token is not valid any more"):
        connect.connect("kaggle")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong")
    with pytest.raises(CredentialsError, match="the access token in KAGGLE_API_TOKEN is not valid"):
        connect.connect("kaggle")


@pytest.mark.parametrize(("status", "said"), [(503, "HTTP 503"), (429, "HTTP 429")])
def test_a_service_that_fails_over_a_token_is_not_a_wrong_token(
    machine, shared_emulator, no_waits, monkeypatch, status, said
):
    (machine / "access_token").write_text(shared_emulator.key)
    shared_emulator.faults.add(fault="status", method="IntrospectToken", status=status, times=None)
    try:
        with pytest.raises(KernelError, match=said) as error:
            connect.connect("kaggle")
    finally:
        shared_emulator.faults.clear()
    assert not isinstance(error.value, CredentialsError) and "same command" in str(error.value)
