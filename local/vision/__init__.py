"""Picture -> glyph -> digit: the camera's side of the project, numpy and OpenCV only."""
