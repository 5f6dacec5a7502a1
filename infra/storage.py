"""The bucket of documents, and what each function may do under which prefix.

drop/{tenant}/…      what people put there         uploads/{tenant}/…   what came through the API
work/{tenant}/…      the pipeline's own steps      text/{tenant}/…      the stored text that citations point into
"""

from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.functions import Functions
from infra.settings import Settings

_WORK_DAYS = 7
_NONCURRENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Access:
    """Prefixes a function may read, write and delete under."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


_EVERYTHING = ("drop", "uploads", "work", "text")

# A document may be deleted at any time: whichever step comes next removes what it left, wherever that is.
ACCESS: dict[str, Access] = {
    "documents": Access(read=("drop", "uploads"), write=("uploads",), delete=_EVERYTHING),
    "ingest": Access(read=("drop", "uploads"), delete=_EVERYTHING),
    "extract": Access(read=("drop", "uploads", "work"), write=("work", "text"), delete=_EVERYTHING),
    "embed": Access(read=("work",), write=("work",), delete=_EVERYTHING),
    "publish": Access(read=("work",), delete=_EVERYTHING),
    # A tenant that is erased, and what deleted documents left.
    "auth": Access(delete=_EVERYTHING),
    # … and it looks for uploads whose message was lost.
    "housekeeping": Access(read=("uploads",), delete=_EVERYTHING),
}


class Storage(Construct):
    """One versioned, encrypted, retained bucket; its events go to EventBridge."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            # Kept with the stack gone; a bucket that a failed first deployment made is not.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=_lifecycle(),
            cors=_presigned(settings),
        )
        self._send_events()
        reason = "Objects change through our functions, whose logs name them; S3 access logs would double the bucket."
        acknowledge(self.bucket, reason, "AwsSolutions-S1")

    def _send_events(self) -> None:
        # The L2 switch installs a custom resource and its Lambda for what is one property.
        bucket = self.bucket.node.default_child
        if isinstance(bucket, s3.CfnBucket):
            configuration = s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
            bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=configuration
            )

    def allow(self, functions: Functions) -> None:
        """Grant the table above."""
        for name, access in ACCESS.items():
            role = functions[name].role
            if role is not None:
                self._allow(role, access)

    def _allow(self, role: iam.IRole, access: Access) -> None:
        verbs = {
            ("GetObject", "GetObjectVersion"): access.read,
            ("PutObject",): access.write,
            ("DeleteObject", "DeleteObjectVersion"): access.delete,
        }
        for actions, prefixes in verbs.items():
            if prefixes:
                resources = [self.bucket.arn_for_objects(f"{prefix}/*") for prefix in prefixes]
                role.add_to_principal_policy(
                    iam.PolicyStatement(actions=[f"s3:{action}" for action in actions], resources=resources)
                )
        # Without ListBucket an absent key is 403, not 404; a document's versions are listed to be deleted.
        listing = ["s3:ListBucket", *(["s3:ListBucketVersions"] if access.delete else [])]
        role.add_to_principal_policy(iam.PolicyStatement(actions=listing, resources=[self.bucket.bucket_arn]))
        everywhere = sorted({*access.read, *access.write, *access.delete})
        findings = [f"AwsSolutions-IAM5[Resource::<{self._logical_id()}.Arn>/{prefix}/*]" for prefix in everywhere]
        acknowledge(role, "Objects below one prefix of one bucket: tenants and documents are not known at deploy.", *findings)

    def _logical_id(self) -> str:
        return self.bucket.stack.get_logical_id(self.bucket.node.default_child)  # type: ignore[arg-type]  # a bucket's is a CfnElement


def _lifecycle() -> list[s3.LifecycleRule]:
    return [
        s3.LifecycleRule(
            id="pipeline-steps",
            prefix="work/",
            expiration=Duration.days(_WORK_DAYS),
            noncurrent_version_expiration=Duration.days(1),
        ),
        # Not of drop/ and uploads/: a ready document may well be a version of a file that was overwritten or deleted since.
        # Those go with their document, exactly.
        s3.LifecycleRule(id="old-texts", prefix="text/", noncurrent_version_expiration=Duration.days(_NONCURRENT_DAYS)),
        s3.LifecycleRule(id="broken-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)),
        s3.LifecycleRule(id="delete-markers", expired_object_delete_marker=True),
    ]


def _presigned(settings: Settings) -> list[s3.CorsRule]:
    """Pages of the configured origins post to and fetch from presigned URLs; the signature is what authorises them."""
    if not settings.cors_origins:
        return []
    return [
        s3.CorsRule(
            allowed_origins=list(settings.cors_origins),
            allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.POST],
            allowed_headers=["*"],
            exposed_headers=["ETag"],
            max_age=3600,
        )
    ]
