"""What the fuzzers share: values nobody would write, and what is expected of whoever reads them.

with told(): manifest.parse(text, "here")     # a value, or an error for the user in a line or two
before = everything(folder); …; assert everything(folder) == before
"""

from contextlib import contextmanager

from hypothesis import strategies as st

from shared.core.errors import UserError

DEEP = 5000  # levels; Python gives up at a thousand

# JSON knows surrogates without their other half, and so do names of files.
anything = st.text(st.characters(codec=None), max_size=20)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), anything, st.sampled_from([10**30, -1, 2**63, "", "\0", "0"])
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4), max_leaves=8
)
names = st.one_of(
    anything,
    st.sampled_from([
        "", ".", "..", "../evil", "a/../../evil", "/evil", "//evil", "C:\\evil", "C:evil", "..\\evil", "a\0b", "a//b",
        "a/", "~/evil", "nul", "COM1.txt", ".. /evil", "a" * 300, "ä" * 150, "a/" * 3000 + "b", "\ud800", "a\nb",
        "a.part", "a", "a/b", "manifest.json", "manifest.json/a", "run.log", "run.log/a", "notebook.ipynb/a",
        "__notebook__.ipynb",
    ]),
)  # fmt: skip


@st.composite
def mutated(draw, valid):
    """A valid JSON value with one of its parts, at any depth, replaced, taken out or added to."""
    if isinstance(valid, (dict, list)) and valid and draw(st.integers(0, 3)):
        keys = sorted(valid) if isinstance(valid, dict) else list(range(len(valid)))
        key = draw(st.sampled_from(keys))
        changed = valid.copy()
        if isinstance(valid, dict) and not draw(st.integers(0, 4)):
            changed[draw(names)] = changed.pop(key)
        else:
            changed[key] = draw(mutated(valid[key]))
        return changed
    return draw(json_values | names)


@contextmanager
def told():
    """What goes wrong in here is told to the user, in one line or two, with nothing that rules a terminal."""
    try:
        yield
    except UserError as error:
        text = str(error)
        assert text.strip() and text.count("\n") <= 1, text
        assert len(text) < 5000
        assert not [letter for letter in text if letter != "\n" and not letter.isprintable()], ascii(text)


def everything(folder):
    """All that lies below a folder: a file's bytes, None for a folder, where a link leads."""
    return {
        path: path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
