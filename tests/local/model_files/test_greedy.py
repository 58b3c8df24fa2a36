"""Files that would take gigabytes, or hours, as they run: refused before anything of them runs, in one line.

And that what is worked out of a file beforehand is what its framework then does.
"""

import pickle
import struct
import subprocess
import sys
import time
import zipfile

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from local.core import workspace
from local.model_files import onnx_cost, onnx_file
from local.runtimes import loading
from shared.data.registry import GLYPH
from shared.networks.architectures import architecture
from tests.local.model_files.greedy_models import MEMORY, ONNX, WORK, ending, node, sized, write
from tests.local.model_formats import edit_config, images, refusal, save_onnx, save_tflite

MOST_SECONDS, MOST_BYTES = 30, 2_000_000_000  # of any foreign file


def write_named(path, name):
    """The ONNX file of that name."""
    what, said = ONNX[name]
    write(path, **what)
    return said


@pytest.fixture
def unseen(monkeypatch):
    """No framework may see a file."""
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("onnxruntime has seen the file"))


@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_file_that_would_take_too_much_is_refused_unseen(tmp_path, unseen, name):
    said = write_named(tmp_path / "greedy.onnx", name)
    assert (tmp_path / "greedy.onnx").stat().st_size < 50_000
    start = time.monotonic()
    assert said in refusal(tmp_path / "greedy.onnx")
    assert time.monotonic() - start < 5


def two_graphs(model):
    return model.SerializeToString() + onnx.ModelProto(graph=model.graph).SerializeToString()


def a_size_that_is_free_too(model):
    """Protobuf takes the last of the two, and so the batch is free where a reader of the first sees 1."""
    content, free = model.SerializeToString(), b"\x0a\x07\x12\x05batch"
    assert content.count(free) == 1
    return content.replace(free, b"\x0a\x07\x08\x01\x12\x03bat")


def a_text_as_a_stride(model):
    (strides,) = model.graph.node[0].attribute
    strides.type = onnx.AttributeProto.FLOAT
    return model.SerializeToString()


def weights_twice(model):
    model.graph.initializer.append(model.graph.initializer[0])
    return model.SerializeToString()


@pytest.mark.parametrize("change", [two_graphs, a_size_that_is_free_too, a_text_as_a_stride, weights_twice])
def test_an_onnx_file_that_two_readers_could_understand_in_two_ways_is_refused(tmp_path, unseen, change):
    path = tmp_path / "model.onnx"
    write(path, **ending(node("Conv", "x", "k", strides=[28, 28]), k=np.ones((1, 1, 1, 1), "f4")))
    path.write_bytes(change(onnx.load(path)))
    assert "cannot be read: its graph is damaged" in refusal(path)


def test_a_file_in_onnxruntimes_own_format_is_not_taken_for_onnx(tmp_path):
    """Its identifier stands where an ONNX file may have part of a text."""
    path = tmp_path / "model.onnx"
    save_onnx(path)
    content = b"\x08\x0a\x12\x06ORTM.." + path.read_bytes()[2:]
    path.write_bytes(content)
    assert loading.load(path).classes == 10


CONVOLVED = np.ones((4, 1, 3, 3), "f4")
# A step on images [n, 1, 28, 28], and its constants. Every operator that is let in is here, or is one of a row.
STEPS = {
    "Conv": (node("Conv", "x", "k", pads=[1, 0, 2, 1], strides=[2, 3], dilations=[1, 2]), {"k": CONVOLVED}),
    "Conv same": (node("Conv", "x", "k", auto_pad="SAME_UPPER", strides=[2, 3]), {"k": CONVOLVED}),
    "MaxPool": (node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 1]), {}),
    "MaxPool ceil": (node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {}),
    "AveragePool": (node("AveragePool", "x", kernel_shape=[28, 1]), {}),
    "GlobalAveragePool": (node("GlobalAveragePool", "x"), {}),
    "Relu": (node("Relu", "x"), {}),
    "Cast": (node("Cast", "x", to=11), {}),
    "Add": (node("Add", "x", "a"), {"a": np.ones((3, 1, 28), "f4")}),
    "Where": (node("Where", "c", "x", "a"), {"c": np.ones((5, 1, 1), bool), "a": np.ones(28, "f4")}),
    "Gemm": (
        [helper.make_node("Flatten", ["x"], ["f"]), node("Gemm", "f", "b", transB=1)],
        {"b": np.ones((7, 784), "f4")},
    ),
    "Gemm transA": (
        [helper.make_node("Flatten", ["x"], ["f"]), node("Gemm", "f", "f", transA=1)],
        {},
    ),
    "MatMul": (node("MatMul", "x", "b"), {"b": np.ones((3, 28, 5), "f4")}),
    "Flatten": (node("Flatten", "x", axis=-2), {}),
    "Reshape": (node("Reshape", "x", "s"), {"s": sized(0, -1, 7)}),
    "Transpose": (node("Transpose", "x", perm=[0, 2, 3, 1]), {}),
    "Squeeze": (node("Squeeze", "x", "a"), {"a": sized(-3)}),
    "Unsqueeze": (node("Unsqueeze", "x", "a"), {"a": sized(0, -1)}),
    "Concat": (node("Concat", "x", "x", "x", axis=-1), {}),
    "Slice": (
        node("Slice", "x", "from", "to", "axes", "by"),
        {"from": sized(3, -1), "to": sized(1000, -(2**62)), "axes": sized(2, -1), "by": sized(4, -3)},
    ),
    "Gather": (node("Gather", "x", "at", axis=-1), {"at": sized(*range(6)).reshape(2, 3)}),
    "Pad": (node("Pad", "x", "pads"), {"pads": sized(0, 1, 2, -3, 0, 0, 0, 5)}),
    "Pad axes": (node("Pad", "x", "pads", "", "axes"), {"pads": sized(2, 3), "axes": sized(-1)}),
    "Resize": (node("Resize", "x", "", "by"), {"by": np.array([1, 1, 1.15, 0.5], "f4")}),
    "Resize sizes": (node("Resize", "x", "", "", "to"), {"to": sized(2, 1, 32, 7)}),
    "Expand": (node("Expand", "x", "to"), {"to": sized(3, 1, 28)}),
    "Tile": (node("Tile", "x", "by"), {"by": sized(1, 2, 3, 1)}),
    "ConstantOfShape": (node("ConstantOfShape", "to"), {"to": sized(3, 4)}),
    "ReduceMean": (node("ReduceMean", "x", "axes", keepdims=0), {"axes": sized(-1, 1)}),
    "ReduceMax": (node("ReduceMax", "x"), {}),
    "Shape": (
        [
            helper.make_node("Shape", ["x"], ["s"]),
            helper.make_node("Gather", ["s", "first"], ["n"], axis=0),
            helper.make_node("Unsqueeze", ["n", "axis"], ["ns"]),
            helper.make_node("Mul", ["ns", "two"], ["twice"]),
            helper.make_node("Concat", ["twice", "rest"], ["to"], axis=0),
            node("Reshape", "x", "to"),
        ],
        {"first": np.int64(0), "axis": sized(0), "two": sized(2), "rest": sized(-1)},
    ),
    "Shape cut": (
        [
            helper.make_node("Shape", ["x"], ["s"]),
            helper.make_node("Slice", ["s", "none", "two"], ["cut"]),
            helper.make_node("Concat", ["cut", "size"], ["to"], axis=0),
            node("Resize", "x", "", "", "to", keep_aspect_ratio_policy="stretch"),
        ],
        {"none": sized(0), "two": sized(2), "size": sized(32, 7)},
    ),
    "Shape cast": (
        [
            helper.make_node("Shape", ["x"], ["s"]),
            helper.make_node("Cast", ["s"], ["f"], to=1),
            node("Add", "x", "row"),
        ],
        {"row": np.ones(28, "f4")},
    ),
    "Constant": (
        [helper.make_node("Constant", [], ["s"], value_ints=[-1, 4]), node("Reshape", "x", "s")],
        {},
    ),
    "value_floats": (
        [helper.make_node("Constant", [], ["s"], value_floats=[1.0] * 28), node("Add", "x", "s")],
        {},
    ),
    "DynamicQuantizeLinear": (
        [helper.make_node("DynamicQuantizeLinear", ["x"], ["z", "scale", "zero"])],
        {},
    ),
    "QuantizeLinear": (
        [helper.make_node("QuantizeLinear", ["x", "s", "o"], ["q"]), node("DequantizeLinear", "q", "s", "o")],
        {"s": np.float32(0.1), "o": np.uint8(0)},
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_shape_that_is_worked_out_is_the_one_that_onnxruntime_gives(tmp_path, name):
    import onnxruntime

    steps, constants = STEPS[name]
    path = tmp_path / "step.onnx"
    write(path, steps if isinstance(steps, list) else [steps], constants=constants, output="z")
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (given,) = session.run(["z"], {"x": np.zeros((2, 1, 28, 28), np.float32)})
    *_, (_, output, _) = onnx_cost.walk(onnx_file.read(memoryview(path.read_bytes())), GLYPH, 2)
    assert output.shape == given.shape
    assert onnx_cost.check(path, path.read_bytes(), GLYPH) == 256


def test_more_images_than_a_call_may_have_come_in_parts(tmp_path):
    """Each image beside each other one: what two take says little of what 256 do."""
    path = tmp_path / "pairs.onnx"
    steps = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "first"], ["row"]),
        helper.make_node("Unsqueeze", ["flat", "second"], ["column"]),
        helper.make_node("Add", ["row", "column"], ["pairs"]),
        helper.make_node("Relu", ["pairs"], ["again"]),
        helper.make_node("Relu", ["again"], ["and again"]),
        helper.make_node("Neg", ["and again"], ["less"]),
        helper.make_node("ReduceSum", ["less", "second"], ["all"], keepdims=0),
        helper.make_node("Sub", ["all", "all"], ["none"]),
        helper.make_node("Add", ["flat", "none"], ["same"]),
        helper.make_node("MatMul", ["same", "w"], ["y"]),
    ]
    weights = np.random.default_rng(0).normal(0, 0.1, (784, 10)).astype(np.float32)
    write(path, steps, constants={"first": sized(0), "second": sized(1), "w": weights})
    runtime = loading.load(path)
    assert 2 <= runtime.most < 256
    alone = np.concatenate([runtime.logits(image[None]) for image in images(70)])
    assert np.allclose(runtime.logits(images(70)), alone, atol=1e-4)


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory):
    """A network as .keras."""
    from shared.networks.build_keras import build_keras

    path = tmp_path_factory.mktemp("greedy") / "model.keras"
    build_keras(architecture("lite")).save(path)
    return path


def layer_of(config, kind):
    return next(one for one in config["config"]["layers"] if one["class_name"] == kind)


def unbuilt(config):
    """Without the shapes that each layer was built for: they would show that one was changed."""
    for layer in config["config"]["layers"]:
        layer.pop("build_config", None)


def many_units(config):
    layer_of(config, "Dense")["config"]["units"] = 10**9


def many_filters(config):
    unbuilt(config)
    layer_of(config, "Conv2D")["config"]["filters"] = 10**8


def a_large_frame(config):
    unbuilt(config)
    layer = {"module": "keras.layers", "class_name": "ZeroPadding2D", "config": {"name": "p", "padding": 40_000}}
    config["config"]["layers"].insert(1, layer)


def a_large_window(config):
    unbuilt(config)
    layer_of(config, "Conv2D")["config"] |= {"kernel_size": [3000, 3000], "padding": "same"}


def built_for_more(config):
    layer_of(config, "Dense")["build_config"] = {"input_shape": [None, 10**9]}


def low_rank(config):
    layer_of(config, "Dense")["config"]["lora_rank"] = 10**9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (many_units, MEMORY),
        (many_filters, MEMORY),
        (a_large_frame, MEMORY),
        (a_large_window, WORK),
        (built_for_more, "a layer is built for"),
        (low_rank, "LoRA"),
    ],
)
def test_a_keras_file_that_would_take_too_much_is_refused_unseen(keras_file, tmp_path, monkeypatch, change, said):
    from shared.frameworks.start_keras import keras

    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras has seen the file"))
    edit_config(keras_file, tmp_path / "greedy.keras", change)
    assert said in refusal(tmp_path / "greedy.keras")


def test_keras_weights_that_unpack_to_more_than_they_take_are_refused(keras_file, tmp_path):
    import h5py

    with zipfile.ZipFile(keras_file) as old, zipfile.ZipFile(tmp_path / "model.keras", "w") as new:
        for name in ("metadata.json", "config.json"):
            new.writestr(name, old.read(name))
        with h5py.File(tmp_path / "zeros.h5", "w") as weights:
            weights.create_dataset("layers/vars/0", shape=(10**9,), dtype="f4", chunks=(10**6,), fillvalue=0)
        new.write(tmp_path / "zeros.h5", "model.weights.h5")
    assert "its weights take more than 400 MB" in refusal(tmp_path / "model.keras")


@pytest.mark.parametrize("kind", ["pairs of pairs", "counted bytes"])
def test_a_pickle_that_keeps_a_processor_busy_is_refused(tmp_path, kind):
    pairs = ()
    for _ in range(40):
        pairs = (pairs, pairs)  # a few hundred bytes, and 2**40 parts to compare
    content = pickle.dumps({"w": pairs}, 2)
    if kind == "counted bytes":
        content = b"\x80\x02ccollections\nCounter\nc__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R\x85R."
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("w/data.pkl", content)
        archive.writestr("w/version", b"3\n")
    assert "holds a pickle" in refusal(tmp_path / "model.pth")


def test_a_network_that_is_made_larger_than_any_file_is_not_made(small_model):
    assert "improved@8 takes more than 400 MB" in refusal(small_model / "model.pth", name="improved@8")


def litert(path, make):
    """What `make` gives of images, as a LiteRT file with a dense layer behind it."""
    from shared.frameworks.start_keras import keras

    taken = keras.Input((28, 28, 1))
    logits = keras.layers.Dense(10)(keras.layers.GlobalMaxPooling2D()(make(taken)))
    save_tflite(path, keras.Model(taken, logits))


def test_a_litert_file_that_would_take_too_much_is_refused(tmp_path):
    from shared.frameworks.start_keras import keras, tensorflow

    path = tmp_path / "greedy.tflite"
    litert(path, keras.layers.ZeroPadding2D(8000))
    assert MEMORY in refusal(path)

    def repeated(values):
        return tensorflow.while_loop(lambda at, _: at < 10**9, lambda at, one: (at + 1, one * 1.01), (0, values))[1]

    litert(path, keras.layers.Lambda(repeated, output_shape=(28, 28, 1)))
    assert "it holds" in refusal(path) and "WHILE" in refusal(path)

    def by_ink(values):
        many = tensorflow.cast(tensorflow.reduce_max(values) * 1e5, "int32")
        return tensorflow.pad(values, [[0, 0], [0, many], [0, many], [0, 0]])

    litert(path, keras.layers.Lambda(by_ink, output_shape=(None, None, 1)))
    assert "it holds PAD" in refusal(path)


def test_a_litert_file_that_states_larger_shapes_than_it_has_is_refused(tmp_path):
    """LiteRT finds the shapes itself, and yet makes room for those that are stated first."""
    path = tmp_path / "stated.tflite"
    content = (workspace.CHECKOUT / "models" / "lite" / "model.int8.tflite").read_bytes()
    stated, larger = (struct.pack("<5i", 4, 1, height, 26, 4) for height in (26, 200_000_000))
    assert content.count(stated) == 1
    path.write_bytes(content.replace(stated, larger))
    assert MEMORY in refusal(path)


def test_a_litert_file_with_a_window_larger_than_any_picture_is_refused(tmp_path):
    from shared.frameworks.start_keras import keras

    path = tmp_path / "window.tflite"
    litert(path, keras.layers.MaxPooling2D(30_000, strides=1, padding="same"))
    assert MEMORY in refusal(path) or WORK in refusal(path)


def test_a_litert_file_with_a_name_that_is_no_text_is_refused(tmp_path):
    from shared.frameworks.start_keras import keras

    path = tmp_path / "named.tflite"
    save_tflite(path, keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]))
    content = path.read_bytes()
    assert b"serving_default_" in content
    path.write_bytes(content.replace(b"serving_default_", b"serving\xff\xfe\xfddefaul"))
    assert "a tensor's name in it is no text" in refusal(path)


# Starts a command and writes the most memory that it held, in kB. A process that is started by another counts the
# memory that this one had then, so that nothing as large as pytest may start what is measured.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=open(sys.argv[1], "w"))
sys.exit(code)
"""


@pytest.fixture
def measured(home):
    """Runs a verb in a process of its own: its exit, both streams, seconds, and the most bytes of memory it held."""

    def run(*words):
        start = time.monotonic()
        command = [sys.executable, "-c", MEASURE, home / "most", sys.executable, "-m", "scripts", *words]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True)
        most = 1024 * int((home / "most").read_text())
        return done.returncode, done.stdout, done.stderr, time.monotonic() - start, most

    return run


@pytest.mark.parametrize("verb", ["predict", "evaluate", "bench"])
def test_a_verb_ends_on_a_greedy_file_with_one_line_in_bounded_time_and_memory(tmp_path, measured, verb):
    name = {"predict": "If", "evaluate": "Loop", "bench": "ConstantOfShape"}[verb]
    path = tmp_path / "greedy.onnx"
    said = write_named(path, name)
    cv2.imwrite(str(tmp_path / "one.png"), np.full((28, 28), 255, np.uint8))
    words = {"predict": [tmp_path / "one.png", "--single", "--model", path], "evaluate": [path, "--dataset", "digits"]}
    code, out, err, seconds, most = measured(verb, *words.get(verb, [path, "--no-cold-start"]), "--json")
    assert (code, out) == (1, "") and err.startswith("error: ") and said in err and len(err.splitlines()) == 1, err
    assert seconds < MOST_SECONDS and most < MOST_BYTES
