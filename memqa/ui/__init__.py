"""The web page: a quiet reading desk for media, questions and the places answers rest on."""

from memqa.ui.server import launch, main

__all__ = ["launch", "main"]
