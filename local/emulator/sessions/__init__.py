"""Kaggle sessions on this machine: a notebook in a process of its own, its inputs, its folders."""
