-- Buckets as Redis holds them: one string a key, packed big-endian, begun with a letter for the algorithm and the
-- numbers that it was written under, so that a later change of those carries over what was used.
--   T max:4 capacity:4 window:7 TAT:7 numerator:4                       27 bytes
--   F max:4 window:7 start:7 used:5                                     24 bytes
--   S max:4 window:7 first:7 newest:7 units:5 total:5 base:7 last:7 and the packed older entries
-- A call reads each key once, decides on what it keeps here, and writes each changed key once, always with its TTL.

local pack, unpack = struct.pack, struct.unpack

local buckets = {}

local function decodeBucket (bucket, stored)
  local tag = sub(stored, 1, 1)
  if tag == 'T' then
    bucket.algorithm = TOKEN_BUCKET
    bucket.max, bucket.capacity, bucket.windowUs, bucket.timeUs, bucket.count = unpack('>I4I4I7I7I4', stored, 2)
  elseif tag == 'F' then
    bucket.algorithm = FIXED_WINDOW
    bucket.max, bucket.windowUs, bucket.timeUs, bucket.count = unpack('>I4I7I7I5', stored, 2)
    bucket.capacity = bucket.max
  elseif tag == 'S' then
    local log, body = {}, nil
    bucket.algorithm = SLIDING_WINDOW
    bucket.max, bucket.windowUs, log.firstUs, log.newestUs, log.newestUnits, log.total, log.baseUs, log.lastUs, body =
      unpack('>I4I7I7I7I5I5I7I7', stored, 2)
    log.body = sub(stored, body)
    bucket.capacity = bucket.max
    bucket.log = log
  end
end

local function readBucket (key)
  local bucket = buckets[key]
  if bucket then return bucket end
  local stored = redis.pcall('GET', key)
  bucket = { key = key, timeUs = 0, count = 0 }
  if type(stored) == 'table' then
    bucket.err = stored.err
  elseif stored then
    decodeBucket(bucket, stored)
  end
  buckets[key] = bucket
  return bucket
end

-- Read a bucket that was written under other numbers, or by another algorithm, as one of this quota.
local function carryBucket (bucket, quota, nowUs)
  if quota.max == 0 then return end
  if bucket.max == nil then
    -- Absent: nothing to carry.
  elseif bucket.algorithm ~= quota.algorithm then
    local written = quotaOf(bucket.algorithm, bucket.max, bucket.windowUs, bucket.capacity)
    local used = written.capacity - assess(written, bucket, 0, nowUs).remaining
    bucket.timeUs, bucket.count, bucket.log = 0, 0, nil
    local verdict = charge(quota, bucket, min(used, quota.capacity), nowUs)
    bucket.timeUs, bucket.count, bucket.log = verdict.timeUs or 0, verdict.count or 0, verdict.log
  elseif bucket.max ~= quota.max or bucket.windowUs ~= quota.windowUs or bucket.capacity ~= quota.capacity then
    if quota.algorithm == TOKEN_BUCKET then
      bucket.timeUs, bucket.count = carryTokenBucket(bucket, quota, bucket.timeUs, bucket.count, nowUs)
    elseif quota.algorithm == FIXED_WINDOW then
      bucket.timeUs, bucket.count = carryFixedWindow(bucket, quota, bucket.timeUs, bucket.count, nowUs)
    elseif bucket.log then
      bucket.log = carryGrantLog(bucket, quota, bucket.log, nowUs)
    end
  end
  bucket.algorithm, bucket.max, bucket.windowUs, bucket.capacity = quota.algorithm, quota.max, quota.windowUs, quota.capacity
end

local function encodeBucket (bucket)
  if bucket.algorithm == TOKEN_BUCKET then
    return 'T' .. pack('>I4I4I7I7I4', bucket.max, bucket.capacity, bucket.windowUs, bucket.timeUs, bucket.count)
  end
  if bucket.algorithm == FIXED_WINDOW then
    return 'F' .. pack('>I4I7I7I5', bucket.max, bucket.windowUs, bucket.timeUs, bucket.count)
  end
  local log = bucket.log
  return 'S' .. pack('>I4I7I7I7I5I5I7I7', bucket.max, bucket.windowUs,
    log.firstUs, log.newestUs, log.newestUnits, log.total, log.baseUs, log.lastUs) .. log.body
end

-- Until nothing is used any more; 0 or less: the bucket says no more than an absent one.
local function lifeUs (bucket, nowUs)
  if bucket.algorithm == TOKEN_BUCKET then return bucket.timeUs - nowUs + (bucket.count > 0 and 1 or 0) end
  if bucket.algorithm == FIXED_WINDOW then return bucket.count == 0 and 0 or bucket.timeUs + bucket.windowUs - nowUs end
  return bucket.log and bucket.log.newestUs + bucket.windowUs - nowUs or 0
end

-- Take over the state that an algorithm left; written once, at the end of the call.
local function changeBucket (bucket, verdict)
  bucket.timeUs, bucket.count, bucket.log = verdict.timeUs, verdict.count, verdict.log
  bucket.isChanged = true
end

-- Keys live marginMs longer than their buckets: 1, for Redis cuts the time off to milliseconds; more where a test brings
-- a time of its own. Answers the error text of the first write that failed, or nil.
local function writeBuckets (nowUs, marginMs)
  local err
  for key, bucket in pairs(buckets) do
    if bucket.isChanged then
      local life = lifeUs(bucket, nowUs)
      local reply
      if life > 0 then
        reply = redis.pcall('SET', key, encodeBucket(bucket), 'PX', ceil(life / 1000) + marginMs)
      else
        reply = redis.pcall('DEL', key)
      end
      if type(reply) == 'table' and reply.err then
        bucket.err = reply.err
        err = err or reply.err
      end
    end
  end
  return err
end
