"""Where PyTorch trains, and in which precision: a GPU only where this torch has code for it.

device = pick_device("auto")
print(describe_device(device), pick_precision("auto", device))
"""

import torch

from shared.frameworks.device import cpu, cpu_multiplies_bfloat16, takes_gpu


def pick_device(wanted: str = "auto") -> torch.device:
    """`auto` is the GPU, where there is one whose code this torch carries, else the CPU.

    Raises ConfigError where `cuda` is asked for and cannot be had, with the reason.
    """
    return torch.device("cuda" if takes_gpu(wanted, gpu_trouble) else "cpu")


def gpu_trouble() -> str:
    """Why the GPU cannot train, or "" if it can.

    A GPU that this torch has no code for says it is available and dies at the first kernel, so look at its
    compute capability first. Code for x.y runs on every x.z with z >= y.
    """
    if not torch.cuda.is_available():
        return "no CUDA GPU is visible"
    major, minor = torch.cuda.get_device_capability()
    built = [name.removeprefix("sm_") for name in torch.cuda.get_arch_list() if name.startswith("sm_")]
    known = [(int(digits[:-1]), int(digits[-1])) for digits in built if digits.isdigit()]
    if any(theirs == major and ours <= minor for theirs, ours in known):
        return ""
    carried = ", ".join(f"sm_{digits}" for digits in built) or "no GPU"
    return f"{torch.cuda.get_device_name()} is sm_{major}{minor}, and this torch was built for {carried}"


def describe_device(device: torch.device) -> str:
    """The accelerator's name for people and manifests."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu(torch.get_num_threads())


def pick_precision(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where the hardware multiplies it natively, else float32."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    native = torch.cuda.get_device_capability()[0] >= 8 if device.type == "cuda" else cpu_multiplies_bfloat16()
    return torch.bfloat16 if native else torch.float32
