"""A document becomes a memory of passages and a tree of summaries; knows no store and no video."""
