"""How PyTorch and Keras start on this machine: without output, on which device, in which precision."""

FRAMEWORKS = ("torch", "keras")  # each trains every network, here and on Kaggle
