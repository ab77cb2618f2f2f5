"""The papers' formulas written plainly, loop by loop: what the fast forms are timed by."""
