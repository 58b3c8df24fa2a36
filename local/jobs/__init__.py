"""What happens to a run: bundle, check, push, watch, pull, cancel, on any service."""
