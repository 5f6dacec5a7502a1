"""Parsing: each extractor on documents made for the purpose, and the process they run in."""
