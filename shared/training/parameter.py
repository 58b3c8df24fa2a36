"""A parameter of a training, written once: its name, type, range or choices, unit, and what it is.

    learning_rate: Annotated[float, Number("how far a step goes", 1e-7, 10.0)]
    optimizer: Annotated[str, Word("what moves the weights", ("adam", "adamw"))]

`shared.training.config` has them all, as the fields of a dataclass. The checks, the reading of text, the options of the
command line, the notebook's cell of parameters and the manifest come from there. Standard library only.
"""

import dataclasses
from collections.abc import Callable, Collection
from typing import Any, get_type_hints

from shared.core.errors import ConfigError, one_of

_ARTICLE = {int: "a whole number", float: "a number", str: "a word"}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What is known of a parameter. `name` and `kind` (int, float or str) are filled in from its field.

    doc: what it is, without a capital and without a full stop. offer: what may be given, in words.
    """

    doc: str
    name: str = dataclasses.field(default="", kw_only=True)
    kind: type = dataclasses.field(default=str, kw_only=True)

    @property
    def offer(self) -> str:
        raise NotImplementedError

    def check(self, value: Any) -> None:
        """Returns if a value of the right type will do; ConfigError says what would."""
        raise NotImplementedError

    @property
    def about(self) -> str:
        """What it is, and what may be given."""
        return f"{self.doc} ({self.offer})"

    def checked(self, value: Any) -> Any:
        """The value, typed: int is a float to a reader, and to us; bool is no number."""
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind) or isinstance(value, bool):
            raise ConfigError(f"{self.name} must be {_ARTICLE[self.kind]}, not {value!r}.")
        self.check(value)
        return value

    def parse(self, text: str) -> Any:
        """The value that a text means, typed and not yet checked."""
        try:
            return self.kind(text)
        except ValueError:
            raise ConfigError(f"{self.name} must be {_ARTICLE[self.kind]}, not {text!r}.") from None


@dataclasses.dataclass(frozen=True)
class Number(Parameter):
    """From `low` to `high`, both included, in `unit`."""

    low: float
    high: float
    unit: str = ""

    @property
    def offer(self) -> str:
        low, high = (f"{end:g}" if self.kind is float else str(end) for end in (self.low, self.high))
        return f"{low} to {high} {self.unit}".rstrip()

    def check(self, value: Any) -> None:
        if not self.low <= value <= self.high:  # also refuses NaN
            raise ConfigError(f"{self.name}={value} is out of range: give {self.offer}.")


@dataclasses.dataclass(frozen=True)
class Word(Parameter):
    """One of `choices`, or whatever else `also` raises no ConfigError for."""

    choices: Collection[str]
    also: Callable[[str], object] | None = None

    @property
    def offer(self) -> str:
        return ", ".join(self.choices)

    def check(self, value: Any) -> None:
        if self.also:
            self.also(value)
        else:
            one_of(self.name, value, self.choices)


def parameters_of(config: type) -> dict[str, Parameter]:
    """The parameters of a dataclass whose fields are annotated with them, by name, in order."""
    hints = get_type_hints(config, include_extras=True)
    return {
        field.name: dataclasses.replace(hint.__metadata__[0], name=field.name, kind=hint.__origin__)
        for field in dataclasses.fields(config)
        for hint in [hints[field.name]]
    }
