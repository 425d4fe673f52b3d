"""Derives the facts of Kafka's message schemas that the golden tests compare with. Only facts: no comments, no descriptions.

    python3 tests/golden/derive.py FOLDER

FOLDER holds Kafka's schemas (`clients/src/main/resources/common/message` of its source). Writes, beside this script,
`schemas.json` (one message a line: fields, types, versions, null versions, tags, defaults) and `api_keys.json` (every API of that Kafka).
"""

import json
import pathlib
import re
import sys

# The messages whose layout is compared. One line per API.
APIS = """
    Produce Fetch ListOffsets Metadata ApiVersions CreateTopics DeleteTopics InitProducerId OffsetForLeaderEpoch
    DescribeConfigs DescribeLogDirs CreatePartitions DescribeQuorum DescribeCluster DescribeProducers
    ListConfigResources DescribeTopicPartitions
    FindCoordinator JoinGroup SyncGroup Heartbeat LeaveGroup
    OffsetCommit OffsetFetch OffsetDelete ListGroups DescribeGroups
    DeleteGroups ConsumerGroupHeartbeat ConsumerGroupDescribe IncrementalAlterConfigs AlterConfigs
    DeleteRecords DescribeAcls ElectLeaders AlterPartitionReassignments ListPartitionReassignments
    UpdateFeatures AlterReplicaLogDirs DescribeClientQuotas DescribeUserScramCredentials
""".split()
HEADERS = ["RequestHeader", "ResponseHeader"]


def load(path):
    return json.loads(re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M))


def field(schema, commons):
    facts = {"name": schema["name"], "type": schema["type"], "versions": schema["versions"]}
    for fact, name in [("null", "nullableVersions"), ("tagged", "taggedVersions"), ("tag", "tag")]:
        if name in schema:
            facts[fact] = schema[name]
    if "default" in schema:
        facts["default"] = str(schema["default"]).lower() if isinstance(schema["default"], bool) else str(schema["default"])
    if schema.get("flexibleVersions") == "none":
        facts["plain"] = True
    struct = schema["type"].removeprefix("[]")
    fields = schema.get("fields") or commons.get(struct)
    if fields:
        facts["fields"] = [field(f, commons) for f in fields]
    return facts


def message(schema):
    commons = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
    facts = {"name": schema["name"], "versions": schema["validVersions"], "flexible": schema["flexibleVersions"]}
    facts["fields"] = [field(f, commons) for f in schema["fields"]]
    return facts


def write(name, rows):
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    pathlib.Path(__file__).with_name(name).write_text("[\n" + lines + "\n]\n")


def main(folder):
    names = [api + part for api in APIS for part in ("Request", "Response")] + HEADERS
    write("schemas.json", [message(load(folder / (name + ".json"))) for name in names])
    keys = []
    for path in folder.glob("*Request.json"):
        schema = load(path)
        served = schema["validVersions"]
        if schema.get("latestVersionUnstable"):
            first, last = served.split("-")
            served = f"{first}-{int(last) - 1}"
        keys.append([schema["apiKey"], schema["name"].removesuffix("Request"), served])
    write("api_keys.json", sorted(keys))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
