"""Answers that are kept, as parts of the scripts that begin, start, end and forget jobs.

An answer is a hash, which expires. A sorted set has all of them by the time they were made, and a
hash their sizes, so that the oldest make room. Who works on a picture whose answer is to be kept is
named by a key of its own; that it still does is seen in its record and its readiness.
"""

from typing import Final

from tasks.job_stores.webhook_scripts import PROMISED

ANSWER, ANSWERING = "petiole:answer:", "petiole:answering:"
ANSWERS, ANSWER_SIZES = "petiole:answers", "petiole:answer-bytes"
ANSWERING_SECONDS: Final = 120
"""Longer than any picture is worked on."""

MOST_DROPPED = 100
"""Answers that make room at once, so that no script takes long."""

_DROP = f"""
local function drop_answer(key)
    redis.call('ZREM', '{ANSWERS}', key)
    local size = redis.call('HGET', '{ANSWER_SIZES}', key)
    if size then
        redis.call('HDEL', '{ANSWER_SIZES}', key)
        redis.call('HINCRBY', '{ANSWER_SIZES}', 'total', -size)
    end
    redis.call('DEL', '{ANSWER}' .. key)
end
"""

# Of the script that ends a job, with what is to be kept as JSON. All live equally long, so the
# oldest one is also the first that is over.
KEEP = f"""
{_DROP}
local function keep(text, task_id, now)
    local new = cjson.decode(text)
    drop_answer(new.key)
    redis.call('HSET', '{ANSWER}' .. new.key, 'model', new.model, 'found', new.found,
        'further', new.further, 'made_at', string.format('%.3f', now), 'source', task_id)
    redis.call('ZADD', '{ANSWERS}', now, new.key)
    redis.call('HSET', '{ANSWER_SIZES}', new.key, new.bytes)
    redis.call('HINCRBY', '{ANSWER_SIZES}', 'total', new.bytes)
    for _, key in ipairs({{'{ANSWER}' .. new.key, '{ANSWERS}', '{ANSWER_SIZES}'}}) do
        redis.call('EXPIRE', key, new.seconds)
    end
    for _ = 1, {MOST_DROPPED} do
        local oldest = redis.call('ZRANGE', '{ANSWERS}', 0, 0, 'WITHSCORES')
        local total = tonumber(redis.call('HGET', '{ANSWER_SIZES}', 'total') or 0)
        if not oldest[1] then return end
        if total <= new.most_bytes and oldest[2] + new.seconds > now then return end
        drop_answer(oldest[1])
    end
end
"""

# Of the script that forgets a job: what its client left goes too, and nobody else's.
FORGOTTEN = f"""
{_DROP}
local function forget_answer(job, key, task_id)
    if not key or key == '' then return end
    redis.call('HDEL', job, 'answer_key')
    if redis.call('HGET', '{ANSWER}' .. key, 'source') == task_id then drop_answer(key) end
end
"""

# Of the scripts that start a job: what is known of its answer is added to its record. The first one
# that is started works on the picture, the others are told of it for as long as it does.
KNOWN = f"""
local function known(record, key, task_id)
    local kept = redis.call('HMGET', '{ANSWER}' .. key, 'model', 'found', 'further')
    if kept[1] then
        record[#record + 1] = 'answer'
        record[#record + 1] = '{{' .. kept[1] .. ', ' .. kept[2] .. kept[3] .. '}}'
        return record
    end
    local first = redis.call('GET', '{ANSWERING}' .. key)
    if first and first ~= task_id then
        local held = redis.call('HMGET', 'petiole:job:' .. first, 'state', 'owner')
        local owner = 'petiole:ready:' .. (held[2] or '')
        if held[1] == 'STARTED' and redis.call('EXISTS', owner) == 1 then
            record[#record + 1] = 'behind'
            record[#record + 1] = first
            return record
        end
    end
    redis.call('SET', '{ANSWERING}' .. key, task_id, 'EX', {ANSWERING_SECONDS})
    return record
end
"""

# ARGV: what the answer depends on, task id. Returns names and values of what is known.
LOOK_AGAIN = f"""
{KNOWN}
return known({{}}, ARGV[1], ARGV[2])
"""

# Ends a new job before it begins, with an answer that is there. What comes so late that its client
# has given up, or after it was taken back, is not done.
# KEYS: answer, job, document, counts, Celery's result (or nothing), the client's key (or nothing),
# discarded mark, who collects pictures of the model.
# ARGV: task id, seconds that the document lives, the record's, when it is too late, digest of the
# request, the key's seconds to live, those of a promise to tell of the end, three parts of the
# document, what is before and after it in Celery's result, address that is told (or nothing), name
# of a miss, how many words the counts are, then these, then names and values of the record.
RECALL = f"""
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
{PROMISED}
if KEYS[6] ~= '' then
    local earlier = redis.call('HMGET', KEYS[6], 'digest', 'task_id')
    if earlier[1] and earlier[1] ~= ARGV[5] then return {{'REUSED'}} end
    if earlier[1] then
        redis.call('HSET', KEYS[6], 'shared', 1)
        return {{'EARLIER', earlier[2]}}
    end
end
if now > tonumber(ARGV[4]) or redis.call('EXISTS', KEYS[7], KEYS[8]) > 0 then
    return {{'UNWANTED'}}
end
local kept = redis.call('HMGET', KEYS[1], 'model', 'found', 'further', 'made_at')
if not kept[1] then
    redis.call('HINCRBY', KEYS[4], ARGV[14], 1)
    return {{'MISS'}}
end
local document = ARGV[8] .. kept[1] .. ARGV[9] .. kept[2] .. ARGV[10] .. kept[3] .. '}}'
local last = 15 + ARGV[15]
for i = 16, last, 2 do redis.call('HINCRBY', KEYS[4], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[2], unpack(ARGV, last + 1))
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[3], document, 'EX', ARGV[2])
if KEYS[5] ~= '' then
    redis.call('SET', KEYS[5], ARGV[11] .. document .. ARGV[12], 'EX', ARGV[2])
end
if KEYS[6] ~= '' then
    redis.call('HSET', KEYS[6], 'digest', ARGV[5], 'task_id', ARGV[1])
    redis.call('EXPIRE', KEYS[6], ARGV[6])
end
if ARGV[13] ~= '' then promised(ARGV[1], ARGV[13], document, now, ARGV[7]) end
return {{'HIT', document, tostring(now - kept[4])}}
"""

# Returns how many answers are kept, and their bytes together.
KEPT_NOW = f"""
return {{redis.call('ZCARD', '{ANSWERS}'), redis.call('HGET', '{ANSWER_SIZES}', 'total') or 0}}
"""
