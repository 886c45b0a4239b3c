"""Makes msgspec read values as types, from any number of threads.

msgspec learns a class when it is first named, in Python code between whose lines other threads run. Another thread
that names the class meanwhile finds it half learnt, and the process crashes (msgspec 0.22). Here classes are learnt
under one lock; a linter forbids msgspec's own functions elsewhere.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # each has the parameters and the types of msgspec's own
    from msgspec import convert
    from msgspec.json import Decoder as json_decoder
    from msgspec.msgpack import Decoder as msgpack_decoder
else:
    _learning = threading.Lock()

    def json_decoder(kind: Any = Any, **settings: Any) -> Any:
        with _learning:
            return msgspec.json.Decoder(kind, **settings)

    def msgpack_decoder(kind: Any) -> Any:
        with _learning:
            return msgspec.msgpack.Decoder(kind)

    def convert(value: Any, kind: Any) -> Any:
        _learn(kind)
        return msgspec.convert(value, kind)

    @cache
    def _learn(kind: Any) -> None:
        json_decoder(kind)


__all__ = ["convert", "json_decoder", "msgpack_decoder"]
