"""How well a model reads labelled photographs: single digits, pages of them, and pictures of no digit.

    found = labelled(Path("photos"))                        # Photograph(file, label, kind, source), from labels.csv
    verdicts = [judge(one, reader) for one in found]
    rows(verdicts)                                          # figures a kind, and a kind and source
    answers = [answer(one, reader) for one in found if one.kind != SEVERAL]
    choose([answers]).threshold                             # for Reader(sure=…)
    held_out([answers], sources)                            # {source: the model and threshold that all others choose}

`labels.csv` has the columns file, label, kind and source; further ones are passed over. Kinds: `single` and `lowres`
(one digit), `multi` (several: the label is the digits in reading order, rows parted by "|", other signs in it are not
digits), `negative` (no digit: whatever is read there is a false accept).
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from local.digits.reader import Reader
from local.pictures import picture
from shared.core import files
from shared.core.errors import DataError

ONE, SEVERAL, NONE = ("single", "lowres"), "multi", "negative"
KINDS = (*ONE, SEVERAL, NONE)
COLUMNS = ("file", "label", "kind", "source")
LARGEST = 10_000_000  # bytes of labels.csv


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A picture and what it shows: digits, rows parted by "|", or "" for none."""

    file: Path
    label: str
    kind: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was read in one: `errors` is how many digits are to be put in, taken out or changed to make it right."""

    photograph: Photograph
    text: str
    rejected: int

    @property
    def right(self) -> bool:
        return self.text == self.photograph.label

    @property
    def silent(self) -> bool:
        """Nothing at all was taken for a digit."""
        return not self.text

    @property
    def errors(self) -> int:
        return distance(self.text.replace("|", ""), self.photograph.label.replace("|", ""))


def labelled(folder: Path) -> list[Photograph]:
    """The photographs that the folder's labels.csv names, in its order.

    Raises DataError for a missing file, column or picture, for an unknown kind, and for a label that its kind forbids.
    """
    path = folder / "labels.csv"
    try:
        text = files.read(path, most=LARGEST).decode("utf-8-sig")  # spreadsheets begin with a mark
        lines = list(csv.DictReader(io.StringIO(text, newline=""), restval=""))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror or error}. It names a folder's photographs."
        ) from None
    except (csv.Error, ValueError) as error:
        raise DataError(f"{path}: no CSV file in UTF-8 ({error})") from None
    if not lines or any(lines[0].get(column) is None for column in COLUMNS):
        raise DataError(f"{path}: it needs the columns {', '.join(COLUMNS)}, and a line for each photograph")
    return [_photograph(path, number, line) for number, line in enumerate(lines, start=2)]


def _photograph(path: Path, number: int, line: dict[str, str]) -> Photograph:
    file, kind = path.parent / line["file"], line["kind"]
    label = "" if kind == NONE else "".join(sign for sign in line["label"] if sign in "0123456789|")
    faults = {
        f"file {line['file']!r} is no name on one line": not line["file"].isprintable(),
        f"no such picture: {file}": not file.is_file(),
        f"kind {kind!r} is none of {', '.join(KINDS)}": kind not in KINDS,
        f"label {line['label']!r} is not one digit": kind in ONE and len(label) != 1,
        f"label {line['label']!r} has no digit": kind == SEVERAL and not label.strip("|"),
    }
    for fault, found in faults.items():
        if found:
            raise DataError(f"{path}, line {number}: {fault}")
    return Photograph(file=file, label=label, kind=kind, source=line["source"])


def judge(photograph: Photograph, reader: Reader) -> Verdict:
    """Reads it; a picture of one digit as such. Raises PictureError for one that cannot be read."""
    reading = reader.read(picture.read(photograph.file), single=photograph.kind in ONE)
    return Verdict(photograph=photograph, text=reading.text, rejected=len(reading.rejected))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a picture is, read as one digit: whether the likeliest class is right, and its probability."""

    photograph: Photograph
    right: bool
    confidence: float


def answer(photograph: Photograph, reader: Reader) -> Answer:
    """Reads it as one digit, whatever the probability. Raises PictureError for one that cannot be read."""
    reading = Reader(reader.runtime, 0.0).read(picture.read(photograph.file), single=True)
    confidence = reading.digits[0].confidence if reading.digits else 0.0
    return Answer(photograph=photograph, right=reading.text == photograph.label, confidence=confidence)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which of several models reads best, by its place among them, and from which probability on it is sure.

    `score` is Youden's index there: the share of digits read plus that of other things rejected, less 1.
    """

    model: int
    threshold: float
    score: float


def choose(answers: Sequence[Sequence[Answer]]) -> Choice:
    """The best of several models, each with its answers to the same photographs; the first of equally good ones.

    A model's threshold is the one with the highest Youden index (1950), which counts digits read and other things
    rejected alike; between thresholds that do equally well, the middle one. Raises DataError without photographs of
    both kinds.
    """
    return max((_choice(place, own) for place, own in enumerate(answers)), key=lambda choice: choice.score)


def _choice(model: int, answers: Sequence[Answer]) -> Choice:
    digits = np.array([(one.confidence, one.right) for one in answers if one.photograph.kind != NONE]).reshape(-1, 2)
    others = np.array([one.confidence for one in answers if one.photograph.kind == NONE])
    if not len(digits) or not len(others):
        raise DataError(f"a threshold needs photographs of digits ({', '.join(ONE)}) and of what is none ({NONE})")
    values = np.unique([0.0, *digits[:, 0], *others, 1.0])
    tried = (values[:-1] + values[1:]) / 2
    read = ((digits[:, 0] >= tried[:, None]) & (digits[:, 1] == 1)).mean(axis=1)
    rejected = (others < tried[:, None]).mean(axis=1)
    best = (read + rejected).max()
    good = tried[np.isclose(read + rejected, best)]
    return Choice(model=model, threshold=round(float(good[len(good) // 2]), 3), score=float(best) - 1)


def held_out(answers: Sequence[Sequence[Answer]], sources: Iterable[str]) -> dict[str, Choice]:
    """For each source, what the photographs of all others choose; left out where those are of one kind alone."""
    found = {}
    for source in dict.fromkeys(sources):
        others = [[one for one in own if one.photograph.source != source] for own in answers]
        if {one.photograph.kind == NONE for one in others[0]} == {True, False}:
            found[source] = choose(others)
    return found


def rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The figures of each kind, `source` "", and after each those of its sources; shares are fractions of 1."""
    table = []
    for kind in KINDS:
        own = [verdict for verdict in verdicts if verdict.photograph.kind == kind]
        sources = dict.fromkeys(verdict.photograph.source for verdict in own)
        table += [_row(kind, "", own)] if own else []
        table += [
            _row(kind, source, [verdict for verdict in own if verdict.photograph.source == source])
            for source in (sources if len(sources) > 1 else ())
        ]
    return table


def _row(kind: str, source: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """`rejected`: digits in which nothing was read. `digit_error_rate`: errors per digit that there is."""
    n = len(verdicts)
    figures: dict[str, Any] = {"kind": kind, "source": source, "pictures": n}
    figures["right"] = _share(verdict.right for verdict in verdicts)
    if kind == NONE:
        return figures | {"false_accepts": 1 - figures["right"]}
    figures["rejected"] = _share(verdict.silent for verdict in verdicts)
    if kind == SEVERAL:
        digits = sum(len(verdict.photograph.label.replace("|", "")) for verdict in verdicts)
        figures["digit_error_rate"] = sum(verdict.errors for verdict in verdicts) / digits
    return figures


def _share(truths: Iterable[bool]) -> float:
    listed = list(truths)
    return sum(listed) / len(listed)


def distance(one: str, other: str) -> int:
    """The least number of signs to be put in, taken out or changed to make one of the other (Levenshtein 1966)."""
    before = list(range(len(other) + 1))
    for at, sign in enumerate(one, start=1):
        row = [at]
        for to, its in enumerate(other, start=1):
            row.append(min(before[to] + 1, row[-1] + 1, before[to - 1] + (sign != its)))
        before = row
    return before[-1]
