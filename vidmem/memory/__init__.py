"""One published memory method a file."""
