"""Loads TensorFlow and Keras without their chatter, and so that PyTorch can stand beside them.

    from shared.frameworks.start_keras import keras, tensorflow as tf

Everything here takes the two from this module. A user's own settings of Keras (KERAS_BACKEND, ~/.keras/keras.json) do
not reach in: the networks are made for TensorFlow, channels last and float32.

TensorFlow's C++ side writes remarks on its own build straight to the process's stderr while it is loaded, before any
setting of its log is read. They are nobody's business on a terminal; real errors come as exceptions and stay.
"""

import contextlib
import os

from shared.frameworks.silence import silent_stderr

__all__ = ["keras", "tensorflow"]

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # remarks off, errors on


# PyTorch loads triton when it first optimises or exports. Each brings its own LLVM, and triton's ends the process
# (`registered more than once`) where TensorFlow's was there before it; the other way round they get along.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

with silent_stderr():
    import keras
    import tensorflow

    tensorflow.config.list_physical_devices()  # looks for a GPU now: what it says without one is an error to nobody

keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
