"""The local cloud, without starting one."""
