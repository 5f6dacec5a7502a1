"""The Lambda functions: one folder each. They adapt events and HTTP to the verbs of the domains, and import no other function."""
