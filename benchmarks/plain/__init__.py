"""The papers' formulas written plainly, loop by loop: what the product's fast forms are timed by."""
