"""A CloudFormation template, asked by type and by the names that we gave."""

import json
import re
from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """A synthesised template."""

    document: dict[str, Any]

    @property
    def resources(self) -> dict[str, Resource]:
        """Logical id → resource."""
        return dict(self.document["Resources"])

    @property
    def outputs(self) -> dict[str, Any]:
        """Name → value."""
        return {name: output["Value"] for name, output in self.document["Outputs"].items()}

    def of_type(self, kind: str) -> dict[str, Resource]:
        """Logical id → resource, of one type such as `AWS::SQS::Queue`."""
        return {name: each for name, each in self.resources.items() if each["Type"] == kind}

    def properties(self, kind: str) -> list[Resource]:
        """The properties of every resource of a type."""
        return [each["Properties"] for each in self.of_type(kind).values()]

    def only(self, kind: str) -> Resource:
        """The properties of the one resource of a type."""
        (found,) = self.properties(kind)
        return found

    def function(self, name: str) -> Resource:
        """The properties of our Lambda of that name."""
        return next(each for each in self.properties("AWS::Lambda::Function") if each.get("FunctionName") == f"atrium-{name}")

    def functions(self) -> dict[str, Resource]:
        """Name → properties of every Lambda of ours; the CDK's own have no name."""
        named = (each for each in self.properties("AWS::Lambda::Function") if "FunctionName" in each)
        return {each["FunctionName"].removeprefix("atrium-"): each for each in named}

    def statements(self, function: str) -> list[dict[str, Any]]:
        """What a function's role may do."""
        role = self.function(function)["Role"]["Fn::GetAtt"][0]
        policies = [each for each in self.properties("AWS::IAM::Policy") if {"Ref": role} in each["Roles"]]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def allowed(self, function: str, action: str) -> list[str]:
        """The resources on which a function's role may do `action`, as text: `<LogicalId.Arn>/drop/*`."""
        allowing = [each for each in self.statements(function) if action in as_list(each["Action"])]
        return sorted(plain(resource) for each in allowing for resource in as_list(each["Resource"]))

    def paths(self) -> dict[str, str]:
        """Path of every API resource → its logical id; the root is ''."""
        resources = self.of_type("AWS::ApiGateway::Resource")

        def path(name: str) -> str:
            parent = resources[name]["Properties"]["ParentId"].get("Ref")
            above = path(parent) if parent in resources else ""
            return f"{above}/{resources[name]['Properties']['PathPart']}"

        return {path(name): name for name in resources}

    def integration(self, path: str) -> Resource:
        """What the ANY method of a path calls."""
        name = self.paths().get(path)
        wanted = (
            {"Ref": name} if name else {"Fn::GetAtt": [next(iter(self.of_type("AWS::ApiGateway::RestApi"))), "RootResourceId"]}
        )
        methods = self.properties("AWS::ApiGateway::Method")
        (found,) = [each for each in methods if each["ResourceId"] == wanted and each["HttpMethod"] == "ANY"]
        return dict(found["Integration"])


def as_list(value: object) -> list[Any]:
    """IAM writes one as itself, several as a list."""
    return value if isinstance(value, list) else [value]


def plain(value: object) -> str:
    """A value with its intrinsic functions as `<Name>` and `<Name.Attribute>`."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        ((function, argument),) = value.items()
        if function == "Ref":
            return f"<{argument}>"
        if function == "Fn::GetAtt":
            return f"<{'.'.join(argument)}>"
        if function == "Fn::Join":
            return str(argument[0]).join(plain(part) for part in argument[1])
    return json.dumps(value)


def logical_name(text: str) -> str:
    """A logical id without the hash that the CDK appends."""
    return re.sub(r"[0-9A-F]{8}$", "", text)
