-- Logs of a sliding window, for tests: each is checked, charged or refunded, stored and read again.
--   ARGV[1]  the limits of the rows, see call.lua
--   ARGV[2]  JSON: rows of state (a list), nowUs, and one of cost, charge, refund with chargedAtUs
-- Replies the rows as JSON: the result, the log, and whether the log is to be stored after a refusal.

local rows, replies = cjson.decode(ARGV[2]), {}

local function toList (log)
  local list = fromLog(log)
  for i, number in ipairs(list) do list[i] = string.format('%.0f', number) end
  return list
end

for i, row in ipairs(rows) do
  local quota, nowUs = limits[i], row.nowUs
  local log, result = toLog(row.state), nil
  if row.cost then
    result = assessSlidingWindow(quota, log, row.cost, nowUs)
    if result.granted then result.log = appendGrant(quota, result.log, row.cost, nowUs) end
  elseif row.charge then
    result = chargeSlidingWindow(quota, log, row.charge, nowUs)
  else
    result = refundSlidingWindow(quota, log, { units = row.refund, chargedAtUs = row.chargedAtUs }, nowUs)
  end
  local stored = encodeBucket({ algorithm = SLIDING_WINDOW, max = quota.max, windowUs = quota.windowUs, log = result.log })
  local read = decodeBucket({ timeUs = 0 }, stored)
  local numbers = {}
  for _, number in ipairs({ result.remaining, result.resetUs, result.retryUs or -1 }) do numbers[#numbers + 1] = string.format('%.0f', number) end
  replies[i] = { granted = result.granted or false, isClamped = result.isClamped or false, numbers = numbers, state = toList(read.log) }
end
return cjson.encode({ rows = replies, hasDamage = hasDamage })
