"""What the emulator keeps on disk: kernels, models, uploaded files, the quota."""
