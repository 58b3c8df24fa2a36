"""Picture -> glyph: what is written in a picture, cut out as networks know it. numpy and OpenCV only."""
