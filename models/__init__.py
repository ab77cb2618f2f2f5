"""What perceives and what speaks: picture, text, speech and page readers, language models."""

import os

# ONNX Runtime has a client that reports on its use, and tries to; nothing leaves this machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
