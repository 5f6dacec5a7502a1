"""Ingestion: from an object's arrival in the bucket to published chunks, in steps that may be killed and run again."""
