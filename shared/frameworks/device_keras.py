"""Where TensorFlow trains, and in which precision. `shared.frameworks.device_torch` does the same for PyTorch.

device = pick_device("auto")
print(describe_device(device), pick_precision("auto", device))
"""

from typing import Any

from shared.frameworks.device import cpu, cpu_multiplies_bfloat16, processors, takes_gpu
from shared.frameworks.start_keras import tensorflow as tf


def pick_device(requested: str = "auto") -> str:
    """TensorFlow's name of the device: `auto` is the GPU, if TensorFlow sees one, else the CPU.

    Raises ConfigError with the reason if `cuda` is requested and cannot be used.
    """
    return "/GPU:0" if takes_gpu(requested, gpu_trouble) else "/CPU:0"


def gpu_trouble() -> str:
    """Why the GPU cannot train, or "" if it can."""
    return "" if tf.config.list_physical_devices("GPU") else "TensorFlow sees no CUDA GPU"


def describe_device(device: str) -> str:
    """The accelerator's name for people and manifests."""
    if device == "/GPU:0":
        return str(_gpu_details().get("device_name", "GPU"))
    # 0 means as many as there are processors
    return cpu(tf.config.threading.get_intra_op_parallelism_threads() or processors())


def _gpu_details() -> dict[str, Any]:
    details: dict[str, Any] = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return details


def pick_precision(requested: str, device: str) -> str:
    """`auto` is bfloat16 if the hardware multiplies it natively, else float32."""
    if requested != "auto":
        return requested
    if device == "/GPU:0":
        native = _gpu_details().get("compute_capability", (0, 0))[0] >= 8
    else:
        native = cpu_multiplies_bfloat16()
    return "bfloat16" if native else "float32"
