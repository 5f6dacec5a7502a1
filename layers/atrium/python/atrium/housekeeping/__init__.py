"""What keeps a deployment clean while nobody looks: expiry, stuck documents, tombstones, erasures; and its figures.

Imports nothing here: who only wants the figures does not load the document pipeline.
"""
