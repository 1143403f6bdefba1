"""State changes of jobs as Lua, so that two processes never both make one.

Times are Redis' own, in seconds: hosts' clocks may differ. A job waits in the sorted set of its
lane, by the time it was queued, until it is claimed; then it is among the started ones until it is
over. A job without a lane, such as a training, is in neither.
"""

_TIME = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
"""

_OVER = """
local function over(state) return state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED' end
"""

_LEAVE = """
local function leave(job, task_id, started)
    local lane = redis.call('HGET', job, 'lane')
    if lane and lane ~= '' then redis.call('ZREM', 'petiole:open:' .. lane, task_id) end
    redis.call('ZREM', started, task_id)
end
"""

# A stalled server may carry out a creation after the discard that was sent later, over another
# connection: the discard therefore leaves a mark.
# KEYS: job, discarded mark, the lane's open jobs (or nothing), the queue's list (or nothing).
# ARGV: seconds to live, task id, message, then names and values of the record.
CREATE = f"""
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
{_TIME}
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('EXPIRE', KEYS[1], ARGV[1])
if KEYS[3] ~= '' then redis.call('ZADD', KEYS[3], now, ARGV[2]) end
if KEYS[4] ~= '' then redis.call('LPUSH', KEYS[4], ARGV[3]) end
return 1
"""

# KEYS: job, the next lane's open jobs, started, the queue's list (or nothing).
# ARGV: task id, message, fence, then names and values of the record.
REQUEUE = f"""
{_OVER} {_TIME} {_LEAVE}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence')
if not job[1] or over(job[1]) or (job[2] or '0') ~= ARGV[3] then return 0 end
leave(KEYS[1], ARGV[1], KEYS[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], now, ARGV[1])
if KEYS[4] ~= '' then redis.call('LPUSH', KEYS[4], ARGV[2]) end
return 1
"""

# A job that a living process holds is left to it. KEYS: job, started. ARGV: task id, stage, owner,
# the prefix of readiness keys.
CLAIM = f"""
{_OVER} {_TIME} {_LEAVE}
local held = redis.call('HMGET', KEYS[1], 'state', 'owner', 'lane')
local state, owner = held[1], held[2]
if not state or over(state) then return false end
if state == 'STARTED' and owner and owner ~= '' and owner ~= ARGV[3]
    and redis.call('EXISTS', ARGV[4] .. owner) == 1 then return false end
leave(KEYS[1], ARGV[1], KEYS[2])
if held[3] and held[3] ~= '' then redis.call('ZADD', KEYS[2], now, ARGV[1]) end
local attempts = redis.call('HINCRBY', KEYS[1], 'attempts:' .. ARGV[2], 1)
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'state', 'STARTED', 'attempts', attempts, 'stage', ARGV[2],
    'owner', ARGV[3])
return redis.call('HGETALL', KEYS[1])
"""

MARK_RETRY = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'PENDING' or state == 'STARTED' then redis.call('HSET', KEYS[1], 'state', 'RETRY') end
"""

# The claim is taken back: it is not held against the job. KEYS: job, started.
# ARGV: task id, fence, seconds until it is due.
POSTPONE = f"""
{_TIME}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence', 'lane', 'stage')
if job[1] ~= 'STARTED' or job[2] ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if job[3] and job[3] ~= '' then
    redis.call('ZADD', 'petiole:open:' .. job[3], now + ARGV[3], ARGV[1])
end
local attempts = redis.call('HINCRBY', KEYS[1], 'attempts:' .. job[4], -1)
redis.call('HINCRBY', KEYS[1], 'postponed', 1)
redis.call('HSET', KEYS[1], 'state', 'RETRY', 'attempts', attempts, 'owner', '')
return 1
"""

# Once for each loss: a claim, an end, or another process that did it first change what is compared.
# KEYS: job, the lane's open jobs, started, the queue's list (or nothing).
# ARGV: task id, fence, message, how many seconds a waiting job must have been queued.
SEND_AGAIN = f"""
{_OVER} {_TIME}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence')
if not job[1] or over(job[1]) or (job[2] or '0') ~= ARGV[2] then return 0 end
local since = redis.call('ZSCORE', KEYS[2], ARGV[1])
if job[1] ~= 'STARTED' and since and tonumber(since) > now - ARGV[4] then return 0 end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('HINCRBY', KEYS[1], 'resent', 1)
if job[1] == 'STARTED' then redis.call('HSET', KEYS[1], 'state', 'RETRY', 'owner', '') end
if KEYS[4] ~= '' then redis.call('LPUSH', KEYS[4], ARGV[3]) end
return 1
"""

NOTE_PROGRESS = """
if redis.call('HGET', KEYS[1], 'state') ~= 'STARTED' then return end
redis.call('HSET', KEYS[1], 'progress', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: job, document, counts, Celery's result (or nothing), started. ARGV: new state, document, its
# seconds to live, the record's, channel, task id, the states that may be ended (separated by
# spaces), fence (or nothing), Celery's result (or nothing) and its seconds to live, then pairs of a
# count's name and its amount.
FINISH = f"""
{_LEAVE}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence')
local state = job[1]
if not state or not string.find(ARGV[7], state, 1, true) then return state end
if ARGV[8] ~= '' and job[2] ~= ARGV[8] then return 'STALE' end
leave(KEYS[1], ARGV[6], KEYS[5])
redis.call('HSET', KEYS[1], 'state', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if ARGV[9] ~= '' then
    redis.call('SET', KEYS[4], ARGV[9], 'EX', ARGV[10])
    redis.call('PUBLISH', KEYS[4], ARGV[9])
end
for i = 11, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. ARGV[2])
return state
"""
