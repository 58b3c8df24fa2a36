"""The camera side: frames from a device or a film, digits followed through them, drawn, shown and kept."""
