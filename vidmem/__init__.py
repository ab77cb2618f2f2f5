"""A video becomes a memory of moments: decoding, perception, events and memories."""
