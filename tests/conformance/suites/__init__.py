"""What every implementation of an extension point does. Inherit a suite in a class named `Test…` and give it yours."""
