"""F1, exercise 3: somebody on the way changes one field. What does the receiver do, without and with the original?

Prints: to +passed on, NOT_RECIPIENT +passed on, NOT_RECIPIENT
Prints: flags +passed on, NOT_OPENED +dropped, DUPLICATE
Prints: expire +delivers b'bar' on 2c26b46b +dropped, DUPLICATE
Prints: topic +delivers b'bar' on fcde2b2e +delivers b'bar' on fcde2b2e
Prints: payload +passed on, NOT_OPENED +passed on, NOT_OPENED
"""

import dataclasses
import time

import beside  # noqa: F401  # finds stage.py next door
from f1_assemble import TOPIC, Parts
from stage import Actor, play

from node.pss.crypto import wrap_asymmetric
from node.pss.message import MESSAGE_TTL_S, PssMessage
from node.pss.processor import Drop, Forward
from node.pss.topic import topic_from_text


def flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def judge(*messages: PssMessage) -> str:
    """What the receiver decides about the last of these messages."""
    receiver = Parts(5)
    *_, last = [receiver.processor.receive(m, now=0.0, unix_now=time.time(), depth=0) for m in messages]
    match last:
        case Drop(reason=reason):
            return f"dropped, {reason.name}"
        case Forward(reason=reason):
            return f"passed on, {reason.name}"
        case deliver:
            return f"delivers {deliver.delivery.payload!r} on {deliver.delivery.topic.hex()}"


async def parts(me: Actor) -> None:
    original = PssMessage(
        to=Parts(5).overlay,
        expire=int(time.time()) + MESSAGE_TTL_S,
        topic=TOPIC,
        payload=wrap_asymmetric(b"bar", Parts(5).key.public, sender=Parts(3).key),
    )
    for field, changed in {
        "to": dataclasses.replace(original, to=flip_last(original.to)),
        "flags": dataclasses.replace(original, symmetric=True),
        "expire": dataclasses.replace(original, expire=original.expire + 3600),
        "topic": dataclasses.replace(original, topic=topic_from_text("bar")),
        "payload": dataclasses.replace(original, payload=flip_last(original.payload)),
    }.items():
        me.say(f"{field:8}  {judge(changed):27}  {judge(original, changed)}")


if __name__ == "__main__":
    play(parts)
