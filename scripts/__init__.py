"""The verbs, one a file, each thin: `python -m scripts VERB`, installed as `k2l VERB`."""
