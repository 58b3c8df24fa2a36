"""The trip to Kaggle and back: spec, bundle, client, runs (the journal), pull, and the emulator."""
