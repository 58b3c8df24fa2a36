"""What every room of the laptop side uses: the workspace, whole outputs, signals, sockets, checks."""
