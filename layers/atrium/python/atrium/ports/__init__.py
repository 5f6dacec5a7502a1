"""The narrow doors to AWS: one Protocol and one boto3 adapter each. The only place that calls an AWS SDK."""
