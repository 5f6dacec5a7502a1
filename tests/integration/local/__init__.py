"""The parts of the local cloud, started for real."""
