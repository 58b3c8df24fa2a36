"""The services that a run can be sent to: the values of `--remote`. `connect` reaches each of them."""

KAGGLE = "kaggle"  # the service that KAGGLE_API_ENVIRONMENT names
EMULATOR = "emulator"  # ours, on this machine
REMOTES = (KAGGLE, EMULATOR)
