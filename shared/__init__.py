"""Code that runs on both sides: bundled into the Kaggle notebook, and imported on the laptop."""

import os

# How many looks a thread takes for the others of its team before it sleeps; OpenMP reads it when torch is loaded, so it
# is set before anything here can load it. Where the teams of PyTorch's forward and backward passes are more threads
# than processors, OpenMP would sleep at once, and waking takes as long as the work: with this, a training of `sprint`
# on two processors takes .6 of the time. The usual 300,000 looks, 3 ms, are lost where a program has the others' core.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
