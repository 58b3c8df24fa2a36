"""Code that runs on both sides: bundled into the Kaggle notebook, and imported on the laptop."""
