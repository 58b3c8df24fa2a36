"""Which device and which precision a training takes: the GPU is played, since most machines here have none.

The GPUs are those that Kaggle has had, the architecture lists those of torch 2.10 and 2.15 as they are published.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.core.errors import ConfigError
from shared.data.datasets import load
from shared.frameworks.device import cpu_multiplies_bfloat16
from shared.frameworks.device_torch import describe_device, gpu_trouble, pick_device, pick_precision
from shared.training.config import TrainConfig
from shared.training.train_torch import train

TORCH_2_10 = "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
TORCH_2_15 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
P100, V100, T4, A10, L4, H100 = (6, 0), (7, 0), (7, 5), (8, 6), (8, 9), (9, 0)

Gpu = Callable[..., None]


def returning(value: object) -> Callable[..., Any]:
    return lambda *_, **__: value


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", returning(False))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Makes torch see a GPU of this compute capability and say that it was built for these architectures."""

    def see(capability: tuple[int, int], *, built: str = TORCH_2_10, name: str = "Tesla T4") -> None:
        monkeypatch.setattr(torch.cuda, "is_available", returning(True))
        monkeypatch.setattr(torch.cuda, "get_device_capability", returning(capability))
        monkeypatch.setattr(torch.cuda, "get_device_name", returning(name))
        monkeypatch.setattr(torch.cuda, "get_arch_list", returning(built.split()))

    return see


@pytest.fixture
def cpu_that_multiplies(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes the CPU one that multiplies bfloat16, or not."""

    def see(multiplies: bool) -> None:
        monkeypatch.setattr("shared.frameworks.device_torch.cpu_multiplies_bfloat16", lambda: multiplies)

    return see


@pytest.mark.parametrize(
    ("capability", "built"),
    [
        pytest.param(T4, TORCH_2_10, id="the very architecture"),
        pytest.param(T4, TORCH_2_15, id="the first of the list"),
        pytest.param(V100, TORCH_2_10, id="V100 where it is still built for"),
        pytest.param(A10, "sm_80", id="8.6 runs the code of 8.0"),
        pytest.param(L4, TORCH_2_15, id="8.9 runs the code of 8.6"),
        pytest.param((10, 3), TORCH_2_15, id="two digits before the point"),
        pytest.param(H100, "sm_80 sm_90", id="H100"),
    ],
)
def test_a_gpu_that_torch_has_code_for_is_taken(gpu: Gpu, capability: tuple[int, int], built: str):
    gpu(capability, built=built)
    assert gpu_trouble() == ""
    assert [pick_device(wanted).type for wanted in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


@pytest.mark.parametrize(
    ("capability", "built"),
    [
        pytest.param(P100, TORCH_2_10, id="P100 is older than all"),
        pytest.param(V100, TORCH_2_15, id="V100 was dropped"),
        pytest.param((8, 0), "sm_75 sm_86", id="8.0 cannot run the code of 8.6"),
        pytest.param(H100, "sm_80 sm_86", id="code of another generation"),
        pytest.param((13, 0), TORCH_2_10, id="newer than all"),
        pytest.param(H100, "sm_80 compute_90", id="compute_90 is no machine code"),
        pytest.param(T4, "", id="no code at all"),
    ],
)
def test_a_gpu_that_torch_has_no_code_for_is_left_alone(gpu: Gpu, capability: tuple[int, int], built: str):
    gpu(capability, built=built)
    assert gpu_trouble()
    assert pick_device("auto").type == "cpu"


def test_the_refusal_names_the_gpu_its_architecture_and_those_torch_was_built_for(gpu: Gpu):
    gpu(P100, name="Tesla P100-PCIE-16GB")
    trouble = gpu_trouble()
    assert trouble.startswith("Tesla P100-PCIE-16GB is sm_60,")
    assert "70, " in trouble and trouble.endswith("120")


def test_asking_for_a_gpu_that_cannot_train_is_an_error_with_the_reason_and_the_way_out(gpu: Gpu):
    gpu(P100, name="Tesla P100-PCIE-16GB")
    with pytest.raises(ConfigError, match=r"'cuda' cannot be used: Tesla P100\S+ is sm_60.*Use device 'cpu'"):
        pick_device("cuda")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error():
    assert gpu_trouble() == "no CUDA GPU is visible"
    assert [pick_device(wanted).type for wanted in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(ConfigError, match=r"'cuda' cannot be used: no CUDA GPU is visible\. Use device 'cpu'"):
        pick_device("cuda")


@pytest.mark.usefixtures("no_gpu")
def test_a_training_that_needs_a_gpu_fails_before_its_first_epoch():
    told: list[dict[str, Any]] = []
    with pytest.raises(ConfigError, match="'cuda' cannot be used"):
        train(TrainConfig.create(dataset="digits", epochs=1, device="cuda"), load("digits"), told.append)
    assert told == []


def test_the_cpu_is_taken_without_a_look_at_the_gpu(gpu: Gpu, monkeypatch: pytest.MonkeyPatch):
    """Looking at a GPU can be slow, or warn of a driver that nobody asked for."""
    gpu(T4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("the GPU was looked at"))
    assert pick_device("cpu").type == "cpu"


def test_a_device_is_described_by_its_name_or_its_threads(gpu: Gpu, monkeypatch: pytest.MonkeyPatch):
    gpu(T4, name="Tesla T4")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert describe_device(torch.device("cuda")) == "Tesla T4"
    assert describe_device(torch.device("cpu")) == "CPU, 4 threads"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert describe_device(torch.device("cpu")) == "CPU, 1 thread"


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        (V100, torch.float32),
        (T4, torch.float32),
        ((8, 0), torch.bfloat16),
        (L4, torch.bfloat16),
        (H100, torch.bfloat16),
    ],
)
def test_a_gpu_trains_in_bfloat16_from_ampere_on(gpu: Gpu, capability: tuple[int, int], precision: torch.dtype):
    gpu(capability)
    assert pick_precision("auto", torch.device("cuda")) is precision


@pytest.mark.parametrize(("multiplies", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_trains_in_bfloat16_only_where_it_is_known_to_multiply_it(
    cpu_that_multiplies: Callable[[bool], None], multiplies: bool, precision: torch.dtype
):
    cpu_that_multiplies(multiplies)
    assert pick_precision("auto", torch.device("cpu")) is precision


@pytest.mark.parametrize(
    ("cpuinfo", "multiplies"),
    [
        pytest.param("flags : avx2 avx512_bf16 fma", True, id="avx512_bf16"),
        pytest.param("flags : amx_bf16 amx_tile", True, id="amx_bf16"),
        pytest.param("flags : avx2 avx512f", False, id="neither"),
        pytest.param(None, False, id="a system that does not tell"),
    ],
)
def test_linux_tells_whether_the_cpu_multiplies_bfloat16(monkeypatch: pytest.MonkeyPatch, cpuinfo, multiplies):
    def read_text(path: Path, encoding: str = "") -> str:
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read_text)
    assert cpu_multiplies_bfloat16() is multiplies


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_precision_that_is_asked_for_is_taken(gpu: Gpu, cpu_that_multiplies: Callable[[bool], None], device: str):
    gpu(T4)
    cpu_that_multiplies(False)
    assert pick_precision("bfloat16", torch.device(device)) is torch.bfloat16
    gpu(H100)
    cpu_that_multiplies(True)
    assert pick_precision("float32", torch.device(device)) is torch.float32
