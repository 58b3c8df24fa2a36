"""Trained models on this machine: found, checked against their manifest, installed, resumed from."""
