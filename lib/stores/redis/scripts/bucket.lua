-- Buckets as stored in Redis: one string per key, packed big-endian. It starts with a letter for the algorithm and the
-- numbers of the limit. When those numbers change, used units can be carried over.
--   T max:4 capacity:4 window:7 TAT:7 numerator:4                       27 bytes
--   F max:4 window:7 start:7 used:5                                     24 bytes
--   S max:4 window:7 first:7 newest:7 units:5 total:5 base:7 last:7 and the packed older entries
--   C max:4 window:7 end:7 used:5                                       24 bytes, a calendar window
--   U time:7 units:8 max:4 window:7, the overuse, units a double, and then the bucket as above
-- So while two versions of a limit are in use, units above the smaller capacity are not granted again by the larger one.
--   U slotEnd:7 -0.0:8 grid:4 version:1 apart:3 apartNext:3, the leases, and then the bucket of type T as above, or U and T
-- A version without leases reads these as an overuse of 0 units, and drops them when it writes. Its decisions are by the TAT,
-- which counts leased units as used.
-- A call reads each key once and decides on the copy in this table. It writes each changed key once, always with its TTL.

local pack, unpack = struct.pack, struct.unpack
local leases = loadLeases()

local buckets = {}

-- Twin: MAX_BACKLOG_US in lib/algorithms/quota.ts.
local MAX_WINDOW_US = 1125899906842624

-- Fails if no version of this library can have written the value. A failure outside of pcall would fail every check of the
-- call, and so would a number in the reply that is out of its range.
local function decodeState (bucket, stored)
  local tag, position = sub(stored, 1, 1), nil
  if tag == 'T' then
    bucket.algorithm = TOKEN_BUCKET
    bucket.max, bucket.capacity, bucket.windowUs, bucket.timeUs, bucket.count, position = unpack('>I4I4I7I7I4', stored, 2)
    assert(bucket.count <= bucket.max)
  elseif tag == 'F' then
    bucket.algorithm = FIXED_WINDOW
    bucket.max, bucket.windowUs, bucket.timeUs, bucket.count, position = unpack('>I4I7I7I5', stored, 2)
    bucket.capacity = bucket.max
  elseif tag == 'C' then
    bucket.algorithm = CALENDAR_WINDOW
    bucket.max, bucket.windowUs, bucket.timeUs, bucket.count, position = unpack('>I4I7I7I5', stored, 2)
    bucket.capacity = bucket.max
  elseif tag == 'S' then
    local log = {}
    bucket.algorithm = SLIDING_WINDOW
    bucket.max, bucket.windowUs, log.firstUs, log.newestUs, log.newestUnits, log.total, log.baseUs, log.lastUs, position =
      unpack('>I4I7I7I7I5I5I7I7', stored, 2)
    log.body = sub(stored, position)
    position = #stored + 1
    bucket.capacity = bucket.max
    if log.total > 0 or log.body ~= '' then
      assert(isLog(log))
      bucket.log = log
    end
  end
  assert(position == #stored + 1 and bucket.windowUs > 0 and bucket.windowUs <= MAX_WINDOW_US and bucket.timeUs < MAX_SAFE_INTEGER)
  return bucket
end

-- Returns the rest of the value.
local function decodeLeases (bucket, stored)
  assert(leases.decode(bucket, stored))
  local rest = sub(stored, 28)
  local tag = sub(rest, 1, 1)
  assert(tag == 'T' or (tag == 'U' and not leases.isStored(rest) and sub(rest, 28, 28) == 'T'))
  return rest
end

local function decodeBucket (bucket, stored)
  if leases.isStored(stored) then stored = decodeLeases(bucket, stored) end
  if sub(stored, 1, 1) == 'U' then
    local overuse = {}
    overuse.atUs, overuse.units, overuse.max, overuse.windowUs = unpack('>I7dI4I7', stored, 2)
    assert(overuse.atUs < MAX_SAFE_INTEGER and overuse.units >= 0 and overuse.units <= MAX_UNITS and overuse.max > 0)
    assert(overuse.windowUs <= MAX_WINDOW_US and overuse.units / overuse.max * overuse.windowUs <= MAX_SAFE_INTEGER)
    bucket.overuse = overuse
    stored = sub(stored, 28)
  end
  return decodeState(bucket, stored)
end

local function readBucket (key)
  local bucket = buckets[key]
  if bucket then return bucket end
  local stored = redis.pcall('GET', key)
  bucket = { key = key, timeUs = 0, count = 0 }
  if type(stored) == 'table' then
    bucket.err = stored.err
  elseif stored and not pcall(decodeBucket, bucket, stored) then
    -- A damaged value counts as absent. It is replaced or deleted, for it may have no TTL.
    bucket, hasDamage = { key = key, timeUs = 0, count = 0, isChanged = true }, true
  end
  buckets[key] = bucket
  return bucket
end

local NO_GRANTS = { firstUs = 0, newestUs = 0, newestUnits = 0, total = 0, baseUs = 0, lastUs = 0, body = '' }

local function encodeBucket (bucket)
  local overuse, prefix = bucket.overuse, bucket.slotEndUs and leases.encode(bucket) or ''
  if overuse then prefix = prefix .. 'U' .. pack('>I7dI4I7', overuse.atUs, overuse.units, overuse.max, overuse.windowUs) end
  if bucket.algorithm == TOKEN_BUCKET then
    return prefix .. 'T' .. pack('>I4I4I7I7I4', bucket.max, bucket.capacity, bucket.windowUs, bucket.timeUs, bucket.count)
  end
  if bucket.algorithm == CALENDAR_WINDOW then
    return prefix .. 'C' .. pack('>I4I7I7I5', bucket.max, bucket.windowUs, bucket.timeUs, bucket.count)
  end
  if bucket.algorithm == FIXED_WINDOW then
    return prefix .. 'F' .. pack('>I4I7I7I5', bucket.max, bucket.windowUs, bucket.timeUs, bucket.count)
  end
  local log = bucket.log or NO_GRANTS
  return prefix .. 'S' .. pack('>I4I7I7I7I5I5I7I7', bucket.max, bucket.windowUs,
    log.firstUs, log.newestUs, log.newestUnits, log.total, log.baseUs, log.lastUs) .. log.body
end

local function ownTtlUs (bucket, nowUs)
  if bucket.algorithm == TOKEN_BUCKET then return bucket.timeUs - nowUs + (bucket.count > 0 and 1 or 0) end
  if bucket.algorithm == FIXED_WINDOW then return bucket.count == 0 and 0 or bucket.timeUs + bucket.windowUs - nowUs end
  if bucket.algorithm == CALENDAR_WINDOW then return bucket.count == 0 and 0 or bucket.timeUs - nowUs end
  return bucket.log and bucket.log.newestUs + bucket.windowUs - nowUs or 0
end

-- Time until nothing is used any more.
local function usedTtlUs (bucket, nowUs)
  local ttlUs = ownTtlUs(bucket, nowUs)
  return bucket.overuse and max(ttlUs, overuseEndUs(bucket.overuse) - nowUs) or ttlUs
end

-- How long to keep a bucket. 0 or less: it is equal to an absent one.
local function bucketTtlUs (bucket, nowUs)
  local ttlUs = usedTtlUs(bucket, nowUs)
  return bucket.slotEndUs and max(ttlUs, leases.endUs(intervalOf(bucket), bucket) - nowUs) or ttlUs
end

local function isWrittenUnder (bucket, quota)
  return bucket.max == quota.max and bucket.windowUs == quota.windowUs and bucket.capacity == quota.capacity and
    bucket.algorithm == quota.algorithm
end

local function setState (bucket, state)
  bucket.timeUs, bucket.count, bucket.log = state.timeUs or 0, state.count or 0, state.log
end

-- Units stay leased under other numbers. They are used units of a limit that is no token bucket any more.
local function carryLeases (bucket, quota, nowUs)
  if not bucket.slotEndUs then return end
  if quota.algorithm ~= TOKEN_BUCKET then
    bucket.slotEndUs = nil
  else
    bucket.apart = min(bucket.apart, quota.capacity)
    bucket.apartNext = min(bucket.apartNext, quota.capacity - bucket.apart)
    leases.hold(quota, bucket, nowUs)
  end
end

-- Convert a bucket that another version of the limit wrote to this quota. Twin: convertBucket in lib/stores/memory/bucket.ts.
local function carryBucket (bucket, quota, nowUs)
  if quota.max == 0 then return end
  if isWrittenUnder(bucket, quota) then return leases.advance(quota, bucket, nowUs) end
  if bucket.max ~= nil then
    if bucket.slotEndUs then leases.advance(intervalOf(bucket), bucket, nowUs) end
    local used = countAtRisk(bucket, quota, bucket, nowUs)
    if bucket.algorithm ~= quota.algorithm then
      setState(bucket, { timeUs = nowUs })
      bucket.overuse = { atUs = nowUs, units = used, max = bucket.max, windowUs = bucket.windowUs }
    end
    if quota.algorithm == TOKEN_BUCKET then
      bucket.timeUs, bucket.count = carryTokenBucket(bucket, quota, bucket, nowUs)
    elseif quota.algorithm == FIXED_WINDOW then
      bucket.timeUs, bucket.count = carryFixedWindow(bucket, quota, bucket, nowUs)
    elseif quota.algorithm == CALENDAR_WINDOW then
      bucket.timeUs, bucket.count = carryCalendarWindow(bucket, quota, bucket, nowUs)
    else
      bucket.log = carryGrantLog(bucket, quota, bucket, nowUs)
    end
    bucket.overuse, bucket.isCarried = keepOveruse(bucket, quota, used, nowUs), true
    carryLeases(bucket, quota, nowUs)
  end
  bucket.algorithm, bucket.max, bucket.windowUs, bucket.capacity = quota.algorithm, quota.max, quota.windowUs, quota.capacity
end

-- Take over the result of an algorithm that used these units. The bucket is written once, at the end of the call.
local function changeBucket (bucket, result, units, nowUs)
  setState(bucket, result)
  bucket.isChanged = true
  if bucket.overuse and units ~= 0 then bucket.overuse = addToOveruse(bucket.overuse, units, nowUs) end
end

-- Write a key, or delete it if its TTL is 0 or less. A key lives marginMs longer than its TTL: 1, because Redis truncates
-- its clock to milliseconds, and more if a test sets the time. Returns the error text, or nil.
local function writeKey (key, kept, stored, ttlUs, marginMs)
  local reply
  if ttlUs > 0 then
    reply = redis.pcall('SET', key, stored, 'PX', ceil(ttlUs / 1000) + marginMs)
  else
    reply = redis.pcall('DEL', key)
  end
  if type(reply) ~= 'table' then return end
  kept.err = reply.err
  return reply.err
end

-- The error text of a call that replaced a damaged value, or nil. Its checks are answered.
local function describeDamage ()
  return hasDamage and 'DAMAGED a value was replaced' or nil
end

-- Returns the error text of a failed write, or nil.
local function writeBuckets (nowUs, marginMs)
  local err
  for key, bucket in pairs(buckets) do
    if bucket.isChanged then
      local ttlUs = bucketTtlUs(bucket, nowUs)
      err = writeKey(key, bucket, ttlUs > 0 and encodeBucket(bucket), ttlUs, marginMs) or err
    end
  end
  return err
end
