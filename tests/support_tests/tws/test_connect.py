"""The real client connects: what it is asked, what it asks, and how it ends."""

import asyncio
import struct

import pytest
from ib_async import IB

from tests.support.tws import HOST, Config, LoopbackTws
from tests.support.tws.client import connected, settle, until
from tests.support_tests.tws.scene import on_a_loop


@pytest.mark.parametrize("version", [176, 177, 178])
@on_a_loop
async def test_a_client_synchronises_within_a_second(version: int) -> None:
    async with LoopbackTws(Config(server_version=version)) as server, connected(server, timeout_s=1.0) as ib:
        assert ib.client.serverVersion() == version
        assert ib.managedAccounts() == ["DU1234567"]
        assert {(value.tag, value.value) for value in ib.accountValues()} >= {("NetLiquidation", "1000000.00")}
        assert (ib.positions(), ib.trades(), ib.fills()) == ([], [], [])
    assert server.tws.complaints == []


@on_a_loop
async def test_what_a_synchronising_client_asks() -> None:
    async with LoopbackTws() as server, connected(server):
        asked = [int(request[0]) for request in server.tws.heard]
    assert asked == [71, 61, 5, 99, 6, 76, 7]
    assert server.tws.heard[0] == ("71", "2", "1", "")
    assert server.tws.heard[4] == ("6", "2", "1", "DU1234567")


@on_a_loop
async def test_client_0_binds_orders_by_hand() -> None:
    async with LoopbackTws() as server, connected(server, client_id=0):
        assert server.tws.heard[1] == ("15", "1", "1")


@pytest.mark.parametrize("version", [156, 179])
@on_a_loop
async def test_a_version_that_the_client_does_not_speak(version: int) -> None:
    async with LoopbackTws(Config(server_version=version)) as server:
        with pytest.raises(asyncio.TimeoutError):
            await IB().connectAsync(HOST, server.port, clientId=1, timeout=0.2)
        assert "the client speaks 157 to 178" in server.tws.complaints[0]


@on_a_loop
async def test_time_and_ids_are_the_servers() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        assert await ib.reqCurrentTimeAsync() == server.tws.clock.now
        await server.step(2)
        assert await ib.reqCurrentTimeAsync() == server.tws.clock.now
        ib.client.reqIds(1)
        ib.client.send(17, 1)
        await settle(ib)
        assert [request[0] for request in server.tws.heard[-3:]] == ["8", "17", "49"]


@on_a_loop
async def test_an_unknown_request_is_error_505() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        errors: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: errors.append(code)
        ib.client.send(12345, 1)
        await settle(ib)
        assert errors == [505]


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"API\0" + struct.pack(">I", 9) + b"v157..178" + b"\0\0\0\x02x\0"]
)
@on_a_loop
async def test_a_stranger_is_shown_out(sent: bytes) -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        reader, writer = await asyncio.open_connection(HOST, server.port)
        writer.write(sent)
        await asyncio.wait_for(reader.read(), 2.0)
        writer.close()
        await writer.wait_closed()
        assert len(server.tws.complaints) == 1
        await settle(ib)


@on_a_loop
async def test_a_client_id_is_free_again_when_its_client_has_gone() -> None:
    async with LoopbackTws() as server:
        for _ in range(3):
            async with connected(server):
                assert len(server.tws.sessions) == 1
        await until(lambda: not server.tws.sessions)
        assert len(server.streams) == 3
        assert len({bytes(stream) for stream in server.streams}) == 1
