"""Through the deployed local cloud, from outside."""
