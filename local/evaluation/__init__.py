"""How good and how fast model files are on this machine, alone, compared and together."""
