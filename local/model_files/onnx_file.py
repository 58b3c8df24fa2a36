"""The graph in an ONNX file, as far as its cost needs it: steps, shapes and short constants, no weights.

    graph = read(memoryview(content))        # ValueError where it is not whole, or says one thing twice

Read without the `onnx` package: it takes longer to import than a picture takes to read, and a machine that only
predicts has none. The numbers of the fields are those of onnx.proto; nothing is copied but names and short constants.
Where onnxruntime would merge or overwrite (a field that is there twice), this gives up: no exporter writes such a file,
and both must see the same graph.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Message = dict[int, list[Any]]  # field number -> its values: int, memoryview of what has a length, bytes of a float
Shape = tuple[int, ...]

MOST_FIELDS = 500_000  # in a file; read in a second
MOST_VALUES = 64  # of a constant that is looked into: shapes, axes, sizes
LOCAL = ("", "ai.onnx")  # the standard's own operators
FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8  # AttributeProto.AttributeType
KINDS = {FLOAT: 2, INT: 3, STRING: 4, TENSOR: 5, FLOATS: 7, INTS: 8, STRINGS: 9}  # and the field that holds it
TEXT = 8  # TensorProto.DataType
TYPES: dict[int, str] = {1: "<f4", 6: "<i4", 7: "<i8"}  # TensorProto.DataType -> numpy
VARINT, LENGTH, FIXED = 0, 2, {1: 8, 5: 4}  # wire types; FIXED: and their bytes


@dataclass(frozen=True)
class Tensor:
    """A constant: its shape, and its values where they are few."""

    shape: Shape
    values: NDArray[Any] | None = None


@dataclass(frozen=True)
class Step:
    """A node: `attributes` holds numbers, lists of numbers, bytes and tensors by name. `name`: with its domain."""

    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclass
class Graph:
    """Steps in order, constants, and the inputs with their shapes: 0 where a size is free.

    `foreign`: what is neither, such as functions of its own, and graphs inside of steps.
    """

    steps: list[Step] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[str, Shape] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)


def read(content: memoryview) -> Graph:
    """The graph of a file's bytes. ValueError where they are no ONNX file that both readers understand alike."""
    return _Reader().model(content)


class _Reader:
    """Reads one file; gives up after too many fields."""

    def __init__(self) -> None:
        self.left = MOST_FIELDS
        self.foreign: set[str] = set()

    def model(self, content: memoryview) -> Graph:
        model = self.message(content)
        if 25 in model:
            self.foreign.add("functions")
        graph = self.message(_one(model, 7, b""))
        if 15 in graph:
            self.foreign.add("sparse weights")
        constants = _unique(map(self.named, graph.get(5, ())))
        inputs = _unique(map(self.input, graph.get(11, ())))
        return Graph(
            steps=[self.step(node) for node in graph.get(1, ())],
            constants=constants,
            inputs={name: shape for name, shape in inputs.items() if name not in constants},
            foreign=self.foreign,
        )

    def message(self, data: Any) -> Message:
        """A message's fields."""
        found: Message = {}
        for number, value in self.fields(data):
            found.setdefault(number, []).append(value)
        return found

    def fields(self, data: Any) -> Iterator[tuple[int, Any]]:
        at, end = 0, len(_stretch(data))
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise ValueError(f"more than {MOST_FIELDS:,} fields")
            tag, at = _varint(data, at)
            number, wire = tag >> 3, tag & 7
            value: Any
            if wire == VARINT:
                value, at = _varint(data, at)
            elif wire == LENGTH:
                length, at = _varint(data, at)
                value, at = data[at : at + length], at + length
            else:
                length = FIXED[wire]
                value, at = bytes(data[at : at + length]), at + length
            if at > end or not 0 < number < 1 << 29:
                raise ValueError("it is cut short, or no protobuf")
            yield number, value

    def numbers(self, values: Sequence[Any], most: int = MOST_VALUES) -> list[int]:
        """Whole numbers, one a field or packed. ValueError for very many: none of these lists is long."""
        found: list[int] = []
        for value in values:
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at = 0
            while at < len(_stretch(value)) and len(found) <= most:
                number, at = _varint(value, at)
                found.append(_signed(number))
        if len(found) > most:
            raise ValueError(f"a list of more than {most} numbers")
        return found

    def named(self, data: Any) -> tuple[str, Tensor]:
        tensor = self.message(data)
        return _text(_one(tensor, 8, b"")), self.tensor(tensor, len(data))

    def tensor(self, tensor: Message, size: int) -> Tensor:
        """A TensorProto of `size` bytes, which cannot hold more than twice as many values (int4)."""
        shape = tuple(self.numbers(tensor.get(1, ())))
        count = prod(shape)
        if any(one < 0 for one in shape) or count > 2 * size or _one(tensor, 2, 0) == TEXT:
            raise ValueError("a tensor that does not hold what its shape says")
        kind = TYPES.get(_one(tensor, 2, 0))
        if kind is None or count > MOST_VALUES:
            return Tensor(shape)
        raw = _one(tensor, 9, None)
        if raw is not None:
            values = np.frombuffer(raw, kind)
        elif kind == "<f4":
            values = np.frombuffer(b"".join(tensor.get(4, ())), kind)
        else:
            values = np.array(self.numbers(tensor.get({"<i4": 5, "<i8": 7}[kind], ())), np.int64)
        return Tensor(shape, values.reshape(shape))

    def input(self, data: Any) -> tuple[str, Shape]:
        """A ValueInfoProto of a tensor, by its name."""
        info = self.message(data)
        tensor = self.message(_one(self.message(_one(info, 2, b"")), 1, b""))
        sizes = [self.message(size) for size in self.message(_one(tensor, 2, b"")).get(1, ())]
        if any(1 in size and 2 in size for size in sizes):
            raise ValueError("a size that is both free and fixed")
        return _text(_one(info, 1, b"")), tuple(max(0, _signed(_one(size, 1, 0))) for size in sizes)

    def step(self, data: Any) -> Step:
        node = self.message(data)
        op, domain = _text(_one(node, 4, b"")), _text(_one(node, 7, b""))
        return Step(
            op=op,
            name=op if domain in LOCAL else f"{domain}.{op}",
            inputs=[_text(name) for name in node.get(1, ())],
            outputs=[_text(name) for name in node.get(2, ())],
            attributes=_unique(self.attribute(one, op) for one in node.get(5, ())),
        )

    def attribute(self, data: Any, op: str) -> tuple[str, Any]:
        """Its name and value; a graph, or a reference to a function's, is foreign. ValueError for two values."""
        attribute = self.message(data)
        kind = _one(attribute, 20, 0)
        if kind not in KINDS:
            self.foreign.add(op)
            return _text(_one(attribute, 1, b"")), None
        held = attribute.keys() - {1, 13, 20}  # name, a remark, which kind of value it is
        if not held <= {KINDS[kind]}:
            raise ValueError(f"an attribute of {op[:40]!a} that is not what it says")
        return _text(_one(attribute, 1, b"")), self.value(kind, attribute.get(KINDS[kind], []))

    def value(self, kind: int, values: list[Any]) -> Any:
        """What an attribute of that kind holds: lists may be empty, of the others there is one."""
        if kind == INTS:
            return self.numbers(values)
        if kind == FLOATS:
            return np.frombuffer(b"".join(values), "<f4")
        if kind not in (FLOAT, INT, STRING, TENSOR):
            return None
        value = _one({kind: values or [b""]}, kind, b"")
        if kind == INT:
            return _signed(value)
        if kind == TENSOR:
            return self.tensor(self.message(value), len(value))
        return float(np.frombuffer(value, "<f4")[0]) if kind == FLOAT else bytes(_stretch(value)[:64])  # or STRING


def _varint(data: Any, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends. IndexError where it is cut short."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")


def _signed(value: int) -> int:
    """Of an int64, as protobuf writes it."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    return value - (1 << 64) if value >> 63 else value


def _one(message: Message, number: int, default: Any) -> Any:
    """A field that may be there once."""
    values = message.get(number)
    if values is None:
        return default
    if len(values) > 1:
        raise ValueError(f"field {number} is there {len(values)} times")
    return values[0]


def _stretch(value: Any) -> Any:
    """A field that has a length, which b"" stands for where it is left out; a number in its place would be skipped."""
    if isinstance(value, memoryview) or value == b"":
        return value
    raise ValueError("a number where text or a message is due")


def _text(name: Any) -> str:
    """A name; bytes that are no text stay apart from each other."""
    return bytes(_stretch(name)).decode("latin-1")


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """By name. ValueError where one comes twice."""
    listed = list(pairs)
    found = dict(listed)
    if len(found) != len(listed):
        raise ValueError("two of one name")
    return found
