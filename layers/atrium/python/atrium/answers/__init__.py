"""Answers from retrieved passages, with citations whose quotes were found in the stored text."""
