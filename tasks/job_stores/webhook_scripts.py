"""Promises to tell of an end, as Lua: one is made in the step that ends its job, or never.

A promise is a hash, which expires, and a member of a sorted set by the time at which it is due; a
dead one is in another set by the time of its death. Times are Redis' own, in seconds.
"""

from typing import Final

WEBHOOK: Final = "petiole:webhook:"
DUE, DEAD = "petiole:webhooks-due", "petiole:webhooks-dead"

_TIME = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
"""

# Of the scripts that end a job. What its request was called goes along.
PROMISED = f"""
local function promised(task_id, url, document, now, seconds)
    local key = '{WEBHOOK}' .. task_id
    local job = redis.call('HMGET', 'petiole:job:' .. task_id, 'request_id', 'trace')
    redis.call('HSET', key, 'url', url, 'document', document, 'ended_at', now, 'since', now,
        'request_id', job[1] or '', 'trace', job[2] or '')
    redis.call('EXPIRE', key, seconds)
    redis.call('ZADD', '{DUE}', now, task_id)
    redis.call('EXPIRE', '{DUE}', seconds)
end
"""

# Who takes one has it for some seconds; one that was neither kept nor put off then is due again.
# ARGV: how many at most, seconds.
TAKE = f"""
{_TIME}
local found = {{}}
for _, task_id in ipairs(redis.call('ZRANGEBYSCORE', '{DUE}', '-inf', now, 'LIMIT', 0, ARGV[1])) do
    local key = '{WEBHOOK}' .. task_id
    if redis.call('EXISTS', key) == 1 then
        redis.call('HINCRBY', key, 'attempts', 1)
        redis.call('ZADD', '{DUE}', now + ARGV[2], task_id)
        found[#found + 1] = {{task_id, redis.call('HGETALL', key)}}
    else
        redis.call('ZREM', '{DUE}', task_id)
    end
end
return found
"""

# KEYS: counts. ARGV: task id, name of the count.
KEEP = f"""
redis.call('HINCRBYFLOAT', KEYS[1], ARGV[2], 1)
redis.call('ZREM', '{DUE}', ARGV[1])
redis.call('ZREM', '{DEAD}', ARGV[1])
return redis.call('DEL', '{WEBHOOK}' .. ARGV[1])
"""

# Nothing is changed by somebody whose turn was over before. One that will not be due again in its
# time is dead at once. KEYS: counts. ARGV: task id, its attempts as they were taken, seconds until
# it is due (negative: never), why, seconds in which it is tried, seconds that a dead one is kept,
# names of the two counts.
PUT_OFF = f"""
{_TIME}
local key = '{WEBHOOK}' .. ARGV[1]
local held = redis.call('HMGET', key, 'attempts', 'since')
if held[1] ~= ARGV[2] then return 'STALE' end
redis.call('HSET', key, 'reason', ARGV[4])
if tonumber(ARGV[3]) >= 0 and now + ARGV[3] <= held[2] + ARGV[5] then
    redis.call('HINCRBYFLOAT', KEYS[1], ARGV[7], 1)
    redis.call('ZADD', '{DUE}', now + ARGV[3], ARGV[1])
    return 'AGAIN'
end
redis.call('HINCRBYFLOAT', KEYS[1], ARGV[8], 1)
redis.call('ZREM', '{DUE}', ARGV[1])
redis.call('ZADD', '{DEAD}', now, ARGV[1])
redis.call('EXPIRE', key, ARGV[6])
redis.call('EXPIRE', '{DEAD}', ARGV[6])
return 'DEAD'
"""

# It was taken and not tried. ARGV: task id, its attempts as they were taken, seconds until due.
PUT_BACK = f"""
{_TIME}
local key = '{WEBHOOK}' .. ARGV[1]
if redis.call('HGET', key, 'attempts') ~= ARGV[2] then return 0 end
redis.call('HINCRBY', key, 'attempts', -1)
return redis.call('ZADD', '{DUE}', now + ARGV[3], ARGV[1])
"""

# ARGV: task id, seconds to live.
SEND_AGAIN = f"""
{_TIME}
local key = '{WEBHOOK}' .. ARGV[1]
if redis.call('ZREM', '{DEAD}', ARGV[1]) == 0 or redis.call('EXISTS', key) == 0 then return 0 end
redis.call('HSET', key, 'since', now, 'attempts', 0)
redis.call('EXPIRE', key, ARGV[2])
redis.call('ZADD', '{DUE}', now, ARGV[1])
redis.call('EXPIRE', '{DUE}', ARGV[2])
return 1
"""
