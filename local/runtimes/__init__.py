"""One file a runtime: images in, logits out."""
