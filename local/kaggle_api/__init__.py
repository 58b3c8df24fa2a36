"""Kaggle's service as this project talks to it: the SDK's client, HTTP, errors, credentials, kernel.toml."""
