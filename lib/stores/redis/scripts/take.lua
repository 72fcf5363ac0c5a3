-- Decide a batch of checks, each of one or more charges. The enforced limits of a check are charged all or none, and each
-- shadow limit by itself. A check that a penalty blocks is charged nothing. A check that is refused adds a strike.
--   KEYS     the bucket of each charge, in order; each followed by the penalty state of its partition if its limit has a penalty
--   ARGV[1]  the distinct limits of the batch, see call.lua
--   ARGV[2]  the checks, packed: number of charges:1, then for each charge the number of its limit:2 and its cost:7;
--            of a concurrency limit, which is the last charge of its check, the report of the process: sequence:7 slots:4
--            instance:8, see concurrency.lua. Sequence 0: only a look, of cost 0;
--            with a penalty the strikes:4 that were not counted yet; and if 32768 was added to the number of the limit
--            a request for a lease: grid:4 want:4 soon:4 and two reports, each slotEnd:7 spent:4 returned:4
-- Returns { packed, err }: the time:7, then for each charge state:1 remaining:7 resetUs:7 retryUs:7 and the fields of state.
--   state    bit 0 granted, bit 1 charged, bit 2 the bucket could not be read or written, bit 3 delayUs:7 follows,
--            bit 4 the penalty blocks and blockedUs:7 follows, bit 5 this check started the block,
--            bit 6 a lease follows: units:7 lifeUs:7 slotEnd:7 and all leased units:7 of the bucket
--            A calendar window has two more fields before the lease, if bit 2 is not set: used units:7 and the end:7 of their period.
--   retryUs  2^53 - 1: never
-- If the time is in no period of a limit, nothing is charged, and the reply is the time alone with the text 'PERIOD'.
-- Twin: MemoryStore.take.

local NEVER = 9007199254740991
local LEASE_FLAG = 32768

if isOutOfPeriods then return { pack('>I7', nowUs), 'PERIOD' } end

local checks = ARGV[2]
local answers, keyIndex, position, hasLease = {}, 0, 1, false

-- An uncharged key is written only in three cases. A clock that stepped back left it in the future: each refusal would
-- restart the wait. It has other numbers or another calendar: it drains at another rate than the stated wait. It has lost its TTL.
local function repair (quota, bucket, result)
  if bucket.isChanged then return end
  local isMoved = quota.algorithm ~= SLIDING_WINDOW and bucket.timeUs > result.timeUs
  if quota.algorithm == CALENDAR_WINDOW then isMoved = bucket.count > 0 and bucket.timeUs ~= result.timeUs end
  if quota.max > 0 and bucket.max ~= nil and (result.isClamped or isMoved or bucket.isCarried) then
    changeBucket(bucket, result, 0, nowUs)
  elseif redis.pcall('PTTL', bucket.key) == -1 then
    bucket.isChanged = true
  end
end

local function commit (one)
  local quota, bucket, cost, result = one.quota, one.bucket, one.cost, one.result
  if cost == 0 then
    repair(quota, bucket, result)
  else
    if quota.algorithm == SLIDING_WINDOW then result.log = appendGrant(quota, bucket.log, cost, nowUs) end
    changeBucket(bucket, result, cost, nowUs)
  end
end

-- Report the state of a limit that was not charged. A limit that granted stays granted, even in debt.
local function assessUncharged (one)
  local standing = assessBucket(one.quota, one.bucket, 0, nowUs)
  one.result.remaining, one.result.resetUs = standing.remaining, standing.resetUs
  one.result.timeUs, one.result.count = standing.timeUs, standing.count
  return standing
end

local function assessCharge (quota, bucket, cost)
  -- Such a limit has no units, and must not use those of another version of the limit.
  if quota.max == 0 then return assessBucket(quota, { timeUs = 0, count = 0 }, cost, nowUs) end
  carryBucket(bucket, quota, nowUs)
  local result = assessBucket(quota, bucket, cost, nowUs)
  if bucket.slotEndUs and not result.granted and result.retryUs then
    result.retryUs = max(result.retryUs, leases.waitUs(quota, bucket, cost, nowUs))
  end
  return result
end

local function commitCheck (charges, isGranted, isBlocked)
  for i = 1, #charges do
    local one = charges[i]
    one.isCharged = one.result.granted and (isGranted or (one.quota.isShadow == 1 and not isBlocked))
    if one.isCharged then
      commit(one)
    elseif one.result.granted then
      repair(one.quota, one.bucket, assessUncharged(one))
    else
      repair(one.quota, one.bucket, one.result)
    end
  end
end

-- Units that charge i and the charges before it take from its bucket: enforced ones first, in their order, then shadow ones.
local function sumUnits (charges, i, isGranted)
  local one = charges[i]
  local isShadow, units = one.quota.isShadow == 1, one.cost
  for j = 1, #charges do
    local other = charges[j]
    local isBefore = j < i
    if other.quota.isShadow == 1 then
      isBefore = isShadow and isBefore and other.result.granted
    elseif isShadow then
      isBefore = isGranted
    end
    if isBefore and other.bucket == one.bucket then units = units + other.cost end
  end
  return units
end

-- Decide a check that charges a bucket more than once. Twin: takeAll in lib/stores/memory/take-all.ts.
-- Returns whether the check is granted.
local function decideShared (charges, isGranted, isBlocked)
  for isShadow = 0, 1 do
    for i = 1, #charges do
      local one = charges[i]
      if one.quota.isShadow == isShadow then
        one.result = assessCharge(one.quota, one.bucket, sumUnits(charges, i, isGranted))
        if isShadow == 0 and not one.result.granted then isGranted = false end
      end
    end
  end
  for isShadow = 0, 1 do
    for i = 1, #charges do
      local one = charges[i]
      if one.quota.isShadow == isShadow then
        carryBucket(one.bucket, one.quota, nowUs)
        one.isCharged = one.result.granted and (isGranted or (isShadow == 1 and not isBlocked))
        if one.isCharged then commit(one) end
      end
    end
  end
  for i = 1, #charges do
    local one = charges[i]
    if one.quota.max > 0 then
      carryBucket(one.bucket, one.quota, nowUs)
      repair(one.quota, one.bucket, assessUncharged(one))
    end
  end
  return isGranted
end

-- Charges of one check with the same penalty and partition share one entry.
local function findPenaltyEntry (charges, rule, key)
  for i = 1, #charges do
    local penaltyEntry = charges[i].penaltyEntry
    if penaltyEntry and penaltyEntry.kept.key == key then return penaltyEntry end
  end
  return loadPenaltyEntry(rule, key, nowUs)
end

-- Twin: strikeRefused and applyBlock in lib/stores/memory/take-under-penalty.ts.
local function applyPenalties (charges, isRefused)
  local struck = {}
  for i = 1, #charges do
    local one = charges[i]
    local penaltyEntry, result = one.penaltyEntry, one.result
    if isRefused and penaltyEntry and not struck[penaltyEntry] and not result.granted and result.retryUs and one.cost > 0 then
      struck[penaltyEntry] = true
      addStrikes(penaltyEntry, 1, nowUs)
    end
  end
  for i = 1, #charges do
    local one = charges[i]
    local leftUs = one.penaltyEntry and blockedUs(one.penaltyEntry.state, nowUs) or 0
    if leftUs > 0 then
      local result = one.result
      one.blockedUs, one.began = leftUs, one.penaltyEntry.began
      result.granted, result.delayUs = false, 0
      result.retryUs = result.retryUs and max(result.retryUs, leftUs)
    end
  end
end

-- Take the reports of a holder, before the charge is decided.
local function settleReports (quota, bucket, reports)
  if quota.max == 0 or bucket.err then return end
  carryBucket(bucket, quota, nowUs)
  if quota.algorithm == TOKEN_BUCKET then
    if not bucket.slotEndUs then return end
    changeBucket(bucket, assessBucket(quota, bucket, 0, nowUs), 0, nowUs)
    leases.settle(quota, bucket, reports, nowUs)
  else
    for i = 1, #reports do
      local report = reports[i]
      if report.returned > 0 and bucket.timeUs + quota.windowUs == report.slotEndUs then
        changeBucket(bucket, { timeUs = bucket.timeUs, count = max(0, bucket.count - report.returned) }, -report.returned, nowUs)
      end
    end
  end
end

-- Lease units of a granted charge. They are used units from now on.
local function grantLease (one)
  local quota, bucket, request, units = one.quota, one.bucket, one.request, 0
  if quota.max == 0 or request.want == 0 or not one.result.granted then return end
  local result = assessBucket(quota, bucket, 0, nowUs)
  if quota.algorithm == TOKEN_BUCKET then
    leases.open(bucket, request.gridUs, nowUs)
    bucket.isChanged = true
    units = leases.lease(quota, bucket, result.remaining, request, nowUs)
    one.slotEndUs = bucket.slotEndUs + bucket.gridUs
    one.lifeUs, one.apart = one.slotEndUs - nowUs, bucket.apart + bucket.apartNext
  else
    units = leases.share(result.remaining, request.want, request.soon)
    one.slotEndUs = result.timeUs + quota.windowUs
    one.lifeUs, one.apart = min(one.slotEndUs - nowUs, 2 * request.gridUs), 0
    if units > 0 then changeBucket(bucket, { timeUs = result.timeUs, count = result.count + units }, 0, nowUs) end
  end
  if units == 0 then return end
  if bucket.overuse then bucket.overuse = addToOveruse(bucket.overuse, units, nowUs) end
  result = assessBucket(quota, bucket, 0, nowUs)
  one.leasedUnits, one.result.remaining, one.result.resetUs = units, result.remaining, result.resetUs
end

-- Read the charge of a concurrency limit, and assess it.
local function readSlot (quota, cost)
  local sequence, slots, instance
  sequence, slots, instance, position = unpack('>I7I4c8', checks, position)
  local kept = readHolders(KEYS[keyIndex], nowUs)
  local one = { quota = quota, bucket = kept, cost = cost }
  if kept.err then return one end
  local reported = sequence == 0 and lookAtHolders(kept) or
    enterReport(kept, instance, sequence, slots, floor(quota.windowUs / 1000), nowUs)
  one.reported, one.result = reported, { granted = assessReported(quota, reported, cost), resetUs = 0, retryUs = 0 }
  one.result.remaining = countLeft(quota, reported)
  return one
end

local function commitSlot (one, isGranted, isBlocked)
  local quota, result = one.quota, one.result
  one.isCharged = result.granted and (isGranted or (quota.isShadow == 1 and not isBlocked))
  if one.isCharged then takeReported(one.reported, one.cost) end
  result.remaining = countLeft(quota, one.reported)
end

-- Whether a missing slot refuses a check.
local function isWithoutSlot (one)
  return one and one.quota.isShadow == 0 and not one.result.granted
end

local function readCheck ()
  local charges, size, isGranted, isBroken, isShared, hasPenalty, isBlocked = {}, 0, true, false, false, false, false
  size, position = unpack('>I1', checks, position)
  for i = 1, size do
    local limitIndex, cost
    limitIndex, cost, position = unpack('>I2I7', checks, position)
    keyIndex = keyIndex + 1
    local hasRequest = limitIndex >= LEASE_FLAG
    local quota = limits[hasRequest and limitIndex - LEASE_FLAG or limitIndex]
    if quota.algorithm == CONCURRENCY then
      charges.slot = readSlot(quota, cost)
      answers[#answers + 1] = charges.slot
      if charges.slot.bucket.err then isBroken = true elseif isWithoutSlot(charges.slot) then isGranted = false end
      break
    end
    local bucket = readBucket(KEYS[keyIndex])
    local one = { quota = quota, bucket = bucket, cost = cost }
    local strikes = 0
    if quota.penalty then strikes, position = unpack('>I4', checks, position) end
    if hasRequest then
      one.request, position = leases.readRequest(checks, position)
      settleReports(quota, bucket, one.request.reports)
      hasLease = true
    end
    if bucket.err then isBroken = true else one.result = assessCharge(quota, bucket, cost) end
    if quota.isShadow == 0 and one.result and not one.result.granted then isGranted = false end
    if bucket.charges == charges then isShared = true end
    bucket.charges = charges
    if quota.penalty then
      keyIndex = keyIndex + 1
      local penaltyEntry = findPenaltyEntry(charges, quota.penalty, KEYS[keyIndex])
      if penaltyEntry.kept.err then isBroken = true end
      if strikes > 0 and blockedUs(penaltyEntry.state, nowUs) == 0 then addStrikes(penaltyEntry, strikes, nowUs) end
      if blockedUs(penaltyEntry.state, nowUs) > 0 then isBlocked = true end
      one.penaltyEntry, hasPenalty = penaltyEntry, true
    end
    charges[i] = one
    answers[#answers + 1] = one
  end
  return charges, isGranted and not isBlocked, isBroken, isShared, hasPenalty, isBlocked
end

while position <= #checks do
  local charges, isGranted, isBroken, isShared, hasPenalty, isBlocked = readCheck()
  if isBroken then
    -- The reply reports it. Nothing is charged.
  else
    if isShared then
      isGranted = decideShared(charges, not isBlocked and not isWithoutSlot(charges.slot), isBlocked)
    else
      commitCheck(charges, isGranted, isBlocked)
    end
    if charges.slot then commitSlot(charges.slot, isGranted, isBlocked) end
    if hasPenalty then applyPenalties(charges, not isGranted and not isBlocked) end
    for i = 1, hasLease and #charges or 0 do
      if charges[i].request and (isGranted or charges[i].cost == 0) then grantLease(charges[i]) end
    end
  end
end

local err = writeBuckets(nowUs, marginMs)
err = writePenaltyStates(nowUs, marginMs) or err
err = writeHolders(nowUs, marginMs) or err
local parts = { pack('>I7', nowUs) }
for i = 1, #answers do
  local one = answers[i]
  local result = one.result
  local broken = one.bucket.err or (one.penaltyEntry and one.penaltyEntry.kept.err)
  if result == nil or broken then
    parts[#parts + 1] = pack('>I1I7I7I7', 4, 0, 0, 0)
    err = err or broken
  else
    local delayUs = one.isCharged and result.delayUs or 0
    local state = (result.granted and 1 or 0) + (one.isCharged and 2 or 0) + (delayUs > 0 and 8 or 0) +
      (one.blockedUs and 16 or 0) + (one.began and 32 or 0) + (one.leasedUnits and 64 or 0)
    parts[#parts + 1] = pack('>I1I7I7I7', state, result.remaining, result.resetUs, result.retryUs or NEVER)
    if delayUs > 0 then parts[#parts + 1] = pack('>I7', delayUs) end
    if one.blockedUs then parts[#parts + 1] = pack('>I7', one.blockedUs) end
    if one.quota.algorithm == CALENDAR_WINDOW then parts[#parts + 1] = pack('>I7I7', result.count, result.timeUs) end
    if one.leasedUnits then parts[#parts + 1] = pack('>I7I7I7I7', one.leasedUnits, one.lifeUs, one.slotEndUs, one.apart) end
  end
end
return { table.concat(parts), err or describeDamage() or '' }
