"""The library on disk: tables, writes, queries and upkeep; the only room that knows LanceDB."""

import os

# LanceDB's own log warns of what nobody can change, such as many vectors that are alike.
os.environ.setdefault("LANCEDB_LOG", "error")
