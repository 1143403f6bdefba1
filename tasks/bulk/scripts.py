"""State changes of bulks as Lua: what a pack ends with counts once, whatever is killed.

Jobs of packs wait in the ledger's lane `bulk` and are claimed like all others; they are in no sum
that single pictures are admitted or estimated by.
"""

_OVER = """
local function over(state) return state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED' end
local function is_open(bulk)
    local state = redis.call('HGET', bulk, 'state')
    return state and not over(state)
end
"""

_TIME = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
"""

# KEYS: job, the lane's open jobs, started, what is out. ARGV: fence (or nothing), pack's id,
# seconds to live. Tells whether the job was open, and in the hands that say so.
_LEAVE = """
local function leave()
    local job = redis.call('HMGET', KEYS[1], 'state', 'fence')
    if not job[1] or over(job[1]) then return false end
    if ARGV[1] ~= '' and job[2] ~= ARGV[1] then return false end
    redis.call('ZREM', KEYS[2], ARGV[2])
    redis.call('ZREM', KEYS[3], ARGV[2])
    redis.call('SREM', KEYS[4], ARGV[2])
    redis.call('HSET', KEYS[1], 'state', 'SUCCESS', 'owner', '')
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    return true
end
"""

# What is left of a bulk that is over lives for a while. KEYS from 5: bulk, packs, results, pace,
# open bulks.
_END = """
local function ended(state, lives, bulk_id, now)
    redis.call('HSET', KEYS[5], 'state', state, 'over_at', string.format('%.3f', now))
    redis.call('HDEL', KEYS[9], bulk_id)
    redis.call('DEL', KEYS[6], KEYS[8])
    redis.call('EXPIRE', KEYS[5], lives)
    redis.call('EXPIRE', KEYS[7], lives)
end
"""

# KEYS: bulk, packs, open bulks. ARGV: id, bytes, most open bulks, their most bytes, seconds to
# live, the first pack, then names and values of the record.
OPEN = """
local total = 0
for _, size in ipairs(redis.call('HVALS', KEYS[3])) do total = total + size end
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then return 'MANY' end
if total + ARGV[2] > tonumber(ARGV[4]) then return 'LARGE' end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 7))
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('RPUSH', KEYS[2], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 'OPEN'
"""

# KEYS: bulk, packs, out. ARGV: how many may be out.
NEXT = f"""
{_OVER}
if not is_open(KEYS[1]) or redis.call('HGET', KEYS[1], 'is_paused') == '1' then return false end
if redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[1]) then return false end
return redis.call('LINDEX', KEYS[2], 0)
"""

# A job that was put back goes on with its fence: who claimed it before counts no more.
# KEYS: bulk, packs, out, job, the lane's open jobs, the queue's list (or nothing), the pack.
# ARGV: the pack, its id, message, seconds to live, then names and values of the job.
RELEASE = f"""
{_OVER} {_TIME}
if not is_open(KEYS[1]) or redis.call('HGET', KEYS[1], 'is_paused') == '1' then return 0 end
if redis.call('LINDEX', KEYS[2], 0) ~= ARGV[1] then return 0 end
redis.call('LPOP', KEYS[2])
redis.call('SADD', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[4])
redis.call('HSET', KEYS[7], 'pack', ARGV[1])
redis.call('EXPIRE', KEYS[7], ARGV[4])
redis.call('HSET', KEYS[4], unpack(ARGV, 5))
redis.call('EXPIRE', KEYS[4], ARGV[4])
redis.call('ZADD', KEYS[5], now, ARGV[2])
if KEYS[6] ~= '' then redis.call('LPUSH', KEYS[6], ARGV[3]) end
return 1
"""

# KEYS: job, started, out, packs. ARGV: fence, the pack's id, the pack.
PUT_BACK = """
local job = redis.call('HMGET', KEYS[1], 'state', 'fence', 'stage')
if job[1] ~= 'STARTED' or job[2] ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('SREM', KEYS[3], ARGV[2])
redis.call('LPUSH', KEYS[4], ARGV[3])
redis.call('HINCRBY', KEYS[1], 'attempts:' .. job[3], -1)
redis.call('HSET', KEYS[1], 'state', 'RETRY', 'owner', '')
return 1
"""

# KEYS: job, the lane's open jobs, started, out, bulk, packs, what the listing found, the pack.
# ARGV: fence, the pack's id, seconds to live, total, packs, body, the bulk's seconds to live, its
# index.
END_LISTING = f"""
{_OVER} {_TIME} {_LEAVE}
if not leave() then return 0 end
redis.call('DEL', KEYS[8])
if not is_open(KEYS[5]) then return 0 end
redis.call('RENAME', KEYS[7], KEYS[6])
redis.call('EXPIRE', KEYS[6], ARGV[7])
redis.call('HSET', KEYS[5], 'state', 'STARTED', 'total', ARGV[4], 'packs', ARGV[5],
    'body', ARGV[6], 'index', ARGV[8])
return 1
"""

# KEYS: as above and then results, pace, open bulks, the pack. ARGV: fence (or nothing), the pack's
# id, seconds to live, entry, succeeded, failed, the bulk's id, its seconds to live while it is open
# and once it is over, how much of its pace is kept.
END_PACK = f"""
{_OVER} {_TIME} {_LEAVE} {_END}
if not leave() then return 0 end
redis.call('DEL', KEYS[10])
if not is_open(KEYS[5]) then return 0 end
redis.call('RPUSH', KEYS[7], ARGV[4])
redis.call('HINCRBY', KEYS[5], 'succeeded', ARGV[5])
redis.call('HINCRBY', KEYS[5], 'failed', ARGV[6])
redis.call('LPUSH', KEYS[8], string.format('%.3f', now) .. ' ' .. (ARGV[5] + ARGV[6]))
redis.call('LTRIM', KEYS[8], 0, ARGV[10] - 1)
local done = redis.call('HINCRBY', KEYS[5], 'packs_done', 1)
for i = 5, 8 do redis.call('EXPIRE', KEYS[i], ARGV[8]) end
if done >= tonumber(redis.call('HGET', KEYS[5], 'packs')) then
    ended('SUCCESS', ARGV[9], ARGV[7], now)
end
return 1
"""

# KEYS: as for `leave`, then the pack. ARGV: as for `leave`.
DROP_PACK = f"""
{_OVER} {_LEAVE}
if not leave() then return 0 end
redis.call('DEL', KEYS[5])
return 1
"""

# KEYS: as for END_PACK. ARGV: the bulk's id, state, problem, seconds to live.
END = f"""
{_OVER} {_TIME} {_END}
if not is_open(KEYS[5]) then return 0 end
redis.call('HSET', KEYS[5], 'error', ARGV[3])
ended(ARGV[2], ARGV[4], ARGV[1], now)
return 1
"""

# KEYS: bulk. ARGV: 1 or 0.
PAUSE = f"""
{_OVER}
if not is_open(KEYS[1]) then return 0 end
redis.call('HSET', KEYS[1], 'is_paused', ARGV[1])
return 1
"""

# Whoever gets this far with a pack has explained the starts before: what is counted from here on
# are the starts of this picture. KEYS: job, the pack. ARGV: fence, number of the picture.
# Returns how often it was begun before, or -1 for a claim that counts no more.
BEGIN_PICTURE = """
local job = redis.call('HMGET', KEYS[1], 'fence', 'state', 'stage')
if job[1] ~= ARGV[1] or job[2] ~= 'STARTED' then return -1 end
redis.call('HSET', KEYS[1], 'attempts', 1, 'attempts:' .. job[3], 1)
return redis.call('HINCRBY', KEYS[2], 'begun:' .. ARGV[2], 1) - 1
"""
