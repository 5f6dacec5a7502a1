"""Every model behind one door: routed, retried, metered."""
