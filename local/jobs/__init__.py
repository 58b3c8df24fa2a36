"""What happens to a run: bundle, check, push, watch, pull, cancel, on whichever service it is meant for."""
