"""Stand-ins for what lies outside Atrium: the ports in memory, providers on the wire."""
