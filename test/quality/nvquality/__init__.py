"""Recall of nanovec's indexes beside pgvector's: see ../README.md."""
