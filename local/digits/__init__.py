"""From a picture to its digits: sheet, threshold, segments, glyphs, and the answers of a network."""
