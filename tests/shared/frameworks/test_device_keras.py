"""Which device and which precision TensorFlow takes: the GPU is played. `test_device_torch` is its twin."""

import pytest

from shared.core.errors import ConfigError
from shared.frameworks import device_keras
from shared.frameworks.device_keras import describe_device, gpu_trouble, pick_device, pick_precision
from shared.frameworks.start_keras import tensorflow


@pytest.fixture
def gpu(monkeypatch):
    """Makes TensorFlow see a GPU of this name and compute capability, or none."""

    def see(name, capability=(7, 5)):
        monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: [name] if name else [])
        details = {"device_name": name, "compute_capability": capability}
        monkeypatch.setattr(device_keras, "_gpu_details", lambda: details)

    return see


def test_a_gpu_is_taken_where_there_is_one(gpu):
    gpu("Tesla T4")
    assert gpu_trouble() == ""
    assert [pick_device(wanted) for wanted in ("auto", "cuda", "cpu")] == ["/GPU:0", "/GPU:0", "/CPU:0"]
    assert describe_device("/GPU:0") == "Tesla T4"


def test_without_one_the_cpu_is_unless_the_gpu_was_asked_for(gpu):
    gpu(None)
    assert [pick_device(wanted) for wanted in ("auto", "cpu")] == ["/CPU:0", "/CPU:0"]
    with pytest.raises(ConfigError, match="TensorFlow sees no CUDA GPU"):
        pick_device("cuda")


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_auto_is_bfloat16_where_the_gpu_multiplies_it(gpu, capability, precision):
    gpu("GPU", capability)
    assert pick_precision("auto", "/GPU:0") == precision
    assert [pick_precision(wanted, "/GPU:0") for wanted in ("float32", "bfloat16")] == ["float32", "bfloat16"]


@pytest.mark.parametrize(("multiplies", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_where_the_cpu_multiplies_it(monkeypatch, multiplies, precision):
    monkeypatch.setattr(device_keras, "cpu_multiplies_bfloat16", lambda: multiplies)
    assert pick_precision("auto", "/CPU:0") == precision


def test_the_cpu_is_described_by_its_threads(monkeypatch):
    monkeypatch.setattr(device_keras, "processors", lambda: 3)
    monkeypatch.setattr(tensorflow.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    assert describe_device("/CPU:0") == "CPU, 3 threads"
