"""Where PyTorch trains, and in which precision: a GPU only if this torch has code for it.

device = pick_device("auto")
print(describe_device(device), pick_precision("auto", device))
"""

import torch

from shared.frameworks.device import cpu, cpu_multiplies_bfloat16, takes_gpu


def pick_device(requested: str = "auto") -> torch.device:
    """`auto` is the GPU, if this torch has code for it, else the CPU.

    Raises ConfigError with the reason if `cuda` is requested and cannot be used.
    """
    return torch.device("cuda" if takes_gpu(requested, gpu_trouble) else "cpu")


def gpu_trouble() -> str:
    """Why the GPU cannot train, or "" if it can.

    A GPU without code in this torch reports that it is available and fails at the first kernel, so its compute
    capability is checked first. Code for x.y runs on every x.z with z >= y.
    """
    if not torch.cuda.is_available():
        return "no CUDA GPU is visible"
    major, minor = torch.cuda.get_device_capability()
    built = [name.removeprefix("sm_") for name in torch.cuda.get_arch_list() if name.startswith("sm_")]
    known = [(int(digits[:-1]), int(digits[-1])) for digits in built if digits.isdigit()]
    if any(theirs == major and ours <= minor for theirs, ours in known):
        return ""
    included = ", ".join(f"sm_{digits}" for digits in built) or "no GPU"
    return f"{torch.cuda.get_device_name()} is sm_{major}{minor}, and this torch was built for {included}"


def describe_device(device: torch.device) -> str:
    """The accelerator's name for people and manifests."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu(torch.get_num_threads())


def pick_precision(requested: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 if the hardware multiplies it natively, else float32."""
    if requested != "auto":
        return torch.bfloat16 if requested == "bfloat16" else torch.float32
    native = torch.cuda.get_device_capability()[0] >= 8 if device.type == "cuda" else cpu_multiplies_bfloat16()
    return torch.bfloat16 if native else torch.float32
