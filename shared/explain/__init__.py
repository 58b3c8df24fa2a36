"""One picture's way through one network, computed with numpy, explained in words and drawn."""
