"""The laptop side: a library of nouns. It prints nothing and never exits; `scripts` does."""

import os

# Read when onnxruntime is loaded: without it, a long-lived process looks up its maker's telemetry host and keeps a
# device id in HOME, whatever `disable_telemetry_events` says.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Read when OpenCV is loaded: a picture of a few kilobytes can claim any size, and FFmpeg's own remarks name no file.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "200000000")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
