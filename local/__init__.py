"""The laptop side: a library of nouns. It prints nothing and never exits; `scripts` does."""
