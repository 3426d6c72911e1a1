from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_RAW: _ClassVar[Mode]
    MODE_SYM: _ClassVar[Mode]
    MODE_ASYM: _ClassVar[Mode]
MODE_UNSPECIFIED: Mode
MODE_RAW: Mode
MODE_SYM: Mode
MODE_ASYM: Mode

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NodeInfo(_message.Message):
    __slots__ = ("name", "client", "node_id", "enode", "overlay", "public_key", "network_id", "pid", "rss_bytes", "uptime_s", "version", "tasks")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ENODE_FIELD_NUMBER: _ClassVar[int]
    OVERLAY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    name: str
    client: str
    node_id: bytes
    enode: str
    overlay: bytes
    public_key: bytes
    network_id: int
    pid: int
    rss_bytes: int
    uptime_s: float
    version: str
    tasks: int
    def __init__(self, name: _Optional[str] = ..., client: _Optional[str] = ..., node_id: _Optional[bytes] = ..., enode: _Optional[str] = ..., overlay: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., network_id: _Optional[int] = ..., pid: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., uptime_s: _Optional[float] = ..., version: _Optional[str] = ..., tasks: _Optional[int] = ...) -> None: ...

class ListPeersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPeersResponse(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    def __init__(self, peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("node_id", "enode", "client", "caps", "inbound", "static", "trusted", "local", "remote", "overlay")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ENODE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    INBOUND_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    OVERLAY_FIELD_NUMBER: _ClassVar[int]
    node_id: bytes
    enode: str
    client: str
    caps: _containers.RepeatedScalarFieldContainer[str]
    inbound: bool
    static: bool
    trusted: bool
    local: str
    remote: str
    overlay: bytes
    def __init__(self, node_id: _Optional[bytes] = ..., enode: _Optional[str] = ..., client: _Optional[str] = ..., caps: _Optional[_Iterable[str]] = ..., inbound: _Optional[bool] = ..., static: _Optional[bool] = ..., trusted: _Optional[bool] = ..., local: _Optional[str] = ..., remote: _Optional[str] = ..., overlay: _Optional[bytes] = ...) -> None: ...

class ConnectRequest(_message.Message):
    __slots__ = ("enode", "wait_ms")
    ENODE_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    enode: str
    wait_ms: int
    def __init__(self, enode: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DisconnectRequest(_message.Message):
    __slots__ = ("node_id", "wait_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: bytes
    wait_ms: int
    def __init__(self, node_id: _Optional[bytes] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class DisconnectResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetKademliaRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Kademlia(_message.Message):
    __slots__ = ("self", "depth", "saturation", "bins", "text")
    SELF_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    SATURATION_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    self: bytes
    depth: int
    saturation: int
    bins: _containers.RepeatedCompositeFieldContainer[Bin]
    text: str
    def __init__(self_, self: _Optional[bytes] = ..., depth: _Optional[int] = ..., saturation: _Optional[int] = ..., bins: _Optional[_Iterable[_Union[Bin, _Mapping]]] = ..., text: _Optional[str] = ...) -> None: ...

class Bin(_message.Message):
    __slots__ = ("po", "connected", "known")
    PO_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    po: int
    connected: _containers.RepeatedScalarFieldContainer[bytes]
    known: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, po: _Optional[int] = ..., connected: _Optional[_Iterable[bytes]] = ..., known: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CheckHealthRequest(_message.Message):
    __slots__ = ("nn_set", "peers_per_bin")
    NN_SET_FIELD_NUMBER: _ClassVar[int]
    PEERS_PER_BIN_FIELD_NUMBER: _ClassVar[int]
    nn_set: _containers.RepeatedScalarFieldContainer[bytes]
    peers_per_bin: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, nn_set: _Optional[_Iterable[bytes]] = ..., peers_per_bin: _Optional[_Iterable[int]] = ...) -> None: ...

class CheckHealthResponse(_message.Message):
    __slots__ = ("healthy", "know_nn", "connect_nn", "saturated", "missing_know_nn", "missing_connect_nn")
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    KNOW_NN_FIELD_NUMBER: _ClassVar[int]
    CONNECT_NN_FIELD_NUMBER: _ClassVar[int]
    SATURATED_FIELD_NUMBER: _ClassVar[int]
    MISSING_KNOW_NN_FIELD_NUMBER: _ClassVar[int]
    MISSING_CONNECT_NN_FIELD_NUMBER: _ClassVar[int]
    healthy: bool
    know_nn: bool
    connect_nn: bool
    saturated: bool
    missing_know_nn: _containers.RepeatedScalarFieldContainer[bytes]
    missing_connect_nn: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, healthy: _Optional[bool] = ..., know_nn: _Optional[bool] = ..., connect_nn: _Optional[bool] = ..., saturated: _Optional[bool] = ..., missing_know_nn: _Optional[_Iterable[bytes]] = ..., missing_connect_nn: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SetPeerKeyRequest(_message.Message):
    __slots__ = ("public_key", "topic", "address")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    topic: bytes
    address: bytes
    def __init__(self, public_key: _Optional[bytes] = ..., topic: _Optional[bytes] = ..., address: _Optional[bytes] = ...) -> None: ...

class SetPeerKeyResponse(_message.Message):
    __slots__ = ("key_id",)
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    def __init__(self, key_id: _Optional[str] = ...) -> None: ...

class SetSymmetricKeyRequest(_message.Message):
    __slots__ = ("key", "topic", "address", "receive")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    topic: bytes
    address: bytes
    receive: bool
    def __init__(self, key: _Optional[bytes] = ..., topic: _Optional[bytes] = ..., address: _Optional[bytes] = ..., receive: _Optional[bool] = ...) -> None: ...

class SetSymmetricKeyResponse(_message.Message):
    __slots__ = ("key_id", "key")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    key: bytes
    def __init__(self, key_id: _Optional[str] = ..., key: _Optional[bytes] = ...) -> None: ...

class SendRequest(_message.Message):
    __slots__ = ("mode", "topic", "payload", "key_id", "address")
    MODE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    mode: Mode
    topic: bytes
    payload: bytes
    key_id: str
    address: bytes
    def __init__(self, mode: _Optional[_Union[Mode, str]] = ..., topic: _Optional[bytes] = ..., payload: _Optional[bytes] = ..., key_id: _Optional[str] = ..., address: _Optional[bytes] = ...) -> None: ...

class SendResponse(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("topic", "raw", "prox")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    PROX_FIELD_NUMBER: _ClassVar[int]
    topic: bytes
    raw: bool
    prox: bool
    def __init__(self, topic: _Optional[bytes] = ..., raw: _Optional[bool] = ..., prox: _Optional[bool] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: PssMessage
    def __init__(self, message: _Optional[_Union[PssMessage, _Mapping]] = ...) -> None: ...

class PssMessage(_message.Message):
    __slots__ = ("payload", "asymmetric", "key_id", "digest")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ASYMMETRIC_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    asymmetric: bool
    key_id: str
    digest: bytes
    def __init__(self, payload: _Optional[bytes] = ..., asymmetric: _Optional[bool] = ..., key_id: _Optional[str] = ..., digest: _Optional[bytes] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("kinds", "history", "follow", "digest", "filters", "limit", "after_seq", "started_wall_s")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    STARTED_WALL_S_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    history: bool
    follow: bool
    digest: str
    filters: _containers.RepeatedCompositeFieldContainer[EventFilter]
    limit: int
    after_seq: int
    started_wall_s: float
    def __init__(self, kinds: _Optional[_Iterable[str]] = ..., history: _Optional[bool] = ..., follow: _Optional[bool] = ..., digest: _Optional[str] = ..., filters: _Optional[_Iterable[_Union[EventFilter, _Mapping]]] = ..., limit: _Optional[int] = ..., after_seq: _Optional[int] = ..., started_wall_s: _Optional[float] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("protocol", "codes")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    protocol: str
    codes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, protocol: _Optional[str] = ..., codes: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ("event", "lost", "last_seq", "started_wall_s", "oldest_wall_s", "forgotten")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    STARTED_WALL_S_FIELD_NUMBER: _ClassVar[int]
    OLDEST_WALL_S_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    event: Event
    lost: int
    last_seq: int
    started_wall_s: float
    oldest_wall_s: float
    forgotten: int
    def __init__(self, event: _Optional[_Union[Event, _Mapping]] = ..., lost: _Optional[int] = ..., last_seq: _Optional[int] = ..., started_wall_s: _Optional[float] = ..., oldest_wall_s: _Optional[float] = ..., forgotten: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("seq", "wall_s", "mono_s", "node", "kind", "peer", "protocol", "code", "size", "digest", "reason", "control", "local", "remote", "data_json")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    WALL_S_FIELD_NUMBER: _ClassVar[int]
    MONO_S_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    LOCAL_FIELD_NUMBER: _ClassVar[int]
    REMOTE_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    seq: int
    wall_s: float
    mono_s: float
    node: str
    kind: str
    peer: str
    protocol: str
    code: int
    size: int
    digest: str
    reason: str
    control: bool
    local: str
    remote: str
    data_json: str
    def __init__(self, seq: _Optional[int] = ..., wall_s: _Optional[float] = ..., mono_s: _Optional[float] = ..., node: _Optional[str] = ..., kind: _Optional[str] = ..., peer: _Optional[str] = ..., protocol: _Optional[str] = ..., code: _Optional[int] = ..., size: _Optional[int] = ..., digest: _Optional[str] = ..., reason: _Optional[str] = ..., control: _Optional[bool] = ..., local: _Optional[str] = ..., remote: _Optional[str] = ..., data_json: _Optional[str] = ...) -> None: ...

class SetLinkConditionsRequest(_message.Message):
    __slots__ = ("links", "keep", "seed", "probe_ms")
    LINKS_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PROBE_MS_FIELD_NUMBER: _ClassVar[int]
    links: _containers.RepeatedCompositeFieldContainer[LinkConditions]
    keep: bool
    seed: int
    probe_ms: int
    def __init__(self, links: _Optional[_Iterable[_Union[LinkConditions, _Mapping]]] = ..., keep: _Optional[bool] = ..., seed: _Optional[int] = ..., probe_ms: _Optional[int] = ...) -> None: ...

class LinkConditions(_message.Message):
    __slots__ = ("node_id", "delay_s", "jitter_s", "loss", "rate_bps", "blocked")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    DELAY_S_FIELD_NUMBER: _ClassVar[int]
    JITTER_S_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    RATE_BPS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    node_id: bytes
    delay_s: float
    jitter_s: float
    loss: float
    rate_bps: float
    blocked: bool
    def __init__(self, node_id: _Optional[bytes] = ..., delay_s: _Optional[float] = ..., jitter_s: _Optional[float] = ..., loss: _Optional[float] = ..., rate_bps: _Optional[float] = ..., blocked: _Optional[bool] = ...) -> None: ...

class SetLinkConditionsResponse(_message.Message):
    __slots__ = ("links",)
    LINKS_FIELD_NUMBER: _ClassVar[int]
    links: _containers.RepeatedCompositeFieldContainer[LinkState]
    def __init__(self, links: _Optional[_Iterable[_Union[LinkState, _Mapping]]] = ...) -> None: ...

class LinkState(_message.Message):
    __slots__ = ("conditions", "connected", "round_trip_s")
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_S_FIELD_NUMBER: _ClassVar[int]
    conditions: LinkConditions
    connected: bool
    round_trip_s: float
    def __init__(self, conditions: _Optional[_Union[LinkConditions, _Mapping]] = ..., connected: _Optional[bool] = ..., round_trip_s: _Optional[float] = ...) -> None: ...

class CallRequest(_message.Message):
    __slots__ = ("method", "params_json")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    method: str
    params_json: str
    def __init__(self, method: _Optional[str] = ..., params_json: _Optional[str] = ...) -> None: ...

class CallResponse(_message.Message):
    __slots__ = ("result_json", "error_code", "error_message")
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    result_json: str
    error_code: int
    error_message: str
    def __init__(self, result_json: _Optional[str] = ..., error_code: _Optional[int] = ..., error_message: _Optional[str] = ...) -> None: ...
