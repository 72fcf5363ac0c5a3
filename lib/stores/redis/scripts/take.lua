-- Decide a batch of checks, each of one or more charges; a check's enforced limits are charged all or none, and each
-- shadow limit by itself.
--   KEYS     the bucket of each charge, in order
--   ARGV[1]  the distinct limits of the batch, see call.lua
--   ARGV[2]  the checks, packed: number of charges:1, then for each its limit's number:2 and cost:7
-- Replies { packed, err }: the time:7, then for each charge state:1 remaining:7 resetUs:7 retryUs:7.
--   state    bit 0 granted, bit 1 charged, bit 2 the bucket could not be read or written
--   retryUs  2^53 - 1: never
-- Twin: MemoryStore.take.

local NEVER = 9007199254740991

local checks = ARGV[2]
local answers, keyIndex, position = {}, 0, 1

local function assessCharge (quota, bucket, cost)
  carryBucket(bucket, quota, nowUs)
  return assess(quota, bucket, cost, nowUs)
end

local function commit (quota, bucket, cost, verdict)
  if quota.algorithm == SLIDING_WINDOW then verdict.log = appendGrant(quota, bucket.log, cost, nowUs) end
  if cost > 0 then changeBucket(bucket, verdict) end
end

-- A refusal writes nothing but what must not be read again: a state that the clock, stepping back, left in the future
-- (each refusal would begin the wait anew), and a key that lost its TTL.
local function mend (quota, bucket, verdict)
  if bucket.isChanged or quota.max == 0 then return end
  local isAhead = quota.algorithm ~= SLIDING_WINDOW and bucket.timeUs > verdict.timeUs
  if verdict.isBroughtBack or isAhead then
    changeBucket(bucket, verdict)
  elseif lifeUs(bucket, nowUs) > 0 and redis.pcall('PTTL', bucket.key) == -1 then
    bucket.isChanged = true
  end
end

while position <= #checks do
  local size
  size, position = unpack('>I1', checks, position)
  local charges, isGranted, isBroken = {}, true, false
  for i = 1, size do
    local limitIndex, cost
    limitIndex, cost, position = unpack('>I2I7', checks, position)
    keyIndex = keyIndex + 1
    local quota, bucket = limits[limitIndex], readBucket(KEYS[keyIndex])
    local one = { quota = quota, bucket = bucket, cost = cost }
    if bucket.err then isBroken = true else one.verdict = assessCharge(quota, bucket, cost) end
    if quota.isShadow == 0 and one.verdict and not one.verdict.granted then isGranted = false end
    charges[i] = one
  end
  for i = 1, size do
    local one = charges[i]
    local verdict = one.verdict
    if not isBroken then
      one.isCharged = verdict.granted and (isGranted or one.quota.isShadow == 1)
      if one.isCharged then
        commit(one.quota, one.bucket, one.cost, verdict)
      elseif verdict.granted then
        -- Another limit refused: this one was not charged and stands as it did.
        local standing = assess(one.quota, one.bucket, 0, nowUs)
        verdict.remaining, verdict.resetUs = standing.remaining, standing.resetUs
      else
        mend(one.quota, one.bucket, verdict)
      end
    end
    answers[#answers + 1] = one
  end
end

local err = writeBuckets(nowUs, marginMs)
local parts = { pack('>I7', nowUs) }
for i = 1, #answers do
  local one = answers[i]
  local verdict = one.verdict
  if verdict == nil or one.bucket.err then
    parts[#parts + 1] = pack('>I1I7I7I7', 4, 0, 0, 0)
    err = err or one.bucket.err
  else
    local state = (verdict.granted and 1 or 0) + (one.isCharged and 2 or 0)
    parts[#parts + 1] = pack('>I1I7I7I7', state, verdict.remaining, verdict.resetUs, verdict.retryUs or NEVER)
  end
end
return { table.concat(parts), err or '' }
