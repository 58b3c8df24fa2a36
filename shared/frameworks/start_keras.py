"""Loads TensorFlow and Keras without their messages, and so that PyTorch works in the same process.

    from shared.frameworks.start_keras import keras, tensorflow as tf

All our code imports the two from this module. A user's own settings of Keras (KERAS_BACKEND, ~/.keras/keras.json) have
no effect: the networks are made for TensorFlow, channels last and float32.

TensorFlow's C++ side writes messages about its own build directly to the process's stderr during the import, before it
reads any log setting. They do not belong on a terminal; real errors come as exceptions and remain.
"""

import contextlib
import os

from shared.frameworks.silence import silent_stderr

__all__ = ["keras", "tensorflow"]

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # messages off, errors on


# PyTorch loads triton when it first optimises or exports. Each has its own LLVM, and triton's ends the process
# (`registered more than once`) if TensorFlow's was loaded first; the other order works.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

with silent_stderr():
    import keras
    import tensorflow

    tensorflow.config.list_physical_devices()  # looks for a GPU now; its message without one is not an error

keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
