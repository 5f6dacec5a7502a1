"""Postgres: Aurora Serverless v2 in an account, the embedded server on a laptop. Both look the same to a function."""

from typing import Protocol

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from constructs import Construct, IDependable

from infra.areas import Function
from infra.network import DATABASE_PORT, Network
from infra.settings import LocalCloud, Settings

NAME = "atrium"
MASTER = "atrium_master"
MIGRATOR = "atrium_migrator"


class Database(Protocol):
    """What the stack needs of a database."""

    def environment(self, function: Function) -> dict[str, str]:
        """The variables by which a function finds it and logs in."""
        ...

    def allow(self, function: Function, role: iam.Role) -> None:
        """Let a function's role log in as its database users, and as no other."""
        ...

    def ready(self) -> list[IDependable]:
        """What must exist before the first connection."""
        ...


class Aurora(Construct):
    """A cluster that scales between the set capacities. Functions log in with 15-minute IAM tokens.

    RDS makes and rotates the master secret; only `migrate` reads it.
    """

    def __init__(self, scope: Construct, name: str, *, settings: Settings, network: Network) -> None:
        super().__init__(scope, name)
        self._way_in = network.database
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_18_3),
            writer=rds.ClusterInstance.serverless_v2("Writer", publicly_accessible=False, enable_performance_insights=False),
            serverless_v2_min_capacity=settings.aurora_min_capacity,
            serverless_v2_max_capacity=settings.aurora_max_capacity,
            credentials=rds.Credentials.from_username(MASTER),
            manage_master_user_password=True,
            iam_authentication=True,
            default_database_name=NAME,
            vpc=network.vpc,
            vpc_subnets=network.database_subnets,
            security_groups=[network.database],
            storage_encrypted=True,
            # Automatic backups are what point-in-time recovery reads.
            backup=rds.BackupProps(retention=Duration.days(settings.backup_retention)),
            copy_tags_to_snapshot=True,
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def environment(self, function: Function) -> dict[str, str]:
        """See `Database.environment`."""
        if function.database == "none":
            return {}
        login = {"DATABASE_USER": _user(function)}
        if function.database == "master":
            login["DATABASE_MASTER_SECRET"] = self._master_secret_arn()
        return {
            "DATABASE_HOST": self.cluster.cluster_endpoint.hostname,
            "DATABASE_PORT": str(DATABASE_PORT),
            "DATABASE_NAME": NAME,
            # The certificate's issuer is not in Lambda's trust store; traffic stays in the VPC, encrypted.
            "DATABASE_SSLMODE": "require",
            **login,
        }

    def allow(self, function: Function, role: iam.Role) -> None:
        """See `Database.allow`."""
        if function.database == "none":
            return
        for user in (_user(function), *function.also):
            self.cluster.grant_connect(role, user)
        if function.database == "master":
            role.add_to_policy(
                iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self._master_secret_arn()])
            )

    def ready(self) -> list[IDependable]:
        """See `Database.ready`: the way in is a resource of its own."""
        return [self.cluster, self._way_in]

    def _master_secret_arn(self) -> str:
        secret = self.cluster.secret
        if secret is None:
            raise ValueError("RDS manages the master secret, so there is one")
        return secret.secret_arn


class EmbeddedPostgres:
    """The local cloud's server. It knows no IAM: a random password per machine takes its place."""

    def __init__(self, local: LocalCloud) -> None:
        self._local = local

    def environment(self, function: Function) -> dict[str, str]:
        """See `Database.environment`."""
        return {
            "DATABASE_HOST": self._local.db_host,
            "DATABASE_PORT": str(self._local.db_port),
            "DATABASE_NAME": self._local.db_name,
            "DATABASE_USER": MASTER if function.database == "master" else function.database,
            "DATABASE_PASSWORD": self._local.db_password,
            "DATABASE_SSLMODE": "disable",
        }

    def allow(self, function: Function, role: iam.Role) -> None:
        """See `Database.allow`; the password is all it takes."""

    def ready(self) -> list[IDependable]:
        """See `Database.ready`; it runs before the stack is deployed."""
        return []


def _user(function: Function) -> str:
    return MIGRATOR if function.database == "master" else function.database
