"""State changes of jobs as Lua, so that two processes never both make one.

Times are Redis' own, in seconds: hosts' clocks may differ. A job waits in the sorted set of its
lane, by the time it was queued, until it is claimed; then it is among the started ones until it is
over. A job without a lane, such as a training, is in neither.
"""

from tasks.job_stores.kept_scripts import FORGOTTEN, KEEP, KNOWN
from tasks.job_stores.measuring import DRAINED, ENDED, LIST, PLACE, SIZES
from tasks.job_stores.webhook_scripts import DEAD, DUE, PROMISED, WEBHOOK

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
# connection: the discard therefore leaves a mark. It may also do so when the client heard of its
# refusal long ago, and before the discard: what comes too late is not done. What a client sent
# before under the same key is the same job, also in a full service.
# KEYS: job, discarded mark, the lane's open jobs (or nothing), the queue's list (or nothing), the
# client's key (or nothing), counts.
# ARGV: seconds to live, task id, message, lane, most open jobs, their most bytes, bytes of the
# picture, seconds until nobody waits for it (or 0), digest of the request, the key's seconds to
# live, when it is too late, the name of its count, 1 where a job that is there and not over stays
# as it is (or 0), then names and values of the record.
# Returns what was done, and then: the time, or the earlier id, or how many jobs are open and how
# many leave in a second, or how many are ahead and the seconds left.
CREATE = f"""
if redis.call('EXISTS', KEYS[2]) == 1 then return {{'DISCARDED'}} end
{_TIME} {_OVER} {PLACE} {LIST}
if ARGV[13] == '1' then
    local there = redis.call('HGET', KEYS[1], 'state')
    if there and not over(there) then return {{'CREATED', place(ARGV[2], ARGV[4], now)}} end
end
if now > tonumber(ARGV[11]) then return {{'LATE', tostring(now)}} end
if KEYS[5] ~= '' then
    local earlier = redis.call('HMGET', KEYS[5], 'digest', 'task_id')
    if earlier[1] and earlier[1] ~= ARGV[9] then return {{'REUSED'}} end
    if earlier[1] then
        redis.call('HSET', KEYS[5], 'shared', 1)
        return {{'EARLIER', earlier[2]}}
    end
end
if KEYS[3] ~= '' then
    local open = math.max(0, redis.call('HLEN', SIZES) - 1)
    local bytes = tonumber(redis.call('HGET', SIZES, 'total') or 0)
    if open >= tonumber(ARGV[5]) or bytes + ARGV[7] > tonumber(ARGV[6]) then
        return {{'FULL', open, tostring(rate(queue_of(ARGV[4]), now) or '')}}
    end
    redis.call('HSET', SIZES, ARGV[2], ARGV[7])
    redis.call('HINCRBY', SIZES, 'total', ARGV[7])
    redis.call('ZADD', KEYS[3], now, ARGV[2])
    redis.call('HINCRBY', KEYS[6], ARGV[12], 1)
    if ARGV[8] ~= '0' then redis.call('ZADD', DEADLINES, now + ARGV[8], ARGV[2]) end
end
if KEYS[5] ~= '' then
    redis.call('HSET', KEYS[5], 'digest', ARGV[9], 'task_id', ARGV[2])
    redis.call('EXPIRE', KEYS[5], ARGV[10])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 14))
redis.call('EXPIRE', KEYS[1], ARGV[1])
if KEYS[3] == '' and redis.call('HGET', KEYS[1], 'kind') == 'training' then
    list(TRAININGS, ARGV[2], now)
end
if KEYS[4] ~= '' then redis.call('LPUSH', KEYS[4], ARGV[3]) end
return {{'CREATED', place(ARGV[2], ARGV[4], now)}}
"""

# Nothing is taken away that another request was given under the same key. Of one that had an answer
# at once, though its client never heard of it, nobody is told.
# KEYS: job, discarded mark, started, counts. ARGV: task id, the mark's seconds to live, prefix of
# clients' keys, the name of its count, then every lane, for a job whose record is gone.
DISCARD = f"""
{ENDED}
local key = redis.call('HGET', KEYS[1], 'key')
if key and key ~= '' then
    if redis.call('HGET', ARGV[3] .. key, 'shared') then return 0 end
    redis.call('DEL', ARGV[3] .. key)
end
for i = 5, #ARGV do redis.call('ZREM', 'petiole:open:' .. ARGV[i], ARGV[1]) end
redis.call('ZREM', KEYS[3], ARGV[1])
local is_counted = redis.call('HEXISTS', '{SIZES}', ARGV[1]) == 1
if is_counted then redis.call('HINCRBY', KEYS[4], ARGV[4], 1) end
ended(ARGV[1])
redis.call('DEL', KEYS[1], 'petiole:document:' .. ARGV[1], '{WEBHOOK}' .. ARGV[1])
redis.call('SET', KEYS[2], '', 'EX', ARGV[2])
return 1
"""

# KEYS: the client's key. ARGV: digest of the request.
EARLIER = """
local earlier = redis.call('HMGET', KEYS[1], 'digest', 'task_id')
if not earlier[1] then return false end
if earlier[1] ~= ARGV[1] then return {'REUSED'} end
redis.call('HSET', KEYS[1], 'shared', 1)
return {'EARLIER', earlier[2]}
"""

# KEYS: document, job. Returns the document, or nothing, the record, how many are ahead and the
# seconds left.
VIEW = f"""
local document = redis.call('GET', KEYS[1])
if document then return {{document}} end
{_TIME} {PLACE}
local job = redis.call('HMGET', KEYS[2], 'lane', 'task_id')
return {{'', redis.call('HGETALL', KEYS[2]), place(job[2] or '', job[1] or '', now)}}
"""

# What is over is forgotten, also by those who were to be told: the tombstone stays, without what
# the client told. KEYS: job, document, Celery's result (or nothing). ARGV: task id.
FORGET = f"""
{_OVER} {FORGOTTEN}
local job = redis.call('HMGET', KEYS[1], 'state', 'webhook_url', 'answer_key')
if not over(job[1]) then return 0 end
forget_answer(KEYS[1], job[3], ARGV[1])
if KEYS[3] ~= '' then redis.call('DEL', KEYS[3]) end
if job[2] and job[2] ~= '' then
    redis.call('DEL', '{WEBHOOK}' .. ARGV[1])
    redis.call('ZREM', '{DUE}', ARGV[1])
    redis.call('ZREM', '{DEAD}', ARGV[1])
end
redis.call('HSET', KEYS[1], 'filename', '', 'image_url', '', 'webhook_url', '')
return redis.call('DEL', KEYS[2])
"""

# KEYS: job, the next lane's open jobs, started, the queue's list (or nothing).
# ARGV: task id, message, fence, bytes of the picture, then names and values of the record.
REQUEUE = f"""
{_OVER} {_TIME} {_LEAVE} {DRAINED}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence', 'lane')
if not job[1] or over(job[1]) or (job[2] or '0') ~= ARGV[3] then return 0 end
leave(KEYS[1], ARGV[1], KEYS[3])
if job[3] and job[3] ~= '' then drained(job[3], now) end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('ZADD', KEYS[2], now, ARGV[1])
local size = redis.call('HGET', SIZES, ARGV[1])
if size then
    redis.call('HSET', SIZES, ARGV[1], ARGV[4])
    redis.call('HINCRBY', SIZES, 'total', ARGV[4] - size)
end
if KEYS[4] ~= '' then redis.call('LPUSH', KEYS[4], ARGV[2]) end
return 1
"""

# What `claim` and `take` do to a job that is to be started. Returns its record.
_START = f"""
{KNOWN}
local function start(job, task_id, started, lane, answer_key, stage, owner, now)
    if lane and lane ~= '' then
        redis.call('ZREM', 'petiole:open:' .. lane, task_id)
        redis.call('ZADD', started, now, task_id)
    end
    local attempts = redis.call('HINCRBY', job, 'attempts:' .. stage, 1)
    redis.call('HINCRBY', job, 'fence', 1)
    redis.call('HSET', job, 'state', 'STARTED', 'attempts', attempts, 'stage', stage,
        'owner', owner)
    local record = redis.call('HGETALL', job)
    if not answer_key or answer_key == '' or stage ~= 'classify' then return record end
    return known(record, answer_key, task_id)
end
"""

# A job that a living process holds is left to it. One that nobody waits for is not started: it
# shows RETRY and waits for its end. KEYS: job, started. ARGV: task id, stage, owner, the prefix of
# readiness keys.
CLAIM = f"""
{_OVER} {_TIME} {_LEAVE} {_START}
local held = redis.call('HMGET', KEYS[1], 'state', 'owner', 'lane', 'deadline_seconds',
    'answer_key')
local state, owner = held[1], held[2]
if not state or over(state) then return false end
if state == 'STARTED' and owner and owner ~= '' and owner ~= ARGV[3]
    and redis.call('EXISTS', ARGV[4] .. owner) == 1 then return false end
local deadline = held[4] and redis.call('ZSCORE', 'petiole:deadlines', ARGV[1])
if deadline and tonumber(deadline) < now then
    leave(KEYS[1], ARGV[1], KEYS[2])
    redis.call('HSET', KEYS[1], 'state', 'RETRY', 'owner', '')
    redis.call('HINCRBY', KEYS[1], 'fence', 1)
    redis.call('ZADD', 'petiole:open:' .. held[3], now, ARGV[1])
    return redis.call('HGETALL', KEYS[1])
end
return start(KEYS[1], ARGV[1], KEYS[2], held[3], held[5], ARGV[2], ARGV[3], now)
"""

# The next message of the first lane that has one, as a worker takes it. One whose job is no new one
# (started before, over, late, unknown) goes back to where it was, for a worker to look into; so
# does one that another program sent (`envelopes.OWN`), with whose end its links are to be called.
_TAKE = """
local function take(lanes, started, stage, owner, before, now)
    for lane in string.gmatch(lanes, '[^ ]+') do
        local message = redis.call('RPOP', lane)
        if message then
            local task_id = string.match(message, '"id": "([%x-]+)"')
            local job = 'petiole:job:' .. (task_id or '')
            local held = redis.call('HMGET', job, 'state', 'lane', 'deadline_seconds', 'answer_key')
            local deadline = held[3] and redis.call('ZSCORE', 'petiole:deadlines', task_id)
            local is_late = deadline and tonumber(deadline) < now
            local is_own = string.find(message, '"petiole": "own"', 1, true)
            if is_own and held[1] == 'PENDING' and held[2] == lane and not is_late then
                redis.call('HSET', job, 'before', before)
                return start(job, task_id, started, lane, held[4], stage, owner, now)
            end
            redis.call('RPUSH', lane, message)
            return false
        end
    end
    return false
end
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
# What was lost first is said until the job is claimed, not that its next message was lost as well.
# KEYS: job, the lane's open jobs, started, the queue's list (or nothing).
# ARGV: task id, fence, message, how many seconds a waiting job must have been queued.
SEND_AGAIN = f"""
{_OVER} {_TIME}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence', 'resent_at', 'resent_after')
if not job[1] or over(job[1]) or (job[2] or '0') ~= ARGV[2] then return 0 end
local since = redis.call('ZSCORE', KEYS[2], ARGV[1])
if job[1] ~= 'STARTED' and since and tonumber(since) > now - ARGV[4] then return 0 end
local lost_since = redis.call('ZSCORE', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('HINCRBY', KEYS[1], 'resent', 1)
local is_said = (tonumber(job[3] or '') or 0) > 0 and job[4] == ARGV[2]
if job[1] == 'STARTED' or not is_said then
    redis.call('HSET', KEYS[1], 'resent_at', string.format('%.6f', now), 'resent_after', ARGV[2],
        'lost_since', lost_since or 0)
end
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
# spaces), fence (or nothing), Celery's result (or nothing) and its seconds to live, the seconds to
# live of a promise to tell of the end, lanes to take the next job from (separated by spaces; or
# nothing), the stage and the owner that start it, the answer that is to be kept (or nothing), then
# pairs of a count's name and its amount.
# Returns the state before, and the record of the next job.
FINISH = f"""
{_TIME} {_LEAVE} {ENDED} {DRAINED} {LIST} {PROMISED} {_START} {_TAKE} {KEEP}
local job = redis.call('HMGET', KEYS[1], 'state', 'fence', 'lane', 'webhook_url')
local state = job[1]
if not state or not string.find(ARGV[7], state, 1, true) then return {{state}} end
if ARGV[8] ~= '' and job[2] ~= ARGV[8] then return {{'STALE'}} end
leave(KEYS[1], ARGV[6], KEYS[5])
if job[3] and job[3] ~= '' then
    ended(ARGV[6])
    if state == 'STARTED' and ARGV[1] ~= 'REVOKED' then drained(job[3], now) end
    if ARGV[1] == 'FAILURE' then list(FAILED, ARGV[6], now) end
end
redis.call('HSET', KEYS[1], 'state', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if ARGV[9] ~= '' then
    redis.call('SET', KEYS[4], ARGV[9], 'EX', ARGV[10])
    redis.call('PUBLISH', KEYS[4], ARGV[9])
end
if job[4] and job[4] ~= '' then promised(ARGV[6], job[4], ARGV[2], now, ARGV[11]) end
if ARGV[15] ~= '' then keep(ARGV[15], ARGV[6], now) end
for i = 16, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. ARGV[2])
return {{state, ARGV[12] ~= '' and take(ARGV[12], KEYS[5], ARGV[13], ARGV[14], ARGV[6], now)}}
"""
