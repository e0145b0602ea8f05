#!/usr/bin/python3
"""A client of the Kubernetes Container Runtime Interface, for cri.bash.

    cri.py SOCKET OWN-SOCKET       listens at OWN-SOCKET; CRI_SECONDS=20 is how long a call may take

Who connects there writes a line, CALL and JSON, and reads one: "ok" and the answer as JSON, or "error" and
what was wrong. One process for all calls: its start takes seconds where a machine is emulated.
Only the calls and fields that the tests use are described here, by the interface's public names and
numbers: an unknown name in JSON is an error, a field of the answer that isn't listed is passed over.
"""
import json
import os
import socketserver
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

# Fields as NAME=NUMBER[:TYPE]; * says repeated. TYPE is string without more, a scalar, or a message.
MESSAGES = {
    "PodMetadata": "name=1 uid=2 namespace=3",
    "Namespaces": "network=1:int32 pid=2:int32 ipc=3:int32",
    "PodSecurity": "namespace_options=1:Namespaces",
    "PodLinux": "cgroup_parent=1 security_context=2:PodSecurity",
    "Pod": "metadata=1:PodMetadata hostname=2 log_directory=3 linux=8:PodLinux",
    "RunPodSandboxRequest": "config=1:Pod runtime_handler=2",
    "RunPodSandboxResponse": "pod_sandbox_id=1",
    "PodId": "pod_sandbox_id=1",
    "Network": "ip=1",
    "PodState": "id=1 state=3:int32 network=5:Network",
    "PodSandboxStatusResponse": "status=1:PodState",
    "Metadata": "name=1",
    "Image": "image=1",
    "Resources": "cpu_period=1:int64 cpu_quota=2:int64 cpu_shares=3:int64 memory_limit_in_bytes=4:int64 cpuset_cpus=6",
    "Int": "value=1:int64",
    "Profile": "profile_type=1:int32",
    "Capability": "add_capabilities=1* drop_capabilities=2*",
    "Security": "capabilities=1:Capability privileged=2:bool namespace_options=3:Namespaces run_as_user=5:Int"
                " readonly_rootfs=7:bool no_new_privs=11:bool masked_paths=13* readonly_paths=14* seccomp=15:Profile",
    "Linux": "resources=1:Resources security_context=2:Security",
    "Mount": "container_path=1 host_path=2 readonly=3:bool",
    "Container": "metadata=1:Metadata image=2:Image command=3* args=4* working_dir=5 mounts=7:Mount* log_path=11 linux=15:Linux",
    "CreateContainerRequest": "pod_sandbox_id=1 config=2:Container sandbox_config=3:Pod",
    "CreateContainerResponse": "container_id=1",
    "ContainerId": "container_id=1 timeout=2:int64",
    "ContainerState": "id=1 state=3:int32 exit_code=7:int32 reason=10",
    "ContainerStatusResponse": "status=1:ContainerState",
    "UpdateContainerResourcesRequest": "container_id=1 linux=2:Resources",
    "ExecSyncRequest": "container_id=1 cmd=2* timeout=3:int64",
    "ExecSyncResponse": "stdout=1:bytes stderr=2:bytes exit_code=3:int32",
    "Empty": "",
}
CALLS = {
    "RunPodSandbox": ("RunPodSandboxRequest", "RunPodSandboxResponse"),
    "PodSandboxStatus": ("PodId", "PodSandboxStatusResponse"),
    "StopPodSandbox": ("PodId", "Empty"),
    "RemovePodSandbox": ("PodId", "Empty"),
    "CreateContainer": ("CreateContainerRequest", "CreateContainerResponse"),
    "StartContainer": ("ContainerId", "Empty"),
    "StopContainer": ("ContainerId", "Empty"),
    "RemoveContainer": ("ContainerId", "Empty"),
    "ContainerStatus": ("ContainerId", "ContainerStatusResponse"),
    "UpdateContainerResources": ("UpdateContainerResourcesRequest", "Empty"),
    "ExecSync": ("ExecSyncRequest", "ExecSyncResponse"),
}


def field(message, text):
    name, rest = text.split("=")
    repeated = rest.endswith("*")
    number, _, kind = rest.rstrip("*").partition(":")
    f = message.field.add(name=name, number=int(number), json_name=name)
    f.label = f.LABEL_REPEATED if repeated else f.LABEL_OPTIONAL
    if kind in MESSAGES:
        f.type, f.type_name = f.TYPE_MESSAGE, ".cri." + kind
    else:
        f.type = getattr(f, "TYPE_" + (kind or "string").upper())


def message_classes():
    file = descriptor_pb2.FileDescriptorProto(name="cri.proto", package="cri", syntax="proto3")
    for each, fields in MESSAGES.items():
        message = file.message_type.add(name=each)
        for text in fields.split():
            field(message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return lambda name: factory.GetPrototype(pool.FindMessageTypeByName("cri." + name))


class Client:
    def __init__(self, address):
        self.of = message_classes()
        self.channel = grpc.insecure_channel("unix://" + address)
        self.seconds = float(os.environ.get("CRI_SECONDS", 20))

    def call(self, name, text):
        """Whether it went well, and the answer or what was wrong."""
        try:
            request, response = (self.of(each) for each in CALLS[name])
            ask = self.channel.unary_unary("/runtime.v1.RuntimeService/" + name, request.SerializeToString, response.FromString)
            answer = ask(json_format.ParseDict(json.loads(text), request()), timeout=self.seconds)
        except grpc.RpcError as e:
            return False, f"{name}: {e.details()}"
        except Exception as e:  # a test's mistake is told to the test
            return False, f"{name}: {e!r}"
        d = json_format.MessageToDict(answer, including_default_value_fields=True, preserving_proto_field_name=True)
        for field in ("stdout", "stderr"):
            if field in d:
                d[field] = getattr(answer, field).decode()
        return True, json.dumps(d)


class Calls(socketserver.StreamRequestHandler):
    def handle(self):
        name, _, text = self.rfile.readline().decode().strip().partition(" ")
        well, answer = self.server.client.call(name, text)
        self.wfile.write(f"{'ok' if well else 'error'} {answer}\n".encode())


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


with Server(sys.argv[2], Calls) as server:
    server.client = Client(sys.argv[1])
    server.serve_forever()
