"""The teaching notebook, in jupytext's percent format. `k2l bundle` makes a notebook of it; nothing imports it.

A cell tagged `framework` is an empty place. The cells of the same name in `torch/cells.py` or `keras/cells.py` stand
there in the notebook. A cell tagged `parameters` gets a line for each parameter of `shared/training/config.py`; behind
the cell tagged `shared` stand the files of `shared/` that the cells import. What comes before the first cell is left
out, as this text is.
"""

# %% [markdown]
# # Teach a network to read digits
#
# This notebook was bundled by **k2l**. It trains a small convolutional network on whatever it runs on, explains
# each step as it goes, and leaves weights, pictures and a `manifest.json` that vouches for every byte.
# It needs no internet. To run it by hand, attach the data set `hojjatk/mnist-dataset` and press *Run all*.

# %% framework tags=["framework"]

# %% [markdown]
# ## What to train
#
# The cell below has every parameter: as it was asked for on the command line, and else as the recipe has it.
# To try something else, change a value there, or give that one value to papermill: `-p seed 3`; the others stay.
# `None` leaves a value to the recipe: use it from `loading` on, and for `epochs`, where you try another recipe.

# %% tags=["parameters"]

# %% [markdown]
# ## The shared code
#
# The same files run on the laptop: one definition of the network, one way to prepare a picture, one set of metrics.
# They are written to a scratch folder, because whatever stays in the working folder becomes an output of the run.

# %% tags=["shared"]
import sys
import tempfile
from pathlib import Path

CODE = tempfile.mkdtemp(prefix="k2l-")
sys.path.insert(0, CODE)

# %% [markdown]
# ## The settings
#
# Checked before anything starts: what does not exist or is out of range is named here, with what does.

# %%
from shared.data.datasets import choose, load
from shared.training.config import PARAMETERS, TrainConfig

dataset, missing = choose(dataset)
if missing:
    print(f"NOTE: {missing}")
config = TrainConfig.create(**{each: globals()[each] for each in PARAMETERS})  # the values of the cell of parameters
config.as_dict()

# %% [markdown]
# ## What it runs on
#
# A GPU trains many times faster than a CPU, where there is one and the framework can use it.

# %% device tags=["framework"]

# %%
from shared.training import results

accelerator = describe_device(pick_device(config.device))
print(f"on {accelerator}" + (f" ({gpu_trouble()})" if gpu_trouble() else ""))
environment = results.environment(framework, accelerator)
environment

# %% [markdown]
# ## The data
#
# A picture is 28 x 28 numbers from 0 (paper) to 255 (ink). The *training* images teach the network. A fixed part of
# them, the *validation* images, is held back: every choice is made on those. The *test* images are looked at once,
# at the very end, so that the final figure is an honest one.

# %%
import numpy as np

from shared.training import plots

data = load(config.dataset)
print(f"{data.name}: {len(data.train_images):,} training and {len(data.test_images):,} test images from {data.source}")
plots.samples(data.train_images[:32], data.train_labels[:32], classes=data.classes)

# %% [markdown]
# ## The network
#
# - A **convolution** slides small filters (3 x 3 numbers) over the picture; each answers strongly where the picture
#   looks like it: an edge, a corner, a stroke's end. The next convolution combines these answers, so it sees more of
#   the picture: a loop, for example.
# - **ReLU** keeps positive answers and drops the rest. It is a step that is not linear; so is max pooling. Without such
#   a step between them, two layers can do no more than one: a weighted sum of weighted sums is a weighted sum.
# - **Max pooling** keeps the strongest answer of each 2 x 2 window: half the size, and a pixel's shift hardly matters.
# - **Batch norm** keeps the numbers in a range where learning is quick.
# - A **dense** layer weighs all answers together; the last one gives ten scores, the **logits**, one for each digit.
# - **Dropout** silences some values at random during training, so that no single one is relied upon.

# %%
from shared.networks.architectures import architecture as network_of

network = network_of(config.architecture, data.input, len(data.classes))
print(f"{network.name}: {network.source}")

# %% network tags=["framework"]

# %% [markdown]
# ## Training
#
# The network sees a *batch* of pictures, and the **cross-entropy** says how surprised it was by the right answers.
# **Backpropagation** works out, for each weight, which way to move to be less surprised, and **Adam** moves them all
# a little. Once through all pictures is an *epoch*. With the one-cycle schedule the steps grow, then shrink.
#
# Each line gives the loss on the training and on the validation images, and the accuracy on the validation images.
# Do not be surprised if the validation images come off better than the training images: while it learns, dropout
# silences a part of the network, and the recipe may turn and shift each picture at random. Practice is made harder
# than the examination, on purpose.

# %% training tags=["framework"]


# %%
from shared.core.events import EpochEnded


def show(event):
    if isinstance(event, EpochEnded):
        print(results.epoch_line(event.row, event.epochs), flush=True)


trained = train(config, data, report=show)
print(f"trained in {trained.seconds:.1f} s, in {trained.precision}")

# %% [markdown]
# ## How well it reads
#
# Now the test images, once. Rows of the confusion matrix are the true digits, columns the answers: what is off the
# diagonal was misread.

# %%
from shared.training.metrics import score, surest_mistakes

logits = predict(trained.model, data.test_images, data.input)
test = score(logits, data.test_labels)
figures = results.draw(history=trained.history, data=data, logits=logits, test=test)
wrong = int(np.sum(logits.argmax(1) != data.test_labels))
print(f"test accuracy {test.accuracy:.2%}: {wrong} of {len(logits):,} misread")
figures["curves"]

# %%
figures["confusion"]

# %% [markdown]
# The mistakes it was surest of. Would you have known?

# %%
figures["misclassified"]

# %% [markdown]
# ## What it has learnt
#
# The first layer's filters started as noise. What they are now, training made of them: each weighs a pixel and its
# neighbours, for (blue) or against (vermilion). The values between the layers are worked out by hand from here on, in
# numpy (`shared/explain/numpy_forward.py`), so that nothing is hidden: the same network, layer by layer.

# %% weights tags=["framework"]

# %%
from shared.explain import explanation_plots, layer_plots

layer_plots.filters(arrays["conv1.weight"])

# %% [markdown]
# A filter at work: nine pixels times nine weights, added up, are one number of the map. The whole map is this at every
# pixel.

# %%
look_at = 0  # which test image; try others
row, column, which = 10, 14, 0  # which window, which filter

image, label = data.test_images[look_at], int(data.test_labels[look_at])
layer_plots.convolution(image, arrays["conv1.weight"][which, 0], row=row, column=column)

# %% [markdown]
# ## A digit's way through the layers
#
# From 784 numbers to ten scores.

# %%
from shared.explain.explanation import explain


def logits_of(images):
    return predict(trained.model, images, data.input)


def explained(n):
    """The way of a test image."""
    image, label = data.test_images[n], int(data.test_labels[n])
    return explain(network, arrays, image, logits_of=logits_of, classes=data.classes, true=label)


told = explained(look_at)
for line in told.lines():
    print(f"{line.name:<20}{line.size:>16}   {line.says}")
explanation_plots.way(told)

# %% layers tags=["framework"]

# %% [markdown]
# ## Where it looked, and was wrong
#
# **Occlusion** paints over 5 x 5 pixels, at every place in turn, and asks again. Where that makes the answer less
# likely, the place speaks for it (blue); where more likely, against it (vermilion). **Grad-CAM** adds up the last maps,
# each weighed by how the score grows with it. Both say where, neither says why.

# %%
surest = surest_mistakes(logits, data.test_labels)[:2] if wrong else [look_at]
explanation_plots.looked([explained(n) for n in surest])

# %% [markdown]
# ## Softmax, cross-entropy and backpropagation, by hand
#
# *Softmax* turns scores into probabilities: e to the power of each, over the sum of all. *Cross-entropy* is minus the
# logarithm of the probability of the right answer: 0 for a sure and right one, large for a sure and wrong one.
# *Backpropagation* starts from its derivative with respect to the scores, which is simply the probabilities minus the
# truth, and goes back layer by layer with the chain rule. The last layer's weights come first: the gradient of each is
# the error of its score times the value that it weighed.

# %%
scores = told.logits
probabilities = np.exp(scores) / np.exp(scores).sum()
cross_entropy = -np.log(probabilities[label])
error = probabilities - np.eye(len(probabilities))[label]
inputs = list(told.values.values())[-2]  # what the last layer is given
by_hand = np.outer(error, inputs)

# %% gradient tags=["framework"]

# %%
print("probabilities:", *(f"{name} {p:.4f}  " for name, p in zip(data.classes, probabilities, strict=True)))
print(f"cross-entropy: {cross_entropy:.6f} by hand, {loss:.6f} by {framework}")
print(f"gradients of {by_hand.size:,} weights differ by at most {np.abs(by_hand - gradient).max():.1e}")

# %% [markdown]
# ## Adam, by hand
#
# A plain step is the gradient times the learning rate. *Adam* keeps two averages of each weight's gradients: of the
# gradients themselves (which way?) and of their squares (how large usually?). It steps by the first over the root of
# the second, so that every weight moves at about the same pace. The first step is the learning rate, whatever the
# gradient.

# %%
gradients = (0.2, 0.1, -0.4)  # of one weight, in three steps; try others
rate, beta1_, beta2_ = 0.001, 0.9, 0.999

weight, mean, square = 0.5, 0.0, 0.0

# %% adam tags=["framework"]

# %%
for step, gradient in enumerate(gradients, start=1):
    mean = beta1_ * mean + (1 - beta1_) * gradient
    square = beta2_ * square + (1 - beta2_) * gradient**2
    # Both began at 0, and are too small at first: by so much.
    weight -= rate * (mean / (1 - beta1_**step)) / ((square / (1 - beta2_**step)) ** 0.5 + 1e-8)
    theirs = adam_step(gradient)
    print(f"step {step}: gradient {gradient:>5}, the weight is {weight:.6f} by hand, {theirs:.6f} by {framework}")

# %% [markdown]
# ## Try it
#
# 1. Set `look_at` to a digit that was misread: its number is in `np.flatnonzero(logits.argmax(1) != data.test_labels)`.
#    In which layer do its maps still look like what it is?
# 2. Set `architecture` to `lite` among the parameters: 4,006 weights in place of `compact`'s 206,922. What does it cost
#    in accuracy? Where did all the others sit? (In the table of layers: `dense1`.)
# 3. Set `optimizer = "adam"`, `weight_decay = 0.0`, `schedule = "constant"`, `learning_rate = 0.1`: what does
#    the loss curve do, and why?
# 4. Set `rotation`, `shift`, `scale` and `elastic` to 0. Which curve gets better, training or validation? Which counts?
# 5. Divide `scores` by 10 before softmax. Does the answer change? Does the cross-entropy?

# %% [markdown]
# ## What goes home
#
# Weights, scores, answers and pictures. The manifest is written last: where it exists, the rest is whole.

# %%
folder = Path.cwd()
save_weights(trained.model, folder / weights_file)
manifest = results.write(
    folder,
    config=config,
    identity={"name": name, "run_id": run_id, "bundle_sha256": bundle_sha256, "source_commit": source_commit},
    framework=framework,
    environment=environment,
    trained=trained,
    test=test,
    logits=logits,
    data=data,
    figures=figures,
)
for name, file in manifest.files.items():
    print(f"{file.bytes:>12,} bytes   {file.sha256[:12]}   {name}")
