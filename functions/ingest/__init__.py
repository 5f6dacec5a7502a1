"""Worker: objects that arrived in the bucket become executions of the document pipeline."""
