"""The shipped sample rules: the real meters of Ceilometer's services, and the resources that their samples speak of."""

import pytest

from timeline.definitions import Definitions

RULES = Definitions.load().samples

INSTANCE = "7da29b53-3c3c-4c37-9e76-8d5b1c2ec0a1"
PORT = "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"
ANOTHER = "0f2cf09e-2f66-4d8a-9a1e-4be6a5a0d7c3"
STACK = f"arn:openstack:heat::4b1d:stacks/web/{ANOTHER}"
TAP = f"instance-0000001a-{INSTANCE}-tap1234abcd-ef"

WHOLE: dict[str, dict[str, str]] = {
    # meters whose samples have the id of their resource, by type; those that count up stand apart
    "instance": {
        "gauge": """
            instance instance:m1.tiny instance:m1.large.2 instance.scheduled compute.instance.booting.time power.state
            cpu.delta cpu_util cpu_l3_cache vcpus memory memory.usage memory.resident
            memory.bandwidth.total memory.bandwidth.local
            perf.cpu.cycles perf.instructions perf.cache.references perf.cache.misses
            disk.root.size disk.ephemeral.size disk.capacity disk.allocation disk.usage disk.latency disk.iops
            disk.read.bytes.rate disk.read.requests.rate disk.write.bytes.rate disk.write.requests.rate""",
        "cumulative": """
            cpu memory.swap.in memory.swap.out
            disk.read.bytes disk.read.requests disk.write.bytes disk.write.requests""",
    },
    "volume": {"gauge": "volume volume.size volume.create.start volume.create.end volume.attach.end volume.resize.end"},
    "snapshot": {"gauge": "snapshot snapshot.size snapshot.create.end snapshot.delete.start volume.snapshot.size"},
    "backup": {"gauge": "backup.size volume.backup.size backup.create.end"},
    "image": {"gauge": "image image.size image.update image.upload image.delete image.download image.serve"},
    "network": {"gauge": "network network.create network.update"},
    "subnet": {"gauge": "subnet subnet.create subnet.update"},
    "port": {
        "gauge": "port port.create port.update port.uptime",
        "cumulative": """
            port.receive.packets port.transmit.packets port.receive.bytes port.transmit.bytes
            port.receive.drops port.receive.errors""",
    },
    "router": {"gauge": "router router.create router.update"},
    "floatingip": {"gauge": "ip.floating ip.floating.create ip.floating.update"},
    "loadbalancer": {"gauge": "network.services.lb.loadbalancer loadbalancer.create loadbalancer.delete"},
    "listener": {"gauge": "network.services.lb.listener listener.update"},
    "pool": {"gauge": "network.services.lb.pool network.services.lb.pool.create pool.create"},
    "vip": {"gauge": "network.services.lb.vip network.services.lb.vip.update"},
    "member": {"gauge": "network.services.lb.member network.services.lb.member.create member.delete"},
    "health_monitor": {"gauge": "network.services.lb.health_monitor network.services.lb.health_monitor.create"},
    "healthmonitor": {"gauge": "healthmonitor.create"},
    "vpnservice": {"gauge": "network.services.vpn network.services.vpn.create"},
    "ipsecpolicy": {"gauge": "network.services.vpn.ipsecpolicy network.services.vpn.ipsecpolicy.update"},
    "ikepolicy": {"gauge": "network.services.vpn.ikepolicy network.services.vpn.ikepolicy.create"},
    "ipsec_site_connection": {"gauge": "network.services.vpn.connections network.services.vpn.connections.create"},
    "firewall": {"gauge": "network.services.firewall network.services.firewall.update"},
    "firewall_policy": {"gauge": "network.services.firewall.policy network.services.firewall.policy.create"},
    "firewall_rule": {"gauge": "network.services.firewall.rule network.services.firewall.rule.update"},
    "user": {
        "gauge": """
            identity.user.created identity.user.deleted identity.user.updated
            identity.authenticate.success identity.authenticate.failure identity.authenticate.pending"""
    },
    "project": {"gauge": "identity.project.created identity.project.deleted identity.project.updated"},
    "group": {"gauge": "identity.group.created"},
    "role": {"gauge": "identity.role.created identity.role_assignment.created identity.role_assignment.deleted"},
    "stack": {"gauge": "stack.create stack.update stack.delete stack.suspend stack.resume"},
    "share": {"gauge": "manila.share.size"},
    "cluster": {"gauge": "cluster.create cluster.update cluster.delete"},
    "zone": {"gauge": "dns.domain.exists"},
}

WITHIN: dict[str, dict[str, str]] = {
    # meters of parts, whose samples have ids in which that of the resource stands
    "disk": {
        "gauge": """
            disk.device.read.bytes.rate disk.device.read.requests.rate disk.device.write.bytes.rate
            disk.device.write.requests.rate disk.device.latency disk.device.iops
            disk.device.capacity disk.device.allocation disk.device.usage""",
        "cumulative": """
            disk.device.read.bytes disk.device.read.requests disk.device.read.latency
            disk.device.write.bytes disk.device.write.requests disk.device.write.latency""",
    },
    "interface": {
        "gauge": """
            network.incoming.bytes.rate network.incoming.packets.rate network.incoming.bytes.delta
            network.outgoing.bytes.rate network.outgoing.packets.rate network.outgoing.bytes.delta""",
        "cumulative": """
            network.incoming.bytes network.incoming.packets network.incoming.packets.drop network.incoming.packets.error
            network.outgoing.bytes network.outgoing.packets network.outgoing.packets.drop network.outgoing.packets.error
            """,
    },
    "sensor": {
        "gauge": "hardware.ipmi.temperature hardware.ipmi.voltage hardware.ipmi.current hardware.ipmi.fan",
    },
}

IDS = {
    "disk": [
        (f"{INSTANCE}-vda", INSTANCE),
        (f"{INSTANCE}-vdb1", INSTANCE),
        (f"{INSTANCE}-sda-1", INSTANCE),
        (f"{INSTANCE}-2000", INSTANCE),  # vSphere numbers its disks
        (f"{INSTANCE}-{ANOTHER}", INSTANCE),
        (f"{INSTANCE}-", None),
        (INSTANCE, None),
        (f"x{INSTANCE}-vda", None),
        (f"instance-0000001a-{INSTANCE}-vda", None),
        (f"{INSTANCE[:-1]}-vda", None),
        (f"{INSTANCE}vda", None),
        ("vda", None),
        ("", None),
    ],
    "interface": [
        (TAP, INSTANCE),
        (f"instance-00000001-{INSTANCE}-vnet0", INSTANCE),
        (f"instance-{INSTANCE}-{INSTANCE}-tap1234abcd-ef", INSTANCE),  # instance_name_template = instance-%(uuid)s
        (f"{INSTANCE}-{INSTANCE}-tap1234abcd-ef", INSTANCE),
        (f"{ANOTHER}-{INSTANCE}-tap1234abcd-ef", INSTANCE),  # a display name that is an id
        (f"web-7-eu-{INSTANCE}-tap1234abcd-ef", INSTANCE),
        (f"計算-{INSTANCE}-tap1234abcd-ef", INSTANCE),
        (f"instance-0000001a-{INSTANCE}-{PORT}", INSTANCE),  # Hyper-V names an interface by its port
        (f"instance-0000001a-{INSTANCE}-4000", INSTANCE),  # vSphere numbers them
        (f"None-{INSTANCE}-tap1234abcd-ef", INSTANCE),
        (f"-{INSTANCE}-tap1234abcd-ef", INSTANCE),
        ("nova-instance-instance-0000001a-fa163e0f2b6a", None),  # the id of a libvirt filter
        (f"instance-0000001a-{INSTANCE}", None),
        (f"instance-0000001a-{INSTANCE}-", None),
        (f"instance-0000001a{INSTANCE}-tap1234abcd-ef", None),
        (f"instance-0000001a-{INSTANCE[:-1]}-tap1234abcd-ef", None),
        (f"{INSTANCE}-tap1234abcd-ef", None),
        (INSTANCE, None),
        ("tap1234abcd-ef", None),
        ("", None),
    ],
    "sensor": [
        (f"{ANOTHER}-inlet_temp_(0x1)", ANOTHER),
        (f"{ANOTHER}-fan_4a_tach_(0x3a)", ANOTHER),
        ("compute-1.example.org-inlet_temp_(0x1)", None),  # what an agent on the node reads is of a host
        (ANOTHER, None),
    ],
}

UNKNOWN = """
    compute.node.cpu.percent compute.node.cpu.user.time
    hardware.cpu.load.1min hardware.memory.total hardware.disk.size.used hardware.network.incoming.bytes
    hardware.ipmi.node.power hardware.ipmi.node.cups
    storage.objects storage.objects.size storage.containers.objects storage.objects.incoming.bytes storage.api.request
    radosgw.objects radosgw.containers.objects.size rgw.objects
    switch switch.port switch.port.receive.bytes switch.ports switch.table switch.flow.bytes
    bandwidth energy power
    volume.provider.capacity.total volume.provider.capacity.free volume.provider.pool.capacity.allocated
    network.services.lb.total.connections network.services.lb.incoming.bytes
    identity.OS-TRUST:trust.created trove.instance.exists magnetodb.table.create
    cpus cpu_utilization instances memoryx volumes imagery subnets ports networks routers ip.float network.x
    CPU Disk.read.bytes
"""


def meters(table: dict[str, dict[str, str]]) -> list[tuple[str, str, bool]]:
    return [
        (meter, name, kind == "cumulative")
        for name, kinds in table.items()
        for kind, spelled in kinds.items()
        for meter in spelled.split()
    ]


@pytest.mark.parametrize(("meter", "type", "cumulative"), meters(WHOLE))
def test_a_meter_is_of_a_type_and_its_samples_have_the_id(meter: str, type: str, cumulative: bool) -> None:
    rule = RULES.find(meter)
    assert rule is not None
    assert (rule.type, rule.cumulative) == (type, cumulative)
    # an id is taken as it is, whatever it looks like
    for id in (INSTANCE, INSTANCE.replace("-", ""), STACK, f"{INSTANCE}-vda"):
        assert rule.resource_id(id) == id


@pytest.mark.parametrize(("meter", "part", "cumulative"), meters(WITHIN))
def test_a_meter_of_a_part_is_of_the_resource_whose_id_stands_in_it(meter: str, part: str, cumulative: bool) -> None:
    rule = RULES.find(meter)
    assert rule is not None
    assert (rule.type, rule.cumulative) == ("node" if part == "sensor" else "instance", cumulative)
    for text, id in IDS[part]:
        assert rule.resource_id(text) == id, text


@pytest.mark.parametrize("meter", UNKNOWN.split())
def test_a_meter_of_no_resource_that_the_engine_knows_has_no_rule(meter: str) -> None:
    assert RULES.find(meter) is None


def test_each_rule_decides_about_a_meter_of_these_tables() -> None:
    decided = {RULES.place(rule) for meter, *_ in meters(WHOLE) + meters(WITHIN) if (rule := RULES.find(meter))}
    assert [RULES.place(rule) for rule in RULES if RULES.place(rule) not in decided] == []


def test_the_types_are_those_of_the_shipped_definitions_where_these_have_them() -> None:
    defined = {definition.resource.type for definition in Definitions.load() if definition.resource is not None}
    assert defined <= {rule.type for rule in RULES}


def test_a_text_made_to_take_long_does_not() -> None:
    # a match is sought at each of the ids in it, and fails at the line's end
    text = f"{INSTANCE}-" * 55 + "\n"
    for meter in ("network.incoming.bytes", "disk.device.read.bytes", "hardware.ipmi.fan"):
        rule = RULES.find(meter)
        assert rule is not None
        assert rule.resource_id(text) is None


def test_a_users_file_overrides_the_shipped_rules() -> None:
    mine = Definitions.read("""\
samples:
- {meter: 'network.*', type: port, id: '.*-tap([0-9a-f]{8}-[0-9a-f]{2})'}
- {meter: storage.objects, type: project}
""").samples
    rule = mine.find("network.incoming.bytes")
    assert rule is not None
    assert (rule.type, rule.resource_id(TAP), rule.cumulative) == ("port", "1234abcd-ef", False)
    assert mine.find("storage.objects") is not None
    assert mine.find("cpu") is None
