"""A loop on a thread of its own, and the queue out of it."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from hydra_exec.broker.ib.inbox import Inbox
from hydra_exec.broker.ib.loop import LoopThread
from hydra_exec.broker.port import Message, Notice, NoticeKind

LIMIT = 5.0


def note(code: int) -> Message:
    return Notice(NoticeKind.INFORMATION, code, "", datetime(2026, 1, 5, tzinfo=UTC))


def test_results_and_errors_come_back() -> None:
    loop = LoopThread("test")
    try:
        assert loop.call(threading.current_thread, LIMIT).name == "test"
        with pytest.raises(ZeroDivisionError):
            loop.call(lambda: 1 // 0, LIMIT)

        async def double(n: int) -> int:
            await asyncio.sleep(0)
            return 2 * n

        assert loop.run(double(21), LIMIT) == 42
    finally:
        loop.stop()
    assert "test" not in {thread.name for thread in threading.enumerate()}


def test_what_is_given_up_is_not_done_later() -> None:
    loop = LoopThread("test")
    done: list[str] = []
    busy = threading.Event()
    try:
        waiting = threading.Thread(target=lambda: loop.call(lambda: busy.wait(LIMIT), LIMIT))
        waiting.start()
        with pytest.raises(TimeoutError):
            loop.call(lambda: done.append("late"), 0.05)
        busy.set()
        waiting.join(LIMIT)
        loop.call(lambda: None, LIMIT)
        assert done == []

        async def for_ever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                done.append("cancelled")

        with pytest.raises(TimeoutError):
            loop.run(for_ever(), 0.05)
        loop.call(lambda: None, LIMIT)
    finally:
        busy.set()
        loop.stop()
    assert done == ["cancelled"]


def test_what_was_put_is_taken_once_and_in_order() -> None:
    inbox = Inbox()
    assert inbox.take() == ()
    for code in range(3):
        inbox.put(note(code))
    assert [m.code for m in inbox.take(LIMIT) if isinstance(m, Notice)] == [0, 1, 2]
    assert inbox.take() == ()


def test_a_wait_ends_with_the_first_message() -> None:
    inbox = Inbox()
    taken: list[Message] = []
    waiting = threading.Thread(target=lambda: taken.extend(inbox.take(60.0)))
    waiting.start()
    inbox.put(note(7))
    waiting.join(LIMIT)
    assert not waiting.is_alive()
    assert taken == [note(7)]
