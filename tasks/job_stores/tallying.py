"""Sums that processes have added up: a script, and the same in Python.

Labels come from the cards of versions, and a card may have thousands: the first ones of a version
that are seen have a count of their own, all others one together. So no count ever goes down.
"""

from collections.abc import Mapping, MutableMapping

from tasks import statistics
from tasks.statistics import Tally

# KEYS: counts. ARGV: most labels of a version, how many words the plain sums are, then these as
# names and amounts, then for each label its name, its amount, the name of how many labels of the
# version have a count, and the name of the count of the others.
TALLY = """
local last = 2 + ARGV[2]
for i = 3, last, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = last + 1, #ARGV, 4 do
    local name = ARGV[i]
    if redis.call('HEXISTS', KEYS[1], name) == 0 then
        local kinds = tonumber(redis.call('HGET', KEYS[1], ARGV[i + 2]) or 0)
        if kinds < tonumber(ARGV[1]) then
            redis.call('HINCRBY', KEYS[1], ARGV[i + 2], 1)
        else
            name = ARGV[i + 3]
        end
    end
    redis.call('HINCRBY', KEYS[1], name, ARGV[i + 1])
end
"""


def words_of(tally: Tally, *, most_labels: int) -> list[str | int]:
    """Return what the script is given."""
    plain = [part for pair in tally.plain.items() for part in pair]
    labels = [
        part
        for (version, label), amount in tally.labels.items()
        for part in (
            *(statistics.of_label(version, label), amount),
            *(statistics.labels_of(version), statistics.of_label(version, statistics.OTHER)),
        )
    ]
    return [most_labels, len(plain), *plain, *labels]


def add(counts: MutableMapping[str, float], tally: Tally, *, most_labels: int) -> None:
    """Add a tally to counts that are in memory."""
    _add(counts, tally.plain)
    for (version, label), amount in tally.labels.items():
        name, kinds = statistics.of_label(version, label), statistics.labels_of(version)
        if name not in counts and counts.get(kinds, 0.0) >= most_labels:
            name = statistics.of_label(version, statistics.OTHER)
        elif name not in counts:
            _add(counts, {kinds: 1})
        _add(counts, {name: amount})


def _add(counts: MutableMapping[str, float], amounts: Mapping[str, float]) -> None:
    for name, amount in amounts.items():
        counts[name] = counts.get(name, 0.0) + amount
