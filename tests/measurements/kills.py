"""Every verb that writes, killed before each rename, before each journal line and at its end; then the same command.

    python -m tests.measurements.kills [--verbs train,pull,…]

At the moment of each kill every model folder must be the old model or the new one, each file of it as its manifest has
it. The same command, given once more, must end as one that nobody killed: exit 0, the same hashes, nothing pushed
twice, the older model kept, nothing left over in models/. A hidden folder of a killed command may stay beside pictures,
where nobody can tell whether its command still works. One line a kill on stderr, JSON last.

The commands run in forks of this process, which has loaded what they need. What a run on the emulator leaves was
trained once, before; its notebook copies it.
"""

import argparse
import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from local.core import workspace
from local.emulator import daemon
from local.runs import journal
from shared.core import manifest
from shared.core.errors import ModelError

DIGITS = ("--dataset", "digits", "--architecture", "lite", "--epochs", "1")
HERE, THERE = (*DIGITS, "--name", "mine"), (*DIGITS, "--name", "mine", "--remote", "emulator")
PICTURE = workspace.CHECKOUT / "tests" / "data" / "pictures" / "7-light.png"
# verb -> its words, and what lies in its home beforehand: nothing, an older model, a trained one, a run that has ended
VERBS = {
    "push": (("push", *THERE), "nothing"),
    "pull": (("pull",), "ended"),
    "loop": (("loop", *THERE), "older"),
    "train": (("train", *HERE), "older"),
    "seeds": (("train", *HERE, "--seeds", "2"), "older"),
    "export": (("export", "mine", "--to", "onnx,pt2"), "trained"),
    "quantize": (("quantize", "mine", "--to", "onnx", "--max-drop", "100"), "exported"),
    "evaluate": (("evaluate", "mine", "--dataset", "digits", "--out", "seen"), "trained"),
    "predict": (("predict", str(PICTURE), "--model", "mine", "--conf", "0", "--save", "seen"), "trained"),
    "publish": (("publish", "mine", "--remote", "emulator"), "exported"),
    "sweep": (("sweep", *DIGITS, "--trials", "1"), "nothing"),
}
# What a notebook leaves in place of a training: the files of one that was done before, as this run's own.
COPIES = """
import json, shutil
from pathlib import Path
source = Path({source!r})
stated = json.loads((source / "manifest.json").read_text())
for one in stated["files"]:
    shutil.copy(source / one, one)
stated |= {{"run_id": run_id, "bundle_sha256": bundle_sha256, "name": name}}
Path("manifest.json").write_text(json.dumps(stated))
"""


def environment(home, **more):
    """Ours, without what it says of Kaggle and k2l, for a command that works in `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "K2L_"))}
    return {**kept, "K2L_HOME": str(home), **more}


def state(home):
    """How far the journal says the only run is; "" before there is one. One that is being written counts."""
    found = list(home.glob(".k2l/runs/*/run.jsonl"))
    steps = re.findall(r'"state": "(\w+)"', found[0].read_text()) if found else []
    return steps[-1] if steps else ""


def command(home, words, at=-1):
    """Runs `k2l WORDS` in a fork, killed before its event number `at`: (exit code or minus the signal, stderr)."""
    home.mkdir(parents=True, exist_ok=True)
    said = home.with_name(f"{home.name}.err")
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return code, said.read_text(errors="replace")
    code = 70
    try:
        inside = environment(home)
        os.environ.clear()
        os.environ.update(inside)
        os.chdir(home)
        for number, path in ((1, os.devnull), (2, said)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = ["k2l", *words]
        code = _run(_killed_at(home, at))
    finally:
        sys.stderr.flush()
        os._exit(code)


def _run(die):
    from scripts.__main__ import main

    try:
        main()
    except SystemExit as end:
        die("end", ())
        return int(end.code or 0)


def _killed_at(home, at):
    """An audit hook that counts renames below `home` and journal lines; at number `at` it kills this process."""
    left = at

    def die(name, arguments):
        nonlocal left
        rename = name == "os.rename" and (home / os.fspath(arguments[1])).is_relative_to(home)
        opened = name == "open" and arguments[1] is None and str(arguments[0]).endswith(journal.STEPS)
        line = opened and arguments[2] & os.O_APPEND
        if not (rename or line or name == "end"):
            return
        if left == 0:
            what = f"rename to {Path(arguments[1]).name}" if rename else "journal line" if line else "end"
            os.write(2, f"\nkilled before: {what}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    sys.addaudithook(die)
    return die


def digests(home):
    """The hashes of all files that every run makes alike: weights, answers, and pictures with what was read in them."""
    found = [*home.glob("models/*/model.*"), *home.glob("models/*/*.npy"), *home.glob("seen/[!.]*/*.npy")]
    found += home.glob("seen/*.png")
    return {path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def weights(folder):
    """The hash of a model's weights, every file of which is as the manifest has it; else what is wrong."""
    try:
        return manifest.verify(folder).files["model.pth"].sha256
    except (ModelError, LookupError) as error:
        return f"wrong: {error}"


def stands(home, names):
    """How the models stand in the moment of a kill: `names` says which weights are called what."""
    models = home / "models"
    works = list(models.glob(".install-*"))
    seen = {names.get(one := weights(folder), one) for folder in models.glob("[!.]*") if folder.is_dir()}
    moved = [names.get(one := weights(folder), one) for work in works for folder in work.glob("[no]*")]
    between = "between: both whole" if not seen and sorted(moved) == ["new", "old"] else ""
    wrong = [one for one in (*seen, *moved) if one not in ("old", "new")]
    return wrong[0] if wrong else between or "+".join(sorted(seen)) or "no model"


def rest(home):
    """What should not be there when all is done."""
    found = [*home.glob("models/.*"), *home.glob("models/*/.*")]
    twice = list(home.glob(".k2l/emulator/kernels/*/*/[!1]/source.ipynb"))
    twice += list(home.glob(".k2l/emulator/models/*/*/*/*/[!1]/version.json"))
    return [path.relative_to(home).as_posix() for path in (*found, *twice)]


class Homes:
    """Homes for the commands: copies of what lies in them beforehand, each made once."""

    def __init__(self, folder):
        from tests.local import trips

        self.folder, self.count = folder, 0
        self.end(folder / "nothing")
        self.must(folder / "trained", "train", *HERE, "--set", "learning_rate=0.02")
        self.must(folder / "fresh", "train", *HERE)
        shutil.copytree(folder / "trained", folder / "older")
        shutil.copytree(folder / "trained", folder / "exported")
        self.must(folder / "exported", "export", "mine", "--to", "onnx")
        write = trips.tiny_kernel(folder, SimpleNamespace(setattr=setattr))
        write(COPIES.format(source=str(folder / "fresh" / "models" / "mine")))
        shutil.copytree(folder / "trained", folder / "ended")
        self.must(folder / "ended", "push", *THERE, end=False)
        self.must(folder / "ended", "watch")
        self.names = {weights(folder / one / "models" / "mine"): name for one, name in
                      (("trained", "old"), ("fresh", "new"))}  # fmt: skip

    def must(self, home, *words, end=True):
        code, said = command(home, words)
        assert code == 0, (words, said)
        if end:
            self.end(home)

    def end(self, home):
        home.mkdir(exist_ok=True)
        daemon.stop(home / ".k2l" / "emulator")

    def copy(self, kind):
        self.count += 1
        home = self.folder / f"home-{self.count}"
        shutil.copytree(self.folder / kind, home, symlinks=True)
        return home


def killed(homes, verb):
    """The figures of a verb: one kill before each of its events."""
    words, kind = VERBS[verb]
    whole = homes.copy(kind)
    homes.must(whole, *words)
    expected, moments, seen, wrong = digests(whole), [], Counter(), []
    while True:
        home = homes.copy(kind)
        code, said = command(home, words, len(moments))
        if code != -signal.SIGKILL:
            break
        moments.append(said.rsplit("killed before: ", 1)[-1].strip())
        how = stands(home, homes.names)
        seen[how] += 1
        code, said = command(home, words)
        problems = [how] * how.startswith("wrong") + [said] * (code != 0) + rest(home)
        problems += list(digests(home).items() ^ expected.items())
        if kind in ("older", "ended") and verb != "push":
            kept = [weights(path.parent) for path in home.glob(".k2l/**/replaced*/**/manifest.json")]
            problems += ["the older model is not kept"] * ("old" not in map(homes.names.get, kept))
        wrong += [(moments[-1], problem) for problem in problems]
        print(f"{verb} {len(moments):3} {moments[-1]:40} {how:20} {problems or 'right'}", file=sys.stderr, flush=True)
        homes.end(home)
        shutil.rmtree(home)
    homes.end(home)
    return {"kills": len(moments), "moments": Counter(moments), "stood": seen, "wrong": wrong}


def main():
    for name in (
        "scripts.__main__",
        "local.experiments.after_pull",
        "local.experiments.train",
        "shared.training.plots",
        "shared.training.train_torch",
    ):
        importlib.import_module(name)  # before the forks
    sys.modules["torch"].set_num_threads(1)
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--verbs", default=",".join(VERBS))
    verbs = asked.parse_args().verbs.split(",")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        homes = Homes(Path(folder).resolve())
        found = {verb: killed(homes, verb) for verb in verbs}
    total = sum(one["kills"] for one in found.values())
    wrong = sum(len(one["wrong"]) for one in found.values())
    seconds = round(time.monotonic() - began)
    print(json.dumps({"kills": total, "wrong": wrong, "seconds": seconds, "verbs": found}, indent=1))
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
