"""What holds for all tests."""

import signal

# A runner that a script started in the background ignores Ctrl-C, and so would everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
