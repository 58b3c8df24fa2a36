"""Code that runs on both sides: bundled into the Kaggle notebook, and imported on the laptop."""

import os

# Read by OpenMP when torch is loaded, so it is set before anything here can load it. By default a thread that waits
# for the others spins; where another program holds their core, a training then takes several times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
