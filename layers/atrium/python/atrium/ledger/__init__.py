"""Money: what every call may cost is reserved before it goes out, and what it did cost is settled after."""
