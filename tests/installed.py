"""Does an installed `k2l` work where there is no checkout? `make wheel` asks it, with environments of the wheel.

    python -m tests.installed build/wheel/env/bin/k2l          # what everybody installs
    python -m tests.installed --predict build/wheel/few/bin/k2l  # --no-deps, and local/requirements.txt

The command runs in an empty folder, with an empty HOME. What it makes must lie in that folder, and what came with the
installation must not have changed. It prints what it measured, as JSON.
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from local.core import workspace
from tests.copied import git
from tests.surroundings import bare

PICTURE = Path(__file__).parent / "data" / "pictures" / "7-light.png"
LARGEST = 500_000_000  # bytes of an environment that only predicts
TRIP = ("loop", "--remote", "emulator", "--dataset", "digits", "--architecture", "lite", "--epochs", "1", "--name", "m")


class Installed:
    """A `k2l` somewhere, and the empty folder that it works in."""

    def __init__(self, k2l: Path, place: Path) -> None:
        self.k2l, self.here = k2l.absolute(), place / "here"
        self.here.mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in ("K2L_DATA", "PYTHONPATH")}
        self.environment = bare(kept, str(place / "home")) | {"PATH": "/usr/bin:/bin"}

    def __call__(self, *words: str) -> str:
        """What a command prints, once it has ended well."""
        done = subprocess.run(
            [self.k2l, *words], cwd=self.here, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"k2l {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def made(self) -> list[str]:
        """What lies in the folder now."""
        return sorted(path.name for path in self.here.iterdir())

    @property
    def shipped(self) -> Path:
        """The notebooks and networks that came along."""
        (folder,) = self.k2l.parents[1].glob("lib/python*/site-packages/local/shipped")
        return folder


@contextlib.contextmanager
def installed(k2l: Path) -> Iterator[Installed]:
    """It, in a folder of its own; what came along is as it was afterwards."""
    with tempfile.TemporaryDirectory(prefix="k2l-installed-") as place:
        one = Installed(k2l, Path(place))
        before = contents(one.shipped)
        try:
            yield one
        finally:
            with contextlib.suppress(AssertionError):  # where there is no emulator in this installation
                one("emulator", "--stop")
        assert contents(one.shipped) == before, f"{one.shipped} was written to"


def contents(folder: Path) -> dict[str, str]:
    """{path: sha256} of all files below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def everything(k2l: Path) -> dict[str, float]:
    """The verbs that need no checkout, and those that refuse without one; {verb: seconds}."""
    seconds = {}
    with installed(k2l) as run:
        known = {*git(workspace.CHECKOUT, "ls-files", "kaggle", "models").split()} - {"models/.gitattributes"}
        assert set(contents(run.shipped)) == known, known ^ set(contents(run.shipped))
        for words in (("doctor",), ("predict", str(PICTURE)), ("bundle",), TRIP):
            began = time.perf_counter()
            out = run(*words)
            seconds[words[0]] = round(time.perf_counter() - began, 1)
            if words[0] == "predict":
                assert "7" in out and run.made() == [], (out, run.made())
        assert run.made() == [".k2l", "build", "models"], run.made()
        assert "7" in run("predict", str(PICTURE), "--model", "m")
        manifest = json.loads((run.here / "models" / "m" / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["source_commit"] == "" and manifest["bundle_sha256"]
        refused = subprocess.run([run.k2l, "report"], cwd=run.here, env=run.environment, capture_output=True, text=True)
        assert refused.returncode == 1 and "k2l report needs a checkout" in refused.stderr, refused
    return seconds


def few(k2l: Path) -> dict[str, float]:
    """A machine that only predicts: it does so, names what else would need, and stays small; what was measured."""
    with installed(k2l) as run:
        run("predict", str(PICTURE))  # compiles
        began = time.perf_counter()
        assert "7" in run("predict", str(PICTURE))
        seconds = time.perf_counter() - began
        run("doctor")
        missing = subprocess.run([run.k2l, "train"], cwd=run.here, env=run.environment, capture_output=True, text=True)
        assert missing.returncode == 1 and "(in the extra " in missing.stderr, missing
    size = sum(path.lstat().st_size for path in k2l.absolute().parents[1].rglob("*") if not path.is_symlink())
    assert size < LARGEST, f"{size / 1e6:.0f} MB"
    return {"megabytes": round(size / 1e6), "predict": round(seconds, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("k2l", type=Path)
    parser.add_argument("--predict", action="store_true", help="it has what predict needs, and no more")
    asked = parser.parse_args()
    print(json.dumps((few if asked.predict else everything)(asked.k2l)))


if __name__ == "__main__":
    main()
