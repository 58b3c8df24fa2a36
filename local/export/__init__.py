"""A model's weights in other formats and smaller numbers, each kept only if its answers are the same."""
