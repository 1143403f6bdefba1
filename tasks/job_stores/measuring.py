"""How fast jobs leave, and when a waiting one will: parts of scripts, and the same in Python.

Time in which jobs waited is added up together with the jobs that left in it; its last twenty
seconds, or the last 64 jobs where those took longer, count most. Fewer would mislead: while a burst
arrives the API takes its part of the cores, and jobs leave slower than they will. A pause in which
nothing waited says nothing about the rate, and a stall of many times the usual interval is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from tasks import lanes
from tasks.job_stores.records import Work

OPEN, STARTED_JOBS = "petiole:open:", "petiole:started"
SIZES, DEADLINES, DRAIN = "petiole:open-bytes", "petiole:deadlines", "petiole:drain:"
FAILED, TRAININGS, LISTED, LISTED_SECONDS = "petiole:failed", "petiole:trainings", 100, 2_592_000
KEPT_JOBS, KEPT_SECONDS, REMEMBERED_SECONDS = 64, 20.0, 86_400
LEAST_SEEN = 5
STALL_INTERVALS, STALL_SECONDS, SILENT_SECONDS = 10, 1.0, 5.0
RETRY_UNKNOWN_SECONDS, RETRY_MOST_SECONDS = 5, 60
_LOW = lanes.lane("", lanes.LOW)

_NAMES = f"""
local SIZES, DEADLINES, STARTED = '{SIZES}', '{DEADLINES}', '{STARTED_JOBS}'
local function queue_of(lane) return string.match(lane, '^[^\\6]*') end
local function waiting(lane) return redis.call('ZCARD', '{OPEN}' .. lane) end
"""

# Call it before the record goes. A job without a lane is in neither.
ENDED = f"""
local function ended(task_id)
    redis.call('ZREM', '{DEADLINES}', task_id)
    local size = redis.call('HGET', '{SIZES}', task_id)
    if not size then return end
    redis.call('HDEL', '{SIZES}', task_id)
    redis.call('HINCRBY', '{SIZES}', 'total', -size)
    if redis.call('HLEN', '{SIZES}') <= 1 then redis.call('DEL', '{SIZES}') end
end
"""

# What an operator looks up: the latest of those that are few, never each picture.
LIST = f"""
local FAILED, TRAININGS = '{FAILED}', '{TRAININGS}'
local function list(key, task_id, now)
    redis.call('ZADD', key, now, task_id)
    redis.call('ZREMRANGEBYRANK', key, 0, -{LISTED + 1})
    redis.call('EXPIRE', key, {LISTED_SECONDS})
end
"""

# Call it after the job has left its lane.
DRAINED = f"""
{_NAMES}
local function drained(lane, now)
    local queue = queue_of(lane)
    local key = '{DRAIN}' .. queue
    local seen = redis.call('HMGET', key, 'at', 'busy', 'left', 'seconds')
    local left, seconds = tonumber(seen[3] or 0), tonumber(seen[4] or 0)
    if seen[2] == '1' then
        local gap = math.max(0, now - seen[1])
        local is_stall = left >= {LEAST_SEEN}
            and gap > {STALL_SECONDS} + {STALL_INTERVALS} * seconds / left
        if not is_stall then left, seconds = left + 1, seconds + gap end
        if left > {KEPT_JOBS} and seconds > {KEPT_SECONDS} then
            local kept = math.max({KEPT_JOBS} / left, {KEPT_SECONDS} / seconds)
            left, seconds = left * kept, seconds * kept
        end
    end
    local busy = waiting(queue) + waiting(queue .. '{_LOW}') > 0 and '1' or '0'
    redis.call('HSET', key, 'at', string.format('%.6f', now), 'busy', busy, 'left', left,
        'seconds', seconds)
    redis.call('EXPIRE', key, {REMEMBERED_SECONDS})
end
"""

# A downloaded picture waits again, behind those that wait for the same children now.
PLACE = f"""
{_NAMES}
local function rate(queue, now)
    local seen = redis.call('HMGET', '{DRAIN}' .. queue, 'left', 'seconds', 'busy', 'at')
    local left, seconds = tonumber(seen[1] or 0), tonumber(seen[2] or 0)
    if left < {LEAST_SEEN} or seconds <= 0 then return nil end
    local silence = seen[3] == '1' and now - seen[4] or 0
    if silence > {SILENT_SECONDS} + {STALL_INTERVALS} * seconds / left then return nil end
    return left / seconds
end
local function place(task_id, lane, now)
    local ahead = lane ~= '' and redis.call('ZRANK', '{OPEN}' .. lane, task_id)
    if not ahead then return -1, '' end
    local queue = queue_of(lane)
    if lane ~= queue then ahead = ahead + waiting(queue) end
    local behind, left = ahead + redis.call('ZCARD', STARTED) + 1, nil
    local own = rate(queue, now)
    if own then left = behind / own end
    if queue ~= '{lanes.CLASSIFY}' then
        local last = rate('{lanes.CLASSIFY}', now)
        if last then left = math.max(left or 0, (behind + waiting('{lanes.CLASSIFY}')) / last) end
    end
    return ahead, tostring(left or '')
end
"""

# ARGV: every lane that is watched over. Returns for each lane how many wait in it, for how long the
# oldest does, and how many of its jobs are started. These are as few as there are children.
WORK = f"""
{_NAMES}
local clock = redis.call('TIME')
local now, started = clock[1] + clock[2] / 1000000, {{}}
for _, task_id in ipairs(redis.call('ZRANGE', STARTED, 0, -1)) do
    local lane = redis.call('HGET', 'petiole:job:' .. task_id, 'lane')
    if lane then started[lane] = (started[lane] or 0) + 1 end
end
local rows = {{}}
for i, lane in ipairs(ARGV) do
    local oldest = redis.call('ZRANGE', '{OPEN}' .. lane, 0, 0, 'WITHSCORES')[2]
    local seconds = oldest and math.max(0, now - oldest) or 0
    rows[i] = {{waiting(lane), string.format('%.3f', seconds), started[lane] or 0}}
end
return rows
"""


def work_of(rows: Mapping[str, tuple[int, float, int]]) -> dict[str, Work]:
    """Return by queue what there is to do, from what each lane has: see `WORK`."""
    return {queue: _work(rows, queue) for queue in dict.fromkeys(map(lanes.queue_of, rows))}


def _work(rows: Mapping[str, tuple[int, float, int]], queue: str) -> Work:
    own = {lane: row for lane, row in rows.items() if lanes.queue_of(lane) == queue}
    return Work(
        {lanes.priority_of(lane): waiting for lane, (waiting, _, _) in own.items()},
        sum(started for _, _, started in own.values()),
        max(seconds for _, seconds, _ in own.values()),
    )


def retry_after(open_jobs: int, rate: float | None) -> int:
    """Return the seconds after which a client may try again: a tenth of the open jobs is done then.

    `rate` is in jobs a second, None while nobody knows it.
    """
    if not rate:
        return RETRY_UNKNOWN_SECONDS
    return max(1, min(RETRY_MOST_SECONDS, ceil(open_jobs / 10 / rate)))


@dataclass
class Drain:
    """How fast the jobs of one queue leave, for a store in the memory of one process."""

    at: float = 0.0
    is_busy: bool = False
    left: float = 0.0
    seconds: float = 0.0

    def leave(self, now: float, *, others_wait: bool) -> None:
        """Note that a job left."""
        gap = max(0.0, now - self.at)
        if self.is_busy and not self._is_stall(gap):
            self.left, self.seconds = self.left + 1, self.seconds + gap
        if self.left > KEPT_JOBS and self.seconds > KEPT_SECONDS:
            kept = max(KEPT_JOBS / self.left, KEPT_SECONDS / self.seconds)
            self.left, self.seconds = self.left * kept, self.seconds * kept
        self.at, self.is_busy = now, others_wait

    def _is_stall(self, gap: float) -> bool:
        usual = self.seconds / self.left if self.left else 0.0
        return self.left >= LEAST_SEEN and gap > STALL_SECONDS + STALL_INTERVALS * usual

    def rate(self, now: float) -> float | None:
        """Return jobs a second; None while too few were seen, or none leaves although some wait."""
        if self.left < LEAST_SEEN or not self.seconds:
            return None
        silence = now - self.at if self.is_busy else 0.0
        usual = self.seconds / self.left
        is_silent = silence > SILENT_SECONDS + STALL_INTERVALS * usual
        return None if is_silent else self.left / self.seconds
