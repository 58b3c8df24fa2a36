"""The tests see nothing of the user whose machine they run on."""

import os
import subprocess
import tempfile

from local.core import workspace
from local.kaggle_api import credentials
from shared.data import datasets
from tests.surroundings import bare


def test_what_a_user_sets_is_not_for_the_tests(tmp_path):
    (tmp_path / ".cache").mkdir()
    usual = {"PATH": "/usr/bin", "OMP_NUM_THREADS": "1", "K2L_DATA": "/data", "SSL_CERT_FILE": "ca.pem"}
    set_by_them = {
        "HOME": str(tmp_path), "K2L_HOME": "/k2l", "K2L_MODEL": "theirs", "KAGGLE_KEY": "k", "KAGGLE_CONFIG_DIR": "/k",
        "KAGGLE_KERNEL_RUN_TYPE": "Batch", "XDG_CONFIG_HOME": "/config", "LC_ALL": "C", "LANG": "C", "TERM": "dumb",
        "NO_COLOR": "1", "COLUMNS": "40", "GIT_DIR": "/other", "GIT_CONFIG_COUNT": "0",
    }  # fmt: skip
    seen = bare(usual | set_by_them, "/their-own")
    assert seen["HOME"] == "/their-own" and seen["XDG_CACHE_HOME"] == str(tmp_path / ".cache")
    assert seen.items() >= {name: value for name, value in usual.items() if name != "PATH"}.items()
    assert {name for name in set_by_them if name in seen} == {"HOME", "LANG", "TERM", "GIT_CONFIG_COUNT"}
    assert seen["LANG"] == "C.UTF-8" and seen["PATH"].endswith(":/usr/bin")


def test_these_tests_have_no_credentials_and_no_data_set_of_this_machine():
    assert os.environ["HOME"].startswith(tempfile.gettempdir())
    assert credentials.find() is None
    assert not list(datasets._mounts())


def test_git_tells_the_commit_whoever_owns_the_checkout():
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=workspace.CHECKOUT, capture_output=True, check=True)
    assert len(done.stdout.strip()) >= 40
