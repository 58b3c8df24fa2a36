"""What this machine has of all that k2l can use."""
