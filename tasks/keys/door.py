"""Who stands before the door: keys looked up, and remembered for seconds.

A process that remembers a key notices its revocation when it looks it up the next time, after
`PETIOLE_API_KEY_MEMORY_SECONDS` at most. What is no key is not remembered: whoever tries many fills
nobody's memory.
"""

from time import monotonic, time

from tasks.keys.records import TOKEN, ApiKey, KeyStore, is_of

TOUCH_SECONDS = 60.0
"""Between two notes of a key's last use, by one process."""


class Door:
    """Lets keys in; one for each process."""

    def __init__(self, store: KeyStore, *, memory_seconds: float) -> None:
        """Remember nobody."""
        self._store = store
        self._memory_seconds = memory_seconds
        self._known: dict[str, tuple[ApiKey, float]] = {}
        self._touched: dict[str, float] = {}

    def admit(self, token: str) -> ApiKey | None:
        """Return the key of a token, or None when there is none, or its time is over.

        Raises:
            ServiceUnavailableError: the store did not answer, and the key is not remembered.
        """
        match = TOKEN.fullmatch(token)
        if match is None:
            return None
        key = self.find(match[1])
        if not is_of(key, match[2]) or key is None:
            return None
        self._touch(key)
        return key

    def remembers(self, token: str) -> bool:
        """Tell whether the key of a token need not be looked up."""
        _, until = self._known.get(token[len("ptl_") :].partition(".")[0], (None, 0.0))
        return until > monotonic()

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key with an id, unless its time is over; nobody has shown its secret.

        Raises:
            ServiceUnavailableError: the store did not answer, and the key is not remembered.
        """
        key, until = self._known.get(key_id, (None, 0.0))
        if key is None or until <= monotonic():
            key = self._looked_up(key_id)
        return None if key is None or key.is_expired(time()) else key

    def _looked_up(self, key_id: str) -> ApiKey | None:
        key = self._store.get(key_id)
        if key is None:
            self._known.pop(key_id, None)
        else:
            self._known[key_id] = key, monotonic() + self._memory_seconds
        return key

    def _touch(self, key: ApiKey) -> None:
        now = time()
        if now - max(key.used_at, self._touched.get(key.key_id, 0.0)) >= TOUCH_SECONDS:
            self._touched[key.key_id] = now
            self._store.touch(key.key_id, at=now)
