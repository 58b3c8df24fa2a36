"""k2l.toml: what it may hold is a default of the option of that name, and all else is told."""

import pytest

from scripts.__main__ import VERBS, Verbs
from scripts.terminal import settings
from shared.core.errors import ConfigError


@pytest.fixture
def defaults(tmp_path, monkeypatch):
    """`defaults(text, verb)`: what a verb gets of that file."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path))

    def read(text, verb):
        (tmp_path / settings.FILE).write_text(text, encoding="utf-8")
        return settings.defaults(verb, Verbs().get_command(None, verb))

    return read


def test_without_a_file_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    assert settings.defaults("push", Verbs().get_command(None, "push")) == {}


def test_what_is_shared_goes_where_there_is_such_an_option_and_a_verb_has_its_own(defaults):
    text = 'remote = "emulator"\nframework = "keras"\n'
    text += '[push]\nframework = "torch"\nset = ["batch_size=64"]\n[train]\nseeds = 5'
    assert defaults(text, "push") == {"remote": "emulator", "framework": "torch", "given": ["batch_size=64"]}
    assert defaults(text, "train") == {"framework": "keras", "seeds": 5}
    assert defaults(text, "runs") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("remote = ", "cannot be read"),
        ('remot = "emulator"', r"remot is not allowed at the top. Did you mean remote\? There are: remote, owner"),
        ("[pusch]\nseed = 1", r"pusch is not allowed as a table. Did you mean push\? There are: loop, push"),
        ('[push]\nsede = 1', r"sede is not allowed under \[push\]. Did you mean seed\? There are: framework, name"),
        ('[push]\nseed = "many"', r"seed: 'many' is not a valid int"),
        ("[push]\nseed = [1, 2]", r"seed must be a single value"),
        ('[push]\nset = "a=1"', r"set must be a list"),
        ("[[push]]\nseed = 1", r"is not allowed at the top"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_the_files_name(defaults, text, said):
    with pytest.raises(ConfigError, match=rf"k2l\.toml.*{said}"):
        defaults(text, "push")


def test_a_pyproject_toml_has_them_where_there_is_no_file_of_its_own(tmp_path, monkeypatch, defaults):
    file = tmp_path / "pyproject.toml"
    command = Verbs().get_command(None, "train")
    file.write_text('[project]\nname = "mine"\n[tool.k2l]\nframework = "keras"\n[tool.k2l.train]\nepochs = 2\n')
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    assert settings.defaults("train", command) == {"framework": "keras", "epochs": 2}
    file.write_text("[tool.k2l.train]\nepoch = 2\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: epoch is not allowed .*Did you mean epochs\?"):
        settings.defaults("train", command)
    file.write_text("[tool.other\n")  # broken, and none of ours
    assert settings.defaults("train", command) == {}
    file.write_text("[tool.k2l]\nsome = 1\n")
    assert defaults("[train]\nepochs = 3\n", "train") == {"epochs": 3}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path, monkeypatch, encoding):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    (tmp_path / settings.FILE).write_text('remote = "emulator"\n', encoding=encoding)
    assert settings.defaults("push", Verbs().get_command(None, "push")) == {"remote": "emulator"}


def test_what_is_shared_is_an_option_of_several_verbs():
    options = [set(_options(verb)) for verb in VERBS]
    for name in settings.SHARED:
        assert sum(f"--{name}" in known for known in options) >= 2, name


def _options(verb):
    return [option for parameter in Verbs().get_command(None, verb).params for option in parameter.opts]


def test_the_command_line_wins(k2l, tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    (tmp_path / settings.FILE).write_text('remote = "nowhere"\n[push]\ndataset = "digits"\n')
    code, _, err = k2l("push")
    assert (code, "'nowhere'" in err) == (1, True)
    code, out, _ = k2l("push", "--remote", "emulator", "--dry-run", "--json")
    assert code == 0 and '"digits: nothing to attach"' in out


def test_help_shows_the_files_default_and_no_other(k2l, tmp_path, monkeypatch):
    monkeypatch.setenv("K2L_HOME", str(tmp_path))
    (tmp_path / settings.FILE).write_text('[train]\nepochs = 5\nname = "x\\u001b[2J"\n')
    out = " ".join(k2l("train", "--help")[1].split())
    assert "for digits 40 (1 to 1000). [default: 5]" in out and r"models/. [default: x\x1b[2J]" in out
    assert "ARCHITECTURE-FRAMEWORK" not in out and "\x1b" not in out
    assert "training images; for digits 40 (1 to 1000). [default: the recipe's]" in " ".join(
        k2l("push", "--help")[1].split()
    )
