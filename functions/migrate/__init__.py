"""Brings a deployment to this code's state: roles, schema, embedding spaces, keyring, operator key."""
