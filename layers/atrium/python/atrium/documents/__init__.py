"""Documents: from a file somebody dropped to chunks that can be searched and quoted exactly."""
