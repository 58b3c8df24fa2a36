"""The networks as data, built in PyTorch and in Keras, and their weights as plain arrays."""
