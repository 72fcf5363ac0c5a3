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

-- A key that was not charged is written only where its state must not be read again: one that the clock, stepping back,
-- left in the future (each refusal would begin the wait anew), one of other numbers (it drains at another pace than the
-- stated wait), and a key that lost its TTL.
local function mend (quota, bucket, verdict)
  if bucket.isChanged then return end
  local isAhead = quota.algorithm ~= SLIDING_WINDOW and bucket.timeUs > verdict.timeUs
  if quota.max > 0 and bucket.max ~= nil and (verdict.isBroughtBack or isAhead or bucket.isCarried) then
    changeBucket(bucket, verdict, 0)
  elseif redis.pcall('PTTL', bucket.key) == -1 then
    bucket.isChanged = true
  end
end

local function commit (one)
  local quota, bucket, cost, verdict = one.quota, one.bucket, one.cost, one.verdict
  if cost == 0 then
    mend(quota, bucket, verdict)
  else
    if quota.algorithm == SLIDING_WINDOW then verdict.log = appendGrant(quota, bucket.log, cost, nowUs) end
    changeBucket(bucket, verdict, cost)
  end
end

-- Nothing was taken: the limit stands as it did. One that grants stays granted, even in debt.
local function restate (one)
  local standing = assess(one.quota, one.bucket, 0, nowUs)
  one.verdict.remaining, one.verdict.resetUs = standing.remaining, standing.resetUs
  return standing
end

local function assessCharge (quota, bucket, cost)
  -- No units are of such a limit; those of another version of it are not to be read as its own.
  if quota.max == 0 then return assess(quota, { timeUs = 0, count = 0 }, cost, nowUs) end
  carryBucket(bucket, quota, nowUs)
  return assess(quota, bucket, cost, nowUs)
end

local function settleCheck (charges, isGranted)
  for i = 1, #charges do
    local one = charges[i]
    one.isCharged = one.verdict.granted and (isGranted or one.quota.isShadow == 1)
    if one.isCharged then
      commit(one)
    elseif one.verdict.granted then
      mend(one.quota, one.bucket, restate(one))
    else
      mend(one.quota, one.bucket, one.verdict)
    end
  end
end

-- What charge i and those before it take from its bucket: enforced ones go first, in their order, then shadow ones.
local function unitsTogether (charges, i, isGranted)
  local one = charges[i]
  local isShadow, units = one.quota.isShadow == 1, one.cost
  for j = 1, #charges do
    local other = charges[j]
    local isBefore = j < i
    if other.quota.isShadow == 1 then
      isBefore = isShadow and isBefore and other.verdict.granted
    elseif isShadow then
      isBefore = isGranted
    end
    if j ~= i and isBefore and other.bucket == one.bucket then units = units + other.cost end
  end
  return units
end

-- The same for a check that charges a bucket more than once. Twin: takeAll in lib/stores/memory/take-all.ts.
local function settleShared (charges)
  local isGranted = true
  for isShadow = 0, 1 do
    for i = 1, #charges do
      local one = charges[i]
      if one.quota.isShadow == isShadow then
        one.verdict = assessCharge(one.quota, one.bucket, unitsTogether(charges, i, isGranted))
        if isShadow == 0 and not one.verdict.granted then isGranted = false end
      end
    end
  end
  for isShadow = 0, 1 do
    for i = 1, #charges do
      local one = charges[i]
      if one.quota.isShadow == isShadow then
        carryBucket(one.bucket, one.quota, nowUs)
        one.isCharged = one.verdict.granted and (isGranted or isShadow == 1)
        if one.isCharged then commit(one) end
      end
    end
  end
  for i = 1, #charges do
    local one = charges[i]
    if one.quota.max > 0 then
      carryBucket(one.bucket, one.quota, nowUs)
      mend(one.quota, one.bucket, restate(one))
    end
  end
end

local function readCheck ()
  local charges, size, isGranted, isBroken, isShared = {}, 0, true, false, false
  size, position = unpack('>I1', checks, position)
  for i = 1, size do
    local limitIndex, cost
    limitIndex, cost, position = unpack('>I2I7', checks, position)
    keyIndex = keyIndex + 1
    local quota, bucket = limits[limitIndex], readBucket(KEYS[keyIndex])
    local one = { quota = quota, bucket = bucket, cost = cost }
    if bucket.err then isBroken = true else one.verdict = assessCharge(quota, bucket, cost) end
    if quota.isShadow == 0 and one.verdict and not one.verdict.granted then isGranted = false end
    if bucket.charges == charges then isShared = true end
    bucket.charges = charges
    charges[i] = one
    answers[#answers + 1] = one
  end
  return charges, isGranted, isBroken, isShared
end

while position <= #checks do
  local charges, isGranted, isBroken, isShared = readCheck()
  if isBroken then
    -- Its own answer says so; nothing is charged.
  elseif isShared then
    settleShared(charges)
  else
    settleCheck(charges, isGranted)
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
