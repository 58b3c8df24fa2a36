"""What every package of `local` uses: the workspace, complete outputs, signals, sockets, checks."""
