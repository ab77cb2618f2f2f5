"""The library on disk: tables, writes, queries and upkeep; the only room that knows LanceDB."""
