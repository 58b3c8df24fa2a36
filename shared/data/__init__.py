"""The data sets: which there are, where they are found or fetched, and how an image is prepared for a network."""
