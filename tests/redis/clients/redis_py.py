import os

import redis

OPTIONS = {"port": int(os.environ["PORT"])}
if "CA_FILE" in os.environ:
    OPTIONS |= {"ssl": True, "ssl_ca_certs": os.environ["CA_FILE"]}
    OPTIONS |= {"username": os.environ["LOGIN"], "password": os.environ["SECRET"]}


def check(protocol, decode_responses):
    client = redis.Redis(**OPTIONS, protocol=protocol, decode_responses=decode_responses)

    def text(value):
        return value if decode_responses else value.encode()

    assert client.ping() is True
    assert client.flushall() is True
    assert client.set("user:1", "john") is True
    assert client.get("user:1") == text("john")
    assert client.get("missing") is None
    assert client.strlen("user:1") == 4
    assert client.type("user:1") == text("string")
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "missing", "b") == [text("1"), None, text("2")]
    assert client.exists("a", "a", "missing") == 2
    assert client.dbsize() == 3
    assert client.delete("a", "b", "missing") == 2
    assert client.keys("user:*") == [text("user:1")]
    assert client.echo("hi") == text("hi")
    info = client.info()
    assert info["pid"] > 0 and info["redis_mode"] == "standalone" and info["role"] == "master"
    assert info["used_memory_rss"] > info["used_memory"] > 0 and info["used_cpu_user"] >= 0.0
    assert info["db0"] == {"keys": 1, "expires": 0, "avg_ttl": 0}
    assert "cmdstat_get" not in info and client.info("replication")["connected_slaves"] == 0
    details = client.info("everything")
    assert details["cmdstat_get"]["calls"] >= 2 and details["cmdstat_get"]["failed_calls"] == 0
    assert 0 < details["latency_percentiles_usec_get"]["p50"] <= details["latency_percentiles_usec_get"]["p99.9"]
    assert client.memory_stats()["keys.count"] == 1
    assert list(client.config_get("databases").values()) in (["1"], [b"1"])
    assert client.client_setname("tester") is True
    assert client.client_id() > 0

    with client.pipeline(transaction=False) as pipeline:
        for n in range(1000):
            pipeline.set(f"key:{n}", n)
            pipeline.get(f"key:{n}")
        replies = pipeline.execute()
    assert replies == [reply for n in range(1000) for reply in (True, text(str(n)))]

    assert {*client.scan_iter("key:*", count=100)} == {text(f"key:{n}") for n in range(1000)}
    assert len({*client.scan_iter()}) == 1001

    try:
        client.execute_command("NOPE", "x")
        raise AssertionError("an unknown command is served")
    except redis.ResponseError as error:
        assert str(error) == "unknown command 'NOPE', with args beginning with: 'x' ", str(error)

    other = redis.Redis(**OPTIONS, protocol=protocol)
    with client.monitor() as monitor:
        for command in (["SET", 'mon "1"', "v"], ["GET", "user:1"]):
            other.execute_command(*command)
            while not (seen := monitor.next_command())["command"].startswith(command[0]):
                pass
            assert seen["command"] == " ".join(command), seen
            assert seen["db"] == 0 and seen["client_type"] == "tcp" and seen["time"] > 0, seen
            assert int(seen["client_port"]) > 0 and seen["client_address"] == "127.0.0.1", seen
    assert other.delete('mon "1"') == 1
    assert other.client_setname("other") is True
    assert "other" in {entry["name"] for entry in client.client_list()}
    assert int(client.client_info()["tot-cmds"]) > 2
    other.close()

    # A pipeline is a transaction unless it is told otherwise: what it reports as failed has not happened.
    keys = client.dbsize()
    for _ in range(2):
        try:
            with client.pipeline() as pipeline:
                pipeline.set("refused", "1").mset({"refused:1": 1, "refused:2": 2}).delete("user:1")
                pipeline.execute()
            raise AssertionError("a transaction is served")
        except redis.ResponseError as error:
            assert "transactions are not served" in str(error), str(error)
        assert client.dbsize() == keys
        assert client.get("user:1") == text("john")
    try:
        client.set("expiring", "1", ex=10)
        raise AssertionError("an expiry is served")
    except redis.ResponseError as error:
        assert "no expiry yet" in str(error), str(error)
    assert client.get("expiring") is None
    client.close()


for protocol in (2, 3):
    for decode_responses in (False, True):
        check(protocol, decode_responses)

binary = redis.Redis(**OPTIONS, protocol=3)
every_byte = bytes(range(256))
for value in (b"", b"\r\n", every_byte, every_byte * 40_000):
    assert binary.set(every_byte, value) is True
    assert binary.get(every_byte) == value
