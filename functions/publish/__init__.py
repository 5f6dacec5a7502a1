"""Worker: embedded chunks become what search serves, or a version fails."""
