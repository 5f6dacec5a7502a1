"""Postgres and the bucket: what must survive a mistake."""

from infra.packaging.places import Places
from tests.infra.template import Template


def test_aurora_is_protected_encrypted_and_recoverable(aws: Template) -> None:
    (cluster,) = aws.of_type("AWS::RDS::DBCluster").values()
    properties = cluster["Properties"]
    assert properties["DeletionProtection"] is True
    assert properties["StorageEncrypted"] is True
    assert properties["BackupRetentionPeriod"] == 14
    assert properties["EnableIAMDatabaseAuthentication"] is True
    assert properties["ManageMasterUserPassword"] is True
    assert properties["EngineVersion"].startswith("18.")
    assert properties["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 8}
    assert cluster["DeletionPolicy"] == cluster["UpdateReplacePolicy"] == "Retain"


def test_only_functions_reach_the_database(aws: Template) -> None:
    rule = aws.only("AWS::EC2::SecurityGroupIngress")
    assert rule["FromPort"] == rule["ToPort"] == 5432
    assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][0].startswith("NetworkFunctions")
    instance = aws.only("AWS::RDS::DBInstance")
    assert instance["PubliclyAccessible"] is False


def test_s3_is_reached_without_the_nat_gateway(aws: Template) -> None:
    assert len(aws.of_type("AWS::EC2::NatGateway")) == 1
    endpoint = aws.only("AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert "s3" in str(endpoint["ServiceName"])


def test_the_local_cloud_has_postgres_and_no_network(local: Template) -> None:
    assert [name for name in local.resources if name.startswith(("Network", "Database"))] == []
    variables = {name: each["Environment"]["Variables"] for name, each in local.functions().items()}
    assert {name for name, each in variables.items() if each["DATABASE_USER"] == "atrium_master"} == {"migrate"}
    assert {each["DATABASE_PASSWORD"] for each in variables.values()} == {"of-this-machine"}
    assert {each["AWS_ENDPOINT_URL"] for each in variables.values()} == {"http://127.0.0.1:4566"}


def test_the_schema_is_migrated_before_any_other_function_changes(aws: Template) -> None:
    ((trigger, resource),) = aws.of_type("Custom::Trigger").items()
    assert any(name.startswith("DatabaseClusterWriter") for name in resource["DependsOn"])
    assert any(name.startswith("NetworkDatabase") for name in resource["DependsOn"])
    for function in aws.of_type("AWS::Lambda::Function").values():
        name = function["Properties"].get("FunctionName")
        if name and name != "atrium-migrate":
            assert trigger in function["DependsOn"], name


def test_the_bucket_is_versioned_private_and_kept(aws: Template) -> None:
    (bucket,) = aws.of_type("AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values())
    assert properties["BucketEncryption"]
    assert properties["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    rules = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}
    assert rules["pipeline-steps"]["Prefix"] == "work/"
    # What people put there stays, also the versions that are current no more: a ready document may be one of them.
    ageing = {rule.get("Prefix") for rule in rules.values() if {"ExpirationInDays", "NoncurrentVersionExpiration"} & set(rule)}
    assert ageing == {"work/", "text/"}
    (policy,) = aws.properties("AWS::S3::BucketPolicy")
    assert {"Bool": {"aws:SecureTransport": "false"}} in [each.get("Condition") for each in policy["PolicyDocument"]["Statement"]]


def test_platforms_build_side_by_side() -> None:
    assert Places("local").build != Places("lambda-arm64").build
    assert Places("local").model == Places("lambda-arm64").model
