"""The sample media that travel with memqa; whose they are stands in ATTRIBUTION.md beside them."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
VIDEO = FOLDER / "sample.mp4"
DOCUMENT = FOLDER / "sample.pdf"
