"""Pictures and films, read from wherever a command line names them, and films written."""
