"""How PyTorch and Keras start on this machine: quietly, on which device, in which precision."""
