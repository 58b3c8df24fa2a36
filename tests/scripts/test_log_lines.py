"""How a run's log is shown while it is followed."""

from io import StringIO

from scripts.steps.trip import Indented


def shown(*pieces):
    stream = StringIO()
    log = Indented(stream)
    for piece in pieces:
        log.write(piece)
    log.end_line()
    return stream.getvalue()


def test_pieces_become_whole_indented_lines():
    assert shown("epoch 1", "/3\nepoch 2/", "3\nend") == "    epoch 1/3\n    epoch 2/3\n    end\n"


def test_an_empty_log_shows_nothing():
    assert shown("", "") == ""


def test_nothing_in_it_rules_the_terminal():
    assert shown("a\x07b\x08\rc\n") == "    abc\n"
    assert shown("a\x1b", "[2Jb\x9b2J\x1b]0;c\x1b[1;31mred\x1b[0m\n") == "    a[2Jb2J]0;c\x1b[1;31mred\x1b[0m\n"
    assert shown("\x1b[0;3", "1mred\x1b[0m\n") == "    \x1b[0;31mred\x1b[0m\n"


def test_the_unpacking_of_shared_files_is_left_out_even_in_pieces():
    assert shown("Writing /tmp/k2l-x/sha", "red/config.py\nWriting my own.py\n") == "    Writing my own.py\n"


def test_the_files_that_a_run_leaves_are_left_to_the_pull():
    assert shown("     850,123 bytes   0123456789ab   model.pth\n12 bytes of it\n") == "    12 bytes of it\n"
