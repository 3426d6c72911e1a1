"""node.swarm.api: the numbers that it repeats of pss."""

from __future__ import annotations

from node.pss.keystore import DECRYPT_CACHE_KEYS
from node.pss.message import MESSAGE_TTL_S
from node.pss.seen import CACHE_TTL_S
from node.swarm.api import PSS_SETTINGS
from node.swarm.capability import PSS_NODE

NS_PER_S = 10**9


def test_the_settings_of_pss_are_those_of_pss() -> None:
    assert PSS_SETTINGS["MsgTTL"] == MESSAGE_TTL_S * NS_PER_S
    assert PSS_SETTINGS["CacheTTL"] == CACHE_TTL_S * NS_PER_S
    assert PSS_SETTINGS["SymKeyCacheCapacity"] == DECRYPT_CACHE_KEYS
    # The capability that we announce says the same (spec 05 section 3.1).
    assert PSS_SETTINGS["AllowForward"] is PSS_NODE.bits[4] is False
