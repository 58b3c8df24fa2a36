"""How the threads of a training wait for each other is settled before torch is loaded, unless the user has said so."""

import os
import subprocess
import sys

import pytest

LOOK = "import shared, os; print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"


@pytest.mark.parametrize(
    ("users", "found"),
    [
        ({}, "5000 None"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "None PASSIVE"),
    ],
)
def test_a_wait_is_short_unless_the_user_has_said_how_long(users: dict[str, str], found: str) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    told = subprocess.run([sys.executable, "-c", LOOK], env=bare | users, capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[0] == found
