"""Every Python that a test starts loads this by itself, and notes whom it reaches for."""

from reach import watch

watch()
