"""What only Keras says: the cells for the places of `kaggle/notebook.py`. A name holds until the next one."""

# %% framework [markdown]
# The framework is **Keras**, on TensorFlow: a network is compiled with its loss and its optimizer, and `fit` trains it.

# %% device [markdown]
# TensorFlow takes a GPU if it sees one, and else trains on the CPU: slower, but right.

# %%
from shared.frameworks.device_keras import describe_device, gpu_trouble, pick_device

framework, weights_file = "keras", "model.keras"

# %% network [markdown]
# Keras takes pictures with the channels last, 28 x 28 x 1, and can tell what it has built:

# %%
from shared.networks.build_keras import build_keras

build_keras(network).summary()

# %% training [markdown]
# In Keras, `compile` names the loss and the optimizer, and `fit` does the rest; `train` calls both, and measures the
# network on the validation images after each epoch.

# %%
from shared.training.train_keras import predict, save_weights, train

# %% weights
from shared.networks import weights

arrays = weights.of_keras(trained.model, network)

# %% layers [markdown]
# In Keras a second `Model` from the same input to a layer's output gets at its values; here it shows that the values
# worked out by hand are the network's own.

# %%
from shared.data.preprocessing import to_float, to_nhwc
from shared.frameworks.start_keras import keras, tensorflow

to_conv1 = keras.Model(trained.model.inputs[0], trained.model.get_layer("conv1").output)
maps = (
    to_conv1(to_nhwc(to_float(image[None], data.input), data.input), training=False).numpy()[0].transpose(2, 0, 1)
)  # channels first
print(f"by hand and by Keras, conv1 differs by at most {np.abs(maps - told.values['conv1']).max():.1e}")

# %% gradient
kernel = trained.model.layers[-1].kernel
with tensorflow.GradientTape() as tape:
    answer = trained.model(to_nhwc(to_float(image[None], data.input), data.input), training=False)
    loss = keras.losses.sparse_categorical_crossentropy(np.array([label]), answer, from_logits=True)[0]
gradient = tape.gradient(loss, kernel.value)  # [in, out], where PyTorch has [out, in]
loss, gradient = float(loss), gradient.numpy().T

# %% adam
variable = keras.Variable(weight)
adam = keras.optimizers.Adam(rate, beta_1=beta1_, beta_2=beta2_, epsilon=1e-8)


def adam_step(gradient):
    """Keras's own step; the weight after it."""
    adam.apply([np.float32(gradient)], [variable])
    return float(variable.value)
