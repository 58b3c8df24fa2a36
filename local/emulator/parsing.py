"""A request's body as what a method takes, or the refusal that says what is wrong with it.

    parsed(ApiSaveKernelRequest, body)      # Refusal 400 for whatever is not such a request
    loaded(body)                            # its JSON, as JSON is defined and not deeper than anybody means

The SDK, whose types these are, looks at no field's type: a number where a name should be comes through, and fails in
the middle of a method. So every field is checked here, once, against what the SDK declares.
"""

import json
import math
from typing import Any

from kagglesdk.kaggle_object import KaggleObject, ListSerializer

from local.emulator.service import Refusal
from shared.core.errors import plain
from shared.core.manifest import DEEPEST, deeper

INT64 = range(-(2**63), 2**63)
WORDS = {str: "text", int: "a whole number", bool: "true or false"}
# What reading JSON and the SDK's own readers of dates, durations and enumerations raise.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def parsed(kind: Any, body: bytes) -> Any:
    """The request in that body. Refusal 400: it is no JSON, or a field has a value that it cannot have."""
    try:
        table = loaded(body, object_hook=_without_nulls)
        check(kind, table)
        return kind.from_dict(table)
    except MALFORMED as error:
        raise Refusal(400, f"The request cannot be parsed: {plain(str(error))}") from None


def loaded(body: bytes, **hooks: Any) -> Any:
    """A body's JSON. One of MALFORMED where it is none, or holds what no answer could give back."""
    value = json.loads(body or b"{}", parse_constant=_number, parse_float=_number, **hooks)
    if deeper(value):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    json.dumps(value, ensure_ascii=False).encode()  # JSON knows halves of characters
    return value


def check(kind: Any, table: Any, where: str = "the request") -> None:
    """ValueError for a table whose fields are not of the types that the SDK declares."""
    if not isinstance(table, dict):
        raise ValueError(f"{where} must be an object")
    for field in kind._fields:
        if (value := table.get(field.json_name)) is None:
            continue
        listed = isinstance(field.serializer, ListSerializer)
        if listed and not isinstance(value, list):
            raise ValueError(f"{field.json_name} must be a list")
        for one in value if listed else [value]:
            _check_value(field.field_type, one, field.json_name)


def _check_value(kind: Any, value: Any, where: str) -> None:
    if issubclass(kind, KaggleObject):
        return check(kind, value, where)
    kind = kind if kind in WORDS else str  # dates, enumerations and masks are written as text
    if type(value) is not kind:
        raise ValueError(f"{where} must be {WORDS[kind]}")
    if kind is int and value not in INT64:
        raise ValueError(f"{where} is too large a number")
    if kind is str and "\0" in value:
        raise ValueError(f"{where} holds a character that no name can have")
    return None


def _without_nulls(table: dict[str, Any]) -> dict[str, Any]:
    """A field that is null is one that is not given."""
    return {name: value for name, value in table.items() if value is not None}


def _number(text: str) -> float:
    """A number that JSON can hold: NaN and infinity are none, though Python reads them."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is not a number")
    return value
