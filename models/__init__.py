"""What perceives and what speaks: picture, text, speech and page readers, language models."""

import os

# By itself ONNX Runtime tells its maker about every session; nothing leaves this machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
