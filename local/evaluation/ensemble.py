"""Several networks that answer as one: the mean of their logits.

    committee = assemble(evaluate_all([(model, images), (other, images), (third, images)]))
    committee.row()                       # what `k2l evaluate --committee --json` prints after the single ones

Who belongs to it is chosen on the validation images; it is not chosen here. A committee costs what its members cost,
and is reported apart from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from local.evaluation.evaluate import Answers, Evaluation, as_seen
from local.evaluation.significance import Pair, compare
from shared.core.errors import ConfigError
from shared.training.metrics import score


@dataclass(frozen=True, kw_only=True)
class Committee(Answers):
    """The members' mean logits, scored like those of one network; `seconds` and `bytes` are the members' sums."""

    members: Sequence[Evaluation]

    @property
    def name(self) -> str:
        names = [member.model.name for member in self.members]
        if len(set(names)) < len(names):
            names = [member.label for member in self.members]
        return f"committee: {' + '.join(names)}"

    @property
    def file(self) -> str:
        return " + ".join(member.file for member in self.members)

    @property
    def bytes(self) -> int:
        return sum(member.bytes for member in self.members)

    @property
    def label(self) -> str:
        return "committee"

    @property
    def best(self) -> Evaluation:
        """The member that answers best alone, on these images."""
        return max(self.members, key=lambda member: member.scores.accuracy)

    def against_best(self) -> Pair:
        """How far it agrees with that member, which comes second. Being the best of several, it is no easy one."""
        return compare(self.logits, self.best.logits, self.labels)

    def row(self) -> dict[str, Any]:
        """The figures as a single model has them, then `members` (their files), and the agreement with the best."""
        pair = self.against_best()
        return super().row() | {
            "members": [member.file for member in self.members],
            "agreement": {self.best.file: as_seen(pair, pair.only_first, pair.only_second)},
        }


def assemble(members: Sequence[Evaluation]) -> Committee:
    """The committee of members that saw the same images.

    The logits are averaged as they are, so that a member counts by their scale: a network that was trained with more
    label smoothing has smaller logits, and says less. Members of one recipe say the same.
    Raises ConfigError for fewer than two members, and where they saw different images.
    """
    check([member.data.name for member in members])
    first = members[0]
    logits = np.stack([member.logits for member in members]).mean(axis=0, dtype=np.float64).astype(np.float32)
    return Committee(
        members=members,
        runtime=" + ".join(dict.fromkeys(member.runtime for member in members)),
        data=first.data,
        images=first.images,
        labels=first.labels,
        split=first.split,
        scores=score(logits, first.labels),
        logits=logits,
        seconds=sum(member.seconds for member in members),
    )


def check(datasets: Sequence[str]) -> None:
    """ConfigError where networks that answer these data sets, a name for each, make no committee."""
    if len(datasets) < 2:
        raise ConfigError("a committee has two members or more: name the models that belong to it.")
    if len(set(datasets)) > 1:
        raise ConfigError(
            f"a committee answers one data set, and its members answer {', '.join(dict.fromkeys(datasets))}: "
            "say which with --dataset."
        )
