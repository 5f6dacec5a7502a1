"""The gateway beside other gateways: one upstream, one load, one run."""
