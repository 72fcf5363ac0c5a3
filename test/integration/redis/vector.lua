-- One row of a table of cases, for tests.
--   KEYS[1]  where the row's state is kept before and after
--   ARGV[1]  the limit, see call.lua
--   ARGV[2]  JSON: state (a list, or absent), and one of cost, charge, refund with chargedAtUs and chargedUntilUs
--   ARGV[3]  the row's time
-- Replies { granted 0 or 1, isLast 0 or 1, remaining, resetUs, delayUs, retryUs or -1 for never, then the state as a list }
-- in text.

local row, quota, key = cjson.decode(ARGV[2]), limits[1], KEYS[1]

local function store (state)
  local bucket = readBucket(key)
  bucket.algorithm, bucket.max, bucket.windowUs, bucket.capacity = quota.algorithm, quota.max, quota.windowUs, quota.capacity
  changeBucket(bucket, state, 0, nowUs)
  -- Whatever its age, for what is kept is looked at here.
  redis.call('SET', key, encodeBucket(bucket), 'PX', 60000)
  buckets[key] = nil
end

local function toState (list)
  if quota.algorithm ~= SLIDING_WINDOW then return { timeUs = list[1], count = list[2] } end
  return { log = toLog(list) }
end

local function toList (bucket)
  if quota.algorithm ~= SLIDING_WINDOW then return { bucket.timeUs, bucket.count } end
  return fromLog(bucket.log)
end

redis.call('DEL', key)
if row.state then store(toState(row.state)) end
local bucket, result = readBucket(key), nil
local isLast = quota.algorithm == TOKEN_BUCKET and isLastCharge(quota, bucket, row.chargedUntilUs or 0)
if row.cost then
  result = assessBucket(quota, bucket, row.cost, nowUs)
  if result.granted and quota.algorithm == SLIDING_WINDOW then result.log = appendGrant(quota, bucket.log, row.cost, nowUs) end
elseif row.charge then
  result = chargeBucket(quota, bucket, row.charge, nowUs)
else
  local refund = { units = row.refund, chargedAtUs = row.chargedAtUs or 0, chargedUntilUs = row.chargedUntilUs or 0 }
  result = refundBucket(quota, bucket, refund, nowUs)
end
store(result)

local reply = { result.granted and '1' or '0', isLast and '1' or '0' }
for _, number in ipairs({ result.remaining, result.resetUs, result.delayUs or 0, result.retryUs or -1 }) do
  reply[#reply + 1] = string.format('%.0f', number)
end
for _, number in ipairs(toList(readBucket(key))) do reply[#reply + 1] = string.format('%.0f', number) end
return reply
