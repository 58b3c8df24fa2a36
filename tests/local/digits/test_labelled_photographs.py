"""Labelled photographs: what is read of them, and the figures of it. The digits are drawn by us."""

import json
import shutil

import cv2
import numpy as np
import pytest

from local.digits import labelled_photographs
from local.digits.reader import Reader
from local.models import registry
from shared.core.errors import DataError
from shared.data.registry import GLYPH
from tests.local.digits.drawn_digits import drawn, page

HEADER = "file,label,kind,source,notes\n"


class Alternating:
    """A runtime that says 1, 2, 1, 2, … glyph by glyph."""

    name, classes, spec = "alternating", 10, GLYPH

    def logits(self, images_nhw):
        return 5 * np.eye(10, dtype=np.float32)[[1 + at % 2 for at in range(len(images_nhw))]]


@pytest.fixture
def folder(tmp_path):
    """Six pictures: two single digits, two pages, two of nothing."""
    pictures = {
        "one.png": drawn(1), "small.png": drawn(7, height=24), "page.png": page("12", "12"),
        "wrong.png": page("121", "13"), "blank.png": np.full((60, 80), 235, np.uint8), "letter.png": drawn(4),
    }  # fmt: skip
    for name, image in pictures.items():
        cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / "labels.csv").write_text(
        HEADER + "one.png,1,single,here,\nsmall.png,7,lowres,here,\npage.png,12|12,multi,here,\n"
        "wrong.png,1/2 1|13,multi,there,a stroke between\nblank.png,not-a-digit,negative,here,\n"
        "letter.png,not-a-digit,negative,here,\n"
    )
    return tmp_path


def test_figures_are_told_by_kind_and_by_source(folder):
    verdicts = [labelled_photographs.judge(one, Reader(Alternating())) for one in labelled_photographs.labelled(folder)]
    assert [(verdict.photograph.label, verdict.text) for verdict in verdicts] == [
        ("1", "1"), ("7", "1"), ("12|12", "12|12"), ("121|13", "121|21"), ("", ""), ("", "1"),
    ]  # fmt: skip
    single, lowres, pages, *sources, negative = labelled_photographs.rows(verdicts)
    assert single == {"kind": "single", "source": "", "pictures": 1, "right": 1, "rejected": 0}
    assert (lowres["right"], lowres["rejected"]) == (0, 0)
    assert (pages["right"], pages["digit_error_rate"]) == (0.5, pytest.approx(2 / 9))
    assert [(row["source"], row["right"]) for row in sources] == [("here", 1), ("there", 0)]
    assert (negative["right"], negative["false_accepts"]) == (0.5, 0.5)


def test_what_the_model_doubts_is_rejected_not_wrong(folder):
    one, *_ = labelled_photographs.labelled(folder)
    verdict = labelled_photographs.judge(one, Reader(Alternating(), sure=0.95))
    assert verdict.silent and verdict.rejected == 1 and not verdict.right
    (row,) = labelled_photographs.rows([verdict])
    assert (row["right"], row["rejected"]) == (0, 1)


def test_labels_saved_by_a_spreadsheet_are_read(folder):
    text = (folder / "labels.csv").read_text()
    expected = labelled_photographs.labelled(folder)
    (folder / "labels.csv").write_text(text, encoding="utf-8-sig")
    assert labelled_photographs.labelled(folder) == expected


DISTANCES = [("", "", 0), ("12", "", 2), ("123", "13", 1), ("17", "71", 2), ("kitten", "sitting", 3)]


@pytest.mark.parametrize(("one", "other", "steps"), DISTANCES)
def test_the_distance_counts_signs_put_in_taken_out_and_changed(one, other, steps):
    assert labelled_photographs.distance(one, other) == labelled_photographs.distance(other, one) == steps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "it needs the columns file, label, kind, source"),
        ("file,label\none.png,1\n", "it needs the columns"),
        (HEADER + "none.png,1,single,here,\n", "line 2: no such picture"),
        (HEADER + "one.png,1,single,here,\none.png\n", "line 3: kind '' is none of"),
        (HEADER + '"one.png\nerror: all is lost",1,single,here,\n', r"file 'one.png\nerror: all is lost' is no name"),
        (HEADER + "one.png,1,double,here,\n", "line 2: kind 'double' is none of single, lowres, multi, negative"),
        (HEADER + "one.png,12,single,here,\n", "label '12' is not one digit"),
        (HEADER + "one.png,x,multi,here,\n", "label 'x' has no digit"),
    ],
)
def test_labels_that_cannot_be_used_are_named_with_their_line(folder, text, said):
    (folder / "labels.csv").unlink()
    if text is not None:
        (folder / "labels.csv").write_text(text)
    with pytest.raises(DataError) as told:
        labelled_photographs.labelled(folder)
    assert said in str(told.value) and "labels.csv" in str(told.value)


def test_the_verb_reads_them_with_each_model(home, small_model, folder, k2l, error_of):
    shutil.copytree(small_model, home / "models" / "small")
    lines = [json.loads(line) for line in k2l("evaluate", "small", "--photos", folder, "--json").stdout.splitlines()]
    assert [(line["model"], line["kind"], line["source"]) for line in lines] == [
        ("small", "single", ""), ("small", "lowres", ""), ("small", "multi", ""), ("small", "multi", "here"),
        ("small", "multi", "there"), ("small", "negative", ""),
    ]  # fmt: skip
    assert "digit error rate %" in k2l("evaluate", "small", "--photos", folder).stdout
    assert "labels.csv" in error_of("evaluate", "small", "--photos", home / "models")
    refused = k2l("evaluate", "small", "--photos", folder, "--committee", check=False)
    assert refused.returncode == 2 and "--photos" in refused.stderr


def answers(*pairs):
    """(kind, source, right, confidence) as answers."""
    made = []
    for kind, source, right, confidence in pairs:
        label = "" if kind == "negative" else "1"
        photograph = labelled_photographs.Photograph(file=None, label=label, kind=kind, source=source)
        made.append(labelled_photographs.Answer(photograph=photograph, right=right, confidence=confidence))
    return made


def test_a_threshold_lies_between_digits_and_what_is_none():
    found = answers(
        ("single", "a", True, 0.9), ("single", "b", True, 0.8), ("lowres", "a", False, 0.99),
        ("single", "a", True, 0.3), ("negative", "c", False, 0.6), ("negative", "c", False, 0.1),
        ("negative", "d", False, 0.5),
    )  # fmt: skip
    assert labelled_photographs.choose([found]).threshold == 0.7
    assert thresholds(found) == {"a": 0.7, "b": 0.75, "c": 0.65, "d": 0.7, "pages": 0.7}
    assert thresholds(found[:5]) == {"a": 0.7, "b": 0.75, "pages": 0.7}
    with pytest.raises(DataError, match="needs photographs of digits"):
        labelled_photographs.choose([found[:4]])


def thresholds(found):
    """What the other sources choose for each, and for one of which no answer counts."""
    sources = [*(one.photograph.source for one in found), "pages"]
    return {source: choice.threshold for source, choice in labelled_photographs.held_out([found], sources).items()}


def test_a_source_has_no_part_in_choosing_the_model_that_reads_it():
    good_at_a = answers(("single", "a", True, 0.9), ("single", "b", False, 0.9), ("negative", "c", False, 0.1))
    good_at_b = answers(("single", "a", False, 0.9), ("single", "b", True, 0.9), ("negative", "c", False, 0.1))
    choices = labelled_photographs.held_out([good_at_a, good_at_b], ["a", "b"])
    assert {source: choice.model for source, choice in choices.items()} == {"a": 1, "b": 0}
    assert labelled_photographs.choose([good_at_a, good_at_b]).model == 0  # the first of equally good ones


def test_a_picture_read_as_one_digit_has_a_confidence_whatever_it_is(folder):
    one, *_, blank, letter = labelled_photographs.labelled(folder)
    reader = Reader(Alternating(), sure=0.99)
    assert labelled_photographs.answer(one, reader).right and labelled_photographs.answer(one, reader).confidence > 0.9
    assert (
        labelled_photographs.answer(blank, reader).confidence == 0
        and not labelled_photographs.answer(letter, reader).right
    )


def test_the_threshold_is_chosen_written_down_and_used(folder, home, small_model, k2l):
    shutil.copytree(small_model, home / "models" / "small")
    (folder / "labels.csv").write_text(
        HEADER + "one.png,1,single,a,\nsmall.png,7,lowres,d,\nblank.png,x,negative,a,\nletter.png,x,negative,b,\n"
        "page.png,12|12,multi,c,\n"
    )
    done = k2l("evaluate", "small", "--photos", folder, "--choose-conf", "--json")
    assert "a digit is sure from" in done.stderr and "had no part in" in done.stderr
    stated = json.loads((home / "models" / "small" / "manifest.json").read_text())
    reader = Reader(registry.open_runtime(registry.find("small")))
    found = [labelled_photographs.answer(one, reader) for one in labelled_photographs.labelled(folder)[:4]]
    assert stated["threshold"] == labelled_photographs.choose([found]).threshold
    assert stated["threshold_of"] == {"photographs": 4, "sources": 3}
    assert registry.find("small").sure == stated["threshold"]
    assert "it needs --photos" in k2l("evaluate", "small", "--choose-conf", check=False).stderr


def test_held_out_reads_each_source_by_what_the_others_choose_and_writes_nothing(folder, home, small_model, k2l):
    for name in ("small", "other"):
        shutil.copytree(small_model, home / "models" / name)
    before = (home / "models" / "small" / "manifest.json").read_bytes()
    (folder / "labels.csv").write_text(
        HEADER + "one.png,1,single,a,\nsmall.png,7,lowres,d,\nblank.png,x,negative,a,\nletter.png,x,negative,b,\n"
        "page.png,12|12,multi,c,\n"
    )
    done = k2l("evaluate", "small", "other", "--photos", folder, "--held-out", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["model"] for line in lines} == {"small or other"}
    assert [line["kind"] for line in lines if not line["source"]] == ["single", "lowres", "multi", "negative"]
    assert "without c: small, sure from" in done.stderr
    assert (home / "models" / "small" / "manifest.json").read_bytes() == before
    refused = k2l("evaluate", "small", "--photos", folder, "--held-out", "--choose-conf", check=False)
    assert refused.returncode == 2 and "--held-out" in refused.stderr
