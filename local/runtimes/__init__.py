"""One file a runtime: uint8 images [n, 28, 28] in, float32 logits [n, classes] out."""
