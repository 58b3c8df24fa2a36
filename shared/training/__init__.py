"""A training: its settings, the loop in each framework, and the metrics, files and plots that come out of it."""
