"""The network of an account: functions reach providers through one NAT gateway, S3 without it, the database privately."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.retention import retention
from infra.settings import Settings

DATABASE_PORT = 5432


class Network(Construct):
    """Two zones, three kinds of subnet; `functions` and `database` are the two security groups."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,
            # The default group is never used: every function and the cluster name their own.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
                ec2.SubnetConfiguration(name="functions", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=22),
                ec2.SubnetConfiguration(name="database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
            ],
            gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        )
        self.functions = self._group("Functions", "Atrium functions", outbound=True)
        self.database = self._group("Database", "Atrium database", outbound=False)
        self.database.add_ingress_rule(self.functions, ec2.Port.tcp(DATABASE_PORT), "functions to the database")
        self._log_rejected(settings)

    def _group(self, name: str, description: str, *, outbound: bool) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=outbound)

    def _log_rejected(self, settings: Settings) -> None:
        log_group = logs.LogGroup(self, "FlowLogs", retention=retention(settings), removal_policy=RemovalPolicy.DESTROY)
        self.vpc.add_flow_log(
            "Rejected",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )

    @property
    def function_subnets(self) -> ec2.SubnetSelection:
        """Where functions attach."""
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)

    @property
    def database_subnets(self) -> ec2.SubnetSelection:
        """Where the cluster lives: no way in or out but from the functions."""
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)

    def allow_attachment(self, role: iam.Role) -> None:
        """Let a function's role make and remove its network interfaces."""
        actions = ["CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets"]
        role.add_to_policy(iam.PolicyStatement(actions=[f"ec2:{action}" for action in actions], resources=["*"]))
        reason = "Lambda makes network interfaces under the function's role; EC2 gives these actions no narrower resource."
        acknowledge(role, reason, "AwsSolutions-IAM5[Resource::*]")
